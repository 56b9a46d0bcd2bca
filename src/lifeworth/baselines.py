"""The forecasts people make without a model: one rate carried forward, with the noise of a sample behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lifeworth.indexing import money_counts
from lifeworth.ledger import CohortTable
from lifeworth.scores import Draws

type Baseline = Callable[[CohortTable, pd.DataFrame, np.random.Generator, int], Draws]
type Floats = NDArray[np.float64]


def constant(table: CohortTable, held: pd.DataFrame, rng: np.random.Generator, draws: int) -> Draws:
    """The blended rate of everything observed."""
    return _carried(table.frame, held, [], rng, draws, table.has_money)


def segment_constant(table: CohortTable, held: pd.DataFrame, rng: np.random.Generator, draws: int) -> Draws:
    """Each segment's rate over everything observed."""
    return _carried(table.frame, held, list(table.by), rng, draws, table.has_money)


def last_bucket(table: CohortTable, held: pd.DataFrame, rng: np.random.Generator, draws: int) -> Draws:
    """Each segment's rate in the last observed bucket."""
    last = table.frame[table.frame["bucket"] == table.frame["bucket"].max()]
    return _carried(last, held, list(table.by), rng, draws, table.has_money)


def tenure_curve(table: CohortTable, held: pd.DataFrame, rng: np.random.Generator, draws: int) -> Draws:
    """The empirical rate by tenure, over all segments; beyond the last tenure observed, that one's."""
    top = int(table.frame["tenure"].max())
    capped = held.assign(tenure=held["tenure"].clip(upper=top))
    return _carried(table.frame, capped, ["tenure"], rng, draws, table.has_money)


BASELINES: Mapping[str, Baseline] = {
    "constant": constant,
    "segment_constant": segment_constant,
    "last_bucket": last_bucket,
    "tenure_curve": tenure_curve,
}
"""Every baseline by name."""


def _carried(
    past: pd.DataFrame, held: pd.DataFrame, keys: list[str], rng: np.random.Generator, draws: int, money: bool
) -> Draws:
    """Each held-out cell's shares from the past cells that agree with it on `keys`."""
    if not keys:
        past, held, keys = past.assign(_all=0), held.assign(_all=0), ["_all"]
    out = {"logo_retention": _stayed(past, held, keys, rng, draws)}
    if money:
        sums = past.groupby(keys)[["opening", "opening_sq", "churned_amount", "expansion", "contraction"]].sum()
        kept = _stayed(money_counts(sums.reset_index()), _effective(held), keys, rng, draws)
        survivors = sums["opening"] - sums["churned_amount"]
        lost = (1 - _looked_up(sums["contraction"] / survivors, held, keys)).to_numpy()
        grown = _looked_up(sums["expansion"] / survivors, held, keys).to_numpy()
        out |= {"revenue_retained": kept * lost, "nrr": kept * (lost + grown)}
    return out


def _stayed(past: pd.DataFrame, held: pd.DataFrame, keys: list[str], rng: np.random.Generator, draws: int) -> Floats:
    """Share that stays: a rate drawn from its Jeffreys posterior, then a binomial of those at risk."""
    sums = past.groupby(keys)[["at_risk", "churned"]].sum()
    rate = rng.beta(sums["churned"] + 0.5, sums["at_risk"] - sums["churned"] + 0.5, size=(draws, len(sums)))
    blended = rng.beta(sums["churned"].sum() + 0.5, (sums["at_risk"] - sums["churned"]).sum() + 0.5, size=(draws, 1))
    every = np.concatenate([rate, blended], axis=1)
    position = pd.Series(np.arange(len(sums)), index=sums.index)
    at = _looked_up(position, held, keys, missing=len(sums)).to_numpy(dtype=np.int64)
    n = np.maximum(np.rint(held["at_risk"].to_numpy(dtype=float)), 1).astype(np.int64)
    return rng.binomial(n, 1 - every[:, at]) / n


def _effective(held: pd.DataFrame) -> pd.DataFrame:
    squares = held["opening_sq"].where(held["opening_sq"] > 0)
    return held.assign(at_risk=(held["opening"] ** 2 / squares).fillna(1.0))


def _looked_up(by_key: pd.Series, held: pd.DataFrame, keys: list[str], missing: float | None = None) -> pd.Series:
    found = held[keys].merge(by_key.rename("found"), left_on=keys, right_index=True, how="left")["found"]
    return found.fillna(float(by_key.mean()) if missing is None else missing)
