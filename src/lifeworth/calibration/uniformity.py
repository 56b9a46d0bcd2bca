"""Whether ranks are uniform: the ECDF at all points at once, exactly, and many quantities together."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

_POINTS = 100
_ROUNDING = 1 + 1e-9


def holm(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """p-values adjusted for their number: rejecting those below a level errs at all with at most that probability.

    Source: Holm (1979), Scandinavian Journal of Statistics 6, 65-70.

    Examples
    --------
    >>> holm(np.array([0.04, 0.01])).tolist()
    [0.04, 0.02]
    """
    order, m = np.argsort(p_values), len(p_values)
    adjusted = np.empty(m)
    adjusted[order] = np.minimum(np.maximum.accumulate(p_values[order] * np.arange(m, 0, -1)), 1.0)
    return adjusted


def ecdf_test(
    pits: NDArray[np.float64], points: tuple[float, ...] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Where the ECDF of each sample stands out most from that of uniform values, and how probable that is.

    At each point the number of values below it is binomial; the smallest of the two-sided tail probabilities is the
    statistic, and its distribution over all points at once is computed, not simulated.

    Parameters
    ----------
    pits : array (samples, n)
        Between 0 and 1.
    points : tuple of float, optional
        Where the ECDF is looked at, rising, inside (0, 1); None is up to 99 at even distances.

    Returns
    -------
    (array (samples,), array (samples,), array (samples,))
        ECDF less uniform at the point that stands out most, the half-width there of the simultaneous 95% band on that
        side, and the p-value.

    Source: Säilynoja, Bürkner & Vehtari (2022), Statistics and Computing 32:32, section 2.

    Examples
    --------
    Two values below a half: so do, or both above, half of all pairs.

    >>> [x.round(3).tolist() for x in ecdf_test(np.array([[0.2, 0.4]]), points=(0.5,))]
    [[0.5], [0.5], [0.5]]
    """
    n = pits.shape[1]
    parts = max(2, min(n, _POINTS))
    points = tuple((np.arange(1, parts) / parts).tolist()) if points is None else points
    z = np.array(points)
    counts = np.stack([np.searchsorted(np.sort(pit), z, side="right") for pit in pits])
    tails = np.stack([_tails(n, point)[counts[:, i]] for i, point in enumerate(points)], axis=1)
    worst = tails.argmin(axis=1)
    at = np.arange(len(pits)), worst
    level = _band_level(n, points) * _ROUNDING
    limits = np.array([np.flatnonzero(_tails(n, point) > level)[[0, -1]] / n for point in points])[worst]
    difference = counts[at] / n - z[worst]
    band = np.where(difference > 0, limits[:, 1] - z[worst], z[worst] - limits[:, 0])
    return difference, band, np.maximum(1 - _inside(n, points, tails[at]), 0.0)


@lru_cache(maxsize=4096)
def _tails(n: int, z: float) -> NDArray[np.float64]:
    """Two-sided tail probability of each count 0 .. n of n uniform values below z."""
    counts = np.arange(n + 1)
    return np.minimum(2 * np.minimum(stats.binom.cdf(counts, n, z), stats.binom.sf(counts - 1, n, z)), 1.0)


def _inside(n: int, points: tuple[float, ...], levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probability that n uniform values have a tail probability above each level at all points."""
    at, before, passed = np.ones((len(levels), 1)), np.zeros(1, dtype=int), 0.0
    log_factorial = special.gammaln(np.arange(n + 1) + 1.0)
    for z in points:
        tails = _tails(n, z)
        now = np.flatnonzero(tails > levels.min() * _ROUNDING)
        rest, come = n - before[:, None], now[None, :] - before[:, None]
        ways = log_factorial[rest] - log_factorial[np.maximum(come, 0)] - log_factorial[n - now][None, :]
        share = (z - passed) / (1 - passed)
        chance = np.exp(np.where(come < 0, -np.inf, ways + come * np.log(share) + (rest - come) * np.log1p(-share)))
        at = (at @ chance) * (tails[now] > levels[:, None] * _ROUNDING)
        before, passed = now, z
    return at.sum(axis=1)


@lru_cache(maxsize=64)
def _band_level(n: int, points: tuple[float, ...]) -> float:
    """The largest tail probability at which the band holds the whole ECDF in at least 95% of samples."""
    low, high = 1e-8, 1.0
    for _ in range(4):
        levels = np.geomspace(low, high, 33)
        last = int(np.flatnonzero(_inside(n, points, levels) >= 0.95)[-1])
        low, high = levels[last], levels[min(last + 1, 32)]
    return low
