"""Scores of forecasts: CRPS, coverage and what goes into them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from lifeworth.errors import DefinitionError

type Draws = Mapping[str, NDArray[np.float64]]
"""Draws of each held-out cell's share by measure, (draws, cells)."""

MEASURES: dict[str, tuple[str, str]] = {
    "logo_retention": ("at_risk", "accounts left, of those at risk"),
    "revenue_retained": ("opening", "opening money left after losses and contraction"),
    "nrr": ("opening", "closing money, of the opening money"),
}
"""Measures of a backtest that are shares: what each is a share of, and in words."""

REMAINING: dict[str, tuple[str, str]] = {
    "customers": ("accounts", "accounts of the book at the origin that are still there"),
    "revenue": ("amount", "recurring revenue of the book at the origin that is still there, per amount_per"),
}
"""Measures of a backtest that are amounts: what of the book at the origin they are the rest of, and in words."""

BANDS: dict[float, tuple[str, str]] = {
    0.5: ("p25", "p75"),
    0.8: ("p10", "p90"),
    0.9: ("p05", "p95"),
    0.95: ("p025", "p975"),
}
"""The columns that bound each central band, by its probability."""

_QUANTILES = {
    "p025": 0.025,
    "p05": 0.05,
    "p10": 0.1,
    "p25": 0.25,
    "p50": 0.5,
    "p75": 0.75,
    "p90": 0.9,
    "p95": 0.95,
    "p975": 0.975,
}


def crps(draws: NDArray[np.float64], observed: NDArray[np.float64]) -> NDArray[np.float64]:
    """Continuous ranked probability score of a sample, in the unit of the quantity; lower is better.

    CRPS = E|X - y| - E|X - X'| / 2, over all pairs of draws. Of a point it is the absolute error.

    Parameters
    ----------
    draws : array (draws, units)
    observed : array (units,)

    Returns
    -------
    array (units,)

    Source: Gneiting & Raftery (2007), J. American Statistical Association 102, eq. 21.

    Examples
    --------
    >>> crps(np.array([[0.0], [1.0]]), np.array([0.0])).tolist()
    [0.25]
    """
    ordered, n = np.sort(draws, axis=0), len(draws)
    weight = (2 * np.arange(1, n + 1) - n - 1)[:, None]
    spread = (weight * ordered).sum(axis=0) / n**2
    return np.abs(draws - observed).mean(axis=0) - spread


def pit(draws: NDArray[np.float64], observed: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probability integral transform of what happened: the share of the draws below it, ties counted half.

    Uniform over units where the forecasts are calibrated and the draws hardly tie; with ties (few accounts) it is
    nearer to the middle than uniform (the mid-PIT).

    Parameters
    ----------
    draws : array (draws, units)
    observed : array (units,)

    Returns
    -------
    array (units,), between 0 and 1.

    Source: Czado, Gneiting & Held (2009), Biometrics 65; the mid-PIT is its expectation over their randomisation.

    Examples
    --------
    Two draws below, one tie, one above:

    >>> pit(np.array([[1.0], [2.0], [3.0], [4.0]]), np.array([3.0])).tolist()
    [0.625]
    """
    return ((draws < observed).mean(axis=0) + (draws <= observed).mean(axis=0)) / 2


def observed_shares(held: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
    """What happened in each cell, as amounts: accounts left, money kept, closing money."""
    kept = held["opening"] - held["churned_amount"] - held["contraction"]
    return {
        "logo_retention": (held["at_risk"] - held["churned"]).to_numpy(dtype=float),
        "revenue_retained": kept.to_numpy(dtype=float),
        "nrr": held["closing"].to_numpy(dtype=float),
    }


def unit_totals(held: pd.DataFrame, by: tuple[str, ...]) -> list[tuple[dict[str, object], pd.DataFrame]]:
    """Cells of each unit, a segment in a bucket and a bucket in total, with the labels of the unit."""
    every: list[tuple[dict[str, object], pd.DataFrame]] = [
        ({**dict.fromkeys(by, "all"), "ahead": b}, part) for b, part in held.groupby("ahead")
    ]
    if not by:
        return every
    keys = [*by, "ahead"]
    return every + [(dict(zip(keys, key, strict=True)), part) for key, part in held.groupby(keys)]


def scored(draws: Draws, totals: list[tuple[dict[str, object], pd.DataFrame]]) -> pd.DataFrame:
    """Forecast and score of every unit: draws are summed over cells before they are summarised."""
    rows = []
    for labels, cells in totals:
        at, happened = cells.index.to_numpy(), observed_shares(cells)
        for measure, values in draws.items():
            base = cells[MEASURES[measure][0]].to_numpy(dtype=float)
            if base.sum() <= 0:
                continue
            share, y = values[:, at] @ base / base.sum(), happened[measure].sum() / base.sum()
            rows.append({"measure": measure, **labels, "at_risk": base.sum(), **forecast_row(share, float(y))})
    return pd.DataFrame(rows).rename(columns={"ahead": "bucket"})


def forecast_row(draws: NDArray[np.float64], observed: float) -> dict[str, float]:
    """A forecast beside what happened: observed, mean, quantiles, crps and pit of one unit's draws."""
    quantiles = np.quantile(draws, list(_QUANTILES.values()))
    y = np.array([observed])
    return {
        "observed": observed,
        "mean": float(draws.mean()),
        **dict(zip(_QUANTILES, quantiles.tolist(), strict=True)),
        "crps": float(crps(draws[:, None], y)[0]),
        "pit": float(pit(draws[:, None], y)[0]),
    }


def inside(units: pd.DataFrame, probability: float) -> pd.Series:
    """Whether the central band of each unit held what happened.

    Raises
    ------
    DefinitionError
        There is no band of that probability.
    """
    if probability not in BANDS:
        known = ", ".join(f"{p:g}" for p in BANDS)
        raise DefinitionError(f"probability={probability} has no band in the forecasts: use one of {known}.")
    low, high = BANDS[probability]
    return (units[low] <= units["observed"]) & (units["observed"] <= units[high])


def clustered_error(values: NDArray[np.float64], clusters: NDArray[np.object_]) -> float:
    """Standard error of the mean of values that hang together in clusters; nan with one cluster.

    The deviations are summed within each of the G clusters first, with the factor G / (G - 1).

    Examples
    --------
    Two clusters of two alike are worth two values, 1 and 3: the error of their mean is 1.

    >>> clustered_error(np.array([1.0, 1.0, 3.0, 3.0]), np.array(["a", "a", "b", "b"]))
    1.0
    """
    sums = pd.Series(values - values.mean()).groupby(clusters).sum().to_numpy()
    g = len(sums)
    return float(np.sqrt(g / (g - 1) * np.sum(sums**2)) / len(values)) if g > 1 else float("nan")


def clustered_share(
    hits: NDArray[np.bool_], clusters: NDArray[np.object_], level: float = 0.95
) -> tuple[float, float, float, float]:
    """A share of units that hang together in clusters: its estimate, standard error and interval.

    The standard error sums the deviations within each cluster first (G clusters, factor G / (G - 1)); nan with one
    cluster. The interval is Clopper and Pearson's at the effective number of units, p (1 - p) / se^2 times
    (t_{n-1} / t_{G-1})^2, and at most n. Where every unit or none is a hit the clusters cannot tell how much they hang
    together: then a cluster counts as one unit.

    Parameters
    ----------
    hits : bool array (units,)
    clusters : array (units,)
        The cluster of each unit.
    level : float
        Probability of the interval.

    Returns
    -------
    (share, se, low, high)

    Source: Korn & Graubard (1998), Survey Methodology 24.

    Examples
    --------
    Eight units in four clusters that are hit or missed as one are worth less than four units:

    >>> hits = np.array([1, 1, 1, 1, 1, 1, 0, 0], dtype=bool)
    >>> [round(x, 2) for x in clustered_share(hits, np.array([1, 1, 2, 2, 3, 3, 4, 4]))]
    [0.75, 0.25, 0.04, 1.0]
    """
    n, share, g = len(hits), float(hits.mean()), len(np.unique(clusters))
    se = clustered_error(hits.astype(float), clusters)
    effective, tail = float(g), (1 - level) / 2
    if se > 0:
        narrower = stats.t.ppf(tail, n - 1) / stats.t.ppf(tail, g - 1)
        effective = min(share * (1 - share) / se**2 * narrower**2, float(n))
    hit = share * effective
    low = stats.beta.ppf(tail, hit, effective - hit + 1) if hit > 0 else 0.0
    high = stats.beta.ppf(1 - tail, hit + 1, effective - hit) if hit < effective else 1.0
    return share, se, float(low), float(high)
