"""What a reader of a fit must be told about its table, each as a warning with a name."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from lifeworth.errors import (
    LifeworthWarning,
    MoneyChurnWarning,
    NoRenewalWarning,
    ShortHistoryWarning,
    TrendWarning,
)
from lifeworth.ledger import CohortTable

type Note = tuple[type[LifeworthWarning], str]

SHORT = 8
"""Buckets below which the width of a band is mostly prior."""


def notes(table: CohortTable) -> Iterator[Note]:
    """Everything that `fit` says of a table before anyone reads a number off it."""
    if not table.has_calendar:
        return
    by_bucket = table.frame.groupby("bucket")[["at_risk", "churned"]].sum()
    for check in (_short_history, _trend):
        yield from check(table, by_bucket)
    if table.months_per_period == 12 and not (table.frame["tenure"] == 0).any():
        yield NoRenewalWarning, "no account has reached its first renewal: the churn of a first year is not known."
    if table.has_money:
        yield from _money_churn(table)


def _short_history(table: CohortTable, by_bucket: pd.DataFrame) -> Iterator[Note]:
    if len(by_bucket) < SHORT:
        yield (
            ShortHistoryWarning,
            f"{len(by_bucket)} calendar buckets ({table.calendar}) are observed, fewer than {SHORT}: "
            "how far churn drifts is mostly prior, and so is the width of the band.",
        )


def _trend(table: CohortTable, by_bucket: pd.DataFrame) -> Iterator[Note]:
    """Four buckets in one direction, further than their own noise explains."""
    last = by_bucket[by_bucket["at_risk"] > 0].tail(4)
    rate = (last["churned"] / last["at_risk"]).to_numpy()
    if len(rate) < 4:
        return
    moves = np.diff(rate)
    noise = np.sqrt((rate * (1 - rate) / last["at_risk"].to_numpy())[[0, -1]].sum())
    if (np.all(moves > 0) or np.all(moves < 0)) and abs(rate[-1] - rate[0]) > 3 * noise:
        way = "fell" if moves[0] < 0 else "rose"
        yield (
            TrendWarning,
            f"churn {way} in each of the last buckets, from {rate[0]:.1%} to {rate[-1]:.1%}: "
            "the band is centred on the last level, not on a continued trend.",
        )


def _money_churn(table: CohortTable) -> Iterator[Note]:
    total = table.frame[["at_risk", "churned", "opening", "churned_amount", "churned_sq", "opening_sq"]].sum()
    if total["opening"] <= 0 or total["at_risk"] <= 0:
        return
    logo, money = total["churned"] / total["at_risk"], total["churned_amount"] / total["opening"]
    noise = np.sqrt(logo * (1 - logo) * total["opening_sq"]) / total["opening"]
    if abs(money - logo) > max(0.005, 2 * noise):
        who = "large" if money > logo else "small"
        yield (
            MoneyChurnWarning,
            f"money churn is {money:.2%} and logo churn {logo:.2%} a {table.period}: {who} accounts leave more. "
            "Values use the money hazard, logo measures the logo hazard.",
        )
