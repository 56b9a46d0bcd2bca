"""Drift of the purchase rate over calendar time: its law, what is known of it, and where it goes on.

Repeat purchases of a bucket over those expected without drift are, in logarithms, a level, a walk with momentum that
goes on after as_of, a season, the noise of the bucket and that of a count. Level, walk and season are Gaussian given
the sizes of all these: they are integrated out, and drawn afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from lifeworth._ops import Array
from lifeworth._parameters import Z90, Parameter, Theta
from lifeworth._walk import walked
from lifeworth.effects import CalendarWalk, Shape
from lifeworth.effects.base import calendar_loading

WALK: Final = CalendarWalk(reaction=0.0)
"""The walk of churn, at one variance: a table of purchases has too few buckets to follow one that changes."""

LEVEL: Final = Parameter("calendar_level", "identity", (-0.3, 0.3), "log of purchases over those expected, on average")

FUTURES: Final = 100
"""Half the futures of the walk over which its factor is scaled to its expectation."""

_NUMBERS: Final = 3_000_000
"""Numbers held at once, points x buckets x buckets."""


def drift_parameters(buckets: int, per_year: int, seasons: int = 0) -> tuple[Parameter, ...]:
    """Parameters of the drift over so many buckets; the walk's are those of churn, its sd by length of a bucket."""
    quarters = (4 / per_year) ** 0.5
    made = [LEVEL]
    for p in WALK.parameters(Shape(1, 1, buckets, 1, 3, 3)):
        low, high = p.plausible
        interval = (low * quarters, high * quarters) if p.name == "calendar_sd" else p.plausible
        made.append(replace(p, plausible=interval, about=p.about.replace("log hazard", "log purchases")))
    made.append(Parameter("bucket_noise", "log", (0.02, 0.20), "sd of log purchases of a bucket around the drift"))
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
        Actual repeat purchases, and those expected without drift, scaled to the same total; above 0.
    per_year : int
        Buckets in a year.
    """

    seen: Array
    expected: Array
    per_year: int
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

        `log_ratio` (buckets,) and its `count_variance`, that of the log of a Poisson count; `level` is mean
        and sd of its prior; `loading` turns steps of
        the walk into its level by bucket, centred; `ago` are the steps between two steps; `seasonal` takes standard
        normals to deviations of the buckets that sum to zero over a year.
        """
        n, year = len(self.seen), np.eye(self.per_year) - 1 / self.per_year
        return {
            "log_ratio": np.log((self.seen + 0.5) / self.expected),
            "count_variance": 1 / (self.seen + 0.5),
            "loading": calendar_loading(self.expected / self.expected.sum()),
            "level": self.prior_level,
            "ago": np.subtract.outer(np.arange(n - 1.0), np.arange(n - 1.0)),
            "seasonal": year[self.time_of_year],
        }

    def level(self, theta: Theta) -> Array:
        """Log of purchases over those expected in each bucket, season and noise left out; (draws, buckets)."""
        return theta["calendar_level"] + theta["calendar"] @ self.data["loading"]


def log_likelihood(theta: Theta, buckets: Buckets) -> Array:
    """Log density of the log ratios given the sizes, level, walk and season integrated out; (draws,)."""
    data, draws = buckets.data, len(theta["bucket_noise"])
    found, block = np.zeros(draws), max(1, _NUMBERS // len(buckets.seen) ** 2)
    for start in range(0, draws, block):
        part = {name: v[start : start + block] for name, v in theta.items()}
        root = np.linalg.cholesky(_covariance(part, data))
        standard = np.linalg.solve(root, _residual(part, data)[..., None])[..., 0]
        log_volume = np.log(np.diagonal(root, axis1=-2, axis2=-1)).sum(axis=-1)
        found[start : start + block] = -0.5 * (standard**2).sum(axis=-1) - log_volume
    return found


def draw_path(theta: Theta, buckets: Buckets, rng: np.random.Generator) -> dict[str, Array]:
    """Draws of the level, the steps of the walk and the season given the sizes: Gaussian, so exact.

    What is drawn without the data is moved by what the data differ from it (Matheron's rule).

    Returns
    -------
    dict of arrays
        `calendar_level` (draws, 1), `calendar` (draws, buckets - 1) and `season` (draws, times of year).
    """
    data, by = buckets.data, _sources(theta, buckets.data)
    residual = _residual(theta, data)
    z = [rng.standard_normal((len(residual), a.shape[-1], 1)) for a in by]
    noise = np.sqrt(theta["bucket_noise"] ** 2 + data["count_variance"]) * rng.standard_normal(residual.shape)
    off = (residual - noise)[..., None] - sum(a @ x for a, x in zip(by, z, strict=True))
    weight = np.linalg.solve(_covariance(theta, data), off)
    z = [x + a.swapaxes(-1, -2) @ weight for a, x in zip(by, z, strict=True)]
    location, sd = data["level"]
    found = {"calendar_level": location + sd * z[0][..., 0]}
    found["calendar"] = theta["calendar_sd"] * (_powers(theta, data) @ z[1])[..., 0]
    if "season_sd" in theta:
        found["season"] = theta["season_sd"] * (z[2] - z[2].mean(axis=1, keepdims=True))[..., 0]
    return found


def _powers(theta: Theta, data: Mapping[str, Array]) -> Array:
    """Matrix that takes innovations to steps of the walk, each a share of the one before it and its own."""
    ago = data["ago"]
    return np.where(ago >= 0, theta["calendar_momentum"][..., None] ** np.maximum(ago, 0.0), 0.0)


def _sources(theta: Theta, data: Mapping[str, Array]) -> list[Array]:
    """Matrices from independent standard normals to log ratios: level, innovations and times of year."""
    walk = theta["calendar_sd"][..., None] * (data["loading"].T @ _powers(theta, data))
    found = [np.full((1, len(data["log_ratio"]), 1), data["level"][1]), walk]
    return found + ([theta["season_sd"][..., None] * data["seasonal"]] if "season_sd" in theta else [])


def _residual(theta: Theta, data: Mapping[str, Array]) -> Array:
    """Log ratios less their mean; the factor of the noise is one on average."""
    return data["log_ratio"] - data["level"][0] + theta["bucket_noise"] ** 2 / 2


def _covariance(theta: Theta, data: Mapping[str, Array]) -> Array:
    own = theta["bucket_noise"][..., None] ** 2 + data["count_variance"]
    return own * np.eye(len(data["log_ratio"])) + sum(a @ a.swapaxes(-1, -2) for a in _sources(theta, data))


def factors_ahead(theta: Theta, buckets: Buckets, ahead: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Factors on the purchase rate in the buckets after as_of, by draw: their expectation, and one future each.

    The expectation carries the walk on without innovations, momentum and season included. Futures are scaled so that
    their mean is that: not knowing the level adds no purchases by itself. Each future also has the noise of its
    buckets.

    Returns
    -------
    (array (draws, ahead), array (draws, ahead))
    """
    last, noise = buckets.level(theta)[:, -1:], theta["bucket_noise"]
    every = np.ones(theta["calendar"].shape[1], dtype=bool)
    still = last + np.cumsum(WALK.ahead(theta, np.zeros((len(last), ahead)), every), axis=-1)
    stand, share = WALK.ahead_spread(theta, every)
    z = rng.standard_normal((FUTURES, len(last), ahead))
    z = np.concatenate([z, -z])
    futures = last + np.cumsum(walked(z, stand, share, WALK.reaction), axis=-1)
    grown = np.exp(np.clip(futures - still, -3.0, 3.0))
    mean = np.exp(still)
    if "season" in theta:
        mean = mean * np.exp(theta["season"][:, np.arange(1, ahead + 1) % buckets.per_year])
    alone = np.exp(noise * rng.standard_normal(mean.shape) - noise**2 / 2)
    return mean, mean * alone * grown[0] / grown.mean(axis=0)
