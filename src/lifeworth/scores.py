"""Scores of forecasts: CRPS, coverage and what goes into them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

type Draws = Mapping[str, NDArray[np.float64]]
"""Draws of each held-out cell's share by measure, (draws, cells)."""

MEASURES: dict[str, tuple[str, str]] = {
    "logo_retention": ("at_risk", "accounts left, of those at risk"),
    "revenue_retained": ("opening", "opening money left after losses and contraction"),
    "nrr": ("opening", "closing money, of the opening money"),
}
"""Measures of a backtest: what each is a share of, and in words."""


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


def scored(draws: Draws, totals: list[tuple[dict[str, object], pd.DataFrame]], by: tuple[str, ...]) -> pd.DataFrame:
    """Forecast and score of every unit: draws are summed over cells before they are summarised."""
    rows = []
    for labels, cells in totals:
        at, happened = cells.index.to_numpy(), observed_shares(cells)
        for measure, values in draws.items():
            base = cells[MEASURES[measure][0]].to_numpy(dtype=float)
            if base.sum() <= 0:
                continue
            share = values[:, at] @ base / base.sum()
            y = happened[measure].sum() / base.sum()
            p05, p10, p50, p90, p95 = np.quantile(share, [0.05, 0.1, 0.5, 0.9, 0.95])
            score = crps(share[:, None], np.array([y]))[0]
            row = {"measure": measure, **labels, "at_risk": base.sum(), "observed": y, "mean": share.mean()}
            rows.append({**row, "p05": p05, "p10": p10, "p50": p50, "p90": p90, "p95": p95, "crps": score})
    return pd.DataFrame(rows).rename(columns={"ahead": "bucket"})
