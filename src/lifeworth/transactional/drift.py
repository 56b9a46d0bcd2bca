"""Drift of the purchase rate over calendar time: its law, what is known of it, and where it goes on.

Repeat purchases of a bucket over those expected without drift are, in logarithms, a level, a deviation from it that
lasts for a while and dies away (an autoregression), a season, the noise of the bucket and that of a count. Level,
deviations and season are Gaussian given the sizes of all these: they are integrated out, and drawn afterwards.

Churn drifts by a walk with momentum; purchases come back: see benchmarks/README.md for both on real books.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from lifeworth._ops import Array
from lifeworth._parameters import Z90, Parameter, Theta
from lifeworth._walk import Stand, walked

LEVEL: Final = Parameter("calendar_level", "identity", (-0.3, 0.3), "log of purchases over those expected, on average")

_NUMBERS: Final = 3_000_000
"""Numbers held at once, points x buckets x buckets."""


def drift_parameters(buckets: int, per_year: int, seasons: int = 0) -> tuple[Parameter, ...]:
    """Parameters of the drift over so many buckets.

    The prior of `calendar_sd` is 0.02 to 0.30 a quarter, as for churn, and grows with the square root of the length of
    a bucket; that of `calendar_persistence` leaves 50% to 98% of a deviation after a quarter.
    """
    quarters = 4 / per_year
    sd = (0.02 * quarters**0.5, 0.30 * quarters**0.5)
    left = (0.50**quarters, 0.98**quarters)
    made = [
        LEVEL,
        Parameter("calendar_sd", "log", sd, "sd of what moves log purchases from one bucket to the next"),
        Parameter("calendar_persistence", "logit", left, "share of a deviation that is left a bucket later"),
        Parameter("bucket_noise", "log", (0.02, 0.20), "sd of log purchases of a bucket around the drift"),
    ]
    about = "deviation of log purchases from their level in each bucket"
    made.append(Parameter("calendar", "identity", (-Z90, Z90), about, buckets, scale="calendar_sd"))
    if seasons:
        about = "log purchases at a time of year against the year's level"
        made += [
            Parameter("season_sd", "log", (0.02, 0.60), "sd of log purchases between the buckets of a year"),
            Parameter("season", "identity", (-Z90, Z90), about, seasons, scale="season_sd", zero_sum=True),
        ]
    return tuple(made)


@dataclass(frozen=True, slots=True, eq=False)
class Buckets:
    """Repeat purchases in the calendar buckets up to as_of, oldest first.

    Attributes
    ----------
    seen, expected : array (buckets,)
        Actual repeat purchases, and those expected without drift, above 0.
    per_year : int
        Buckets in a year.
    length : float
        Of a bucket, in the unit of the purchase model.
    pace : array (buckets,), optional
        How fast purchases went in each bucket, 1 without drift: the purchase model reads times at this pace. None
        reads them as they are.
    near : array (buckets,), optional
        Log ratios at which the law of a Poisson count is taken for Gaussian (Laplace): those of the posterior, once
        they are known. None takes the counts' own.
    prior_level : (float, float)
        Mean and sd of `calendar_level` under the prior.
    """

    seen: Array
    expected: Array
    per_year: int
    length: float = 1.0
    pace: Array | None = None
    near: Array | None = None
    prior_level: tuple[float, float] = LEVEL.location_scale()

    @property
    def seasons(self) -> int:
        """Times of year told apart: as for churn, none within the first year of buckets."""
        return self.per_year if 1 < self.per_year < len(self.seen) else 0

    @property
    def time_of_year(self) -> Array:
        """Position of each bucket in `season`: 0 is the last one's."""
        return np.arange(1 - len(self.seen), 1) % self.per_year

    @property
    def data(self) -> dict[str, Array]:
        """What the law of the drift reads.

        `log_ratio` (buckets,) and its `count_variance`, of a Gaussian that has the slope and the curvature of the
        Poisson counts at `near`; `level` is mean and sd of its prior; `ago` are the buckets between two buckets;
        `seasonal` takes standard normals to deviations of the buckets that sum to zero over a year.
        """
        n, year = len(self.seen), np.eye(self.per_year) - 1 / self.per_year
        near = np.log((self.seen + 1) / (self.expected + 1)) if self.near is None else self.near
        mean = self.expected * np.exp(near)
        return {
            "log_ratio": near + (self.seen - mean) / mean,
            "count_variance": 1 / mean,
            "level": self.prior_level,
            "ago": np.subtract.outer(np.arange(n), np.arange(n)),
            "seasonal": year[self.time_of_year],
        }

    def elapsed(self, ago: Array) -> Array:
        """Time from so long before as_of to as_of, at the pace of the purchases; before the oldest bucket at pace 1."""
        if self.pace is None:
            return ago
        n = len(self.pace)
        edges = self.length * np.arange(n + 1)
        total = np.concatenate([[0.0], np.cumsum(self.pace[::-1])]) * self.length
        return np.interp(ago, edges, total) + np.maximum(ago - edges[-1], 0.0)


def log_likelihood(theta: Theta, buckets: Buckets) -> Array:
    """Log density of the log ratios given the sizes, level, deviations and season integrated out; (draws,)."""
    data, found = buckets.data, []
    residual = (data["log_ratio"] - data["level"][0])[:, None]
    for part in _blocks(theta, buckets):
        root = np.linalg.cholesky(_covariance(_sources(part, data), part, data))
        standard = np.linalg.solve(root, np.broadcast_to(residual, (*root.shape[:-1], 1)))[..., 0]
        log_volume = np.log(np.diagonal(root, axis1=-2, axis2=-1)).sum(axis=-1)
        found.append(-0.5 * (standard**2).sum(axis=-1) - log_volume)
    return np.concatenate(found)


def draw_path(theta: Theta, buckets: Buckets, rng: np.random.Generator) -> dict[str, Array]:
    """Draws of the level, the deviations and the season given the sizes: Gaussian, so exact.

    What is drawn without the data is moved by what the data differ from it (Matheron's rule).

    Returns
    -------
    dict of arrays
        `calendar_level` (draws, 1), `calendar` (draws, buckets) and `season` (draws, times of year).
    """
    parts = [_draw_path(part, buckets, rng) for part in _blocks(theta, buckets)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def mean_path(theta: Theta, buckets: Buckets) -> Array:
    """Posterior mean of the log ratio of each bucket, noise of the bucket included, that of the count not."""
    data, found = buckets.data, []
    residual = data["log_ratio"] - data["level"][0]
    for part in _blocks(theta, buckets):
        covariance = _covariance(_sources(part, data), part, data)
        weight = np.linalg.solve(covariance, np.broadcast_to(residual[:, None], (*covariance.shape[:-1], 1)))[..., 0]
        found.append(residual - data["count_variance"] * weight)
    return data["level"][0] + np.concatenate(found).mean(axis=0)


def _blocks(theta: Theta, buckets: Buckets) -> Iterator[dict[str, Array]]:
    """Draws in blocks, as each has matrices of buckets x buckets."""
    draws, block = len(theta["bucket_noise"]), max(1, _NUMBERS // len(buckets.seen) ** 2)
    for i in range(0, draws, block):
        yield {name: v[i : i + block] for name, v in theta.items()}


def _draw_path(theta: Theta, buckets: Buckets, rng: np.random.Generator) -> dict[str, Array]:
    data, by = buckets.data, _sources(theta, buckets.data)
    location, sd = data["level"]
    draws = len(theta["bucket_noise"])
    z = [rng.standard_normal((draws, a.shape[-1], 1)) for a in by]
    noise = np.sqrt(theta["bucket_noise"] ** 2 + data["count_variance"]) * rng.standard_normal(
        (draws, len(buckets.seen))
    )
    off = (data["log_ratio"] - location - noise)[..., None] - sum(a @ x for a, x in zip(by, z, strict=True))
    weight = np.linalg.solve(_covariance(by, theta, data), off)
    z = [x + a.swapaxes(-1, -2) @ weight for a, x in zip(by, z, strict=True)]
    found = {"calendar_level": location + sd * z[0][..., 0], "calendar": (by[1] @ z[1])[..., 0]}
    if "season_sd" in theta:
        found["season"] = theta["season_sd"] * (z[2] - z[2].mean(axis=1, keepdims=True))[..., 0]
    return found


def _sources(theta: Theta, data: Mapping[str, Array]) -> list[Array]:
    """Matrices from independent standard normals to log ratios: of the level, the deviations and times of year."""
    ago, share = data["ago"], theta["calendar_persistence"][..., None]
    left = np.where(ago >= 0, share ** np.maximum(ago, 0), 0.0)
    left[..., 0] /= np.sqrt(1 - share[..., 0] ** 2)  # the first deviation is of any size that lasts
    found = [np.full((1, len(ago), 1), data["level"][1]), theta["calendar_sd"][..., None] * left]
    return found + ([theta["season_sd"][..., None] * data["seasonal"]] if "season_sd" in theta else [])


def _covariance(by: list[Array], theta: Theta, data: Mapping[str, Array]) -> Array:
    own = theta["bucket_noise"][..., None] ** 2 + data["count_variance"]
    return own * np.eye(len(data["log_ratio"])) + sum(a @ a.swapaxes(-1, -2) for a in by)


def factors_ahead(theta: Theta, buckets: Buckets, ahead: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Factors on the purchase rate in the buckets after as_of, by draw: their expectation, and one future each.

    What is left of the last deviation dies away, new ones come, and each bucket has its season and its noise.

    Returns
    -------
    (array (draws, ahead), array (draws, ahead))
    """
    last, sd, share, noise = (
        theta[name] for name in ("calendar", "calendar_sd", "calendar_persistence", "bucket_noise")
    )
    k = np.arange(1, ahead + 1)
    level = theta["calendar_level"] + (theta["season"][:, k % buckets.per_year] if "season" in theta else 0.0)
    grown = sd**2 * (1 - share ** (2 * k)) / (1 - share**2)
    expected = np.exp(level + share**k * last[:, -1:] + (grown + noise**2) / 2)
    stand = Stand(step=last[:, -1], variance=sd[:, 0] ** 2)
    path = walked(rng.standard_normal(expected.shape), stand, share[:, 0], 0.0)
    return expected, np.exp(level + path + noise * rng.standard_normal(expected.shape))
