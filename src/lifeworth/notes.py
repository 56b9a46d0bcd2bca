"""What a reader of a fit must be told about its table, each as a warning with a name."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from lifeworth.effects import periods_of
from lifeworth.errors import (
    LifeworthWarning,
    MoneyChurnWarning,
    NoRenewalWarning,
    ShortHistoryWarning,
    TrendWarning,
)
from lifeworth.ledger import TERM_COLUMN, CohortTable

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
    yield from _no_renewal(table)
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
            "the band is centred on a trend that soon dies away, not on one that lasts.",
        )


def _no_renewal(table: CohortTable) -> Iterator[Note]:
    """Contracts of which no renewal was seen: a low churn before it says nothing of the churn at it."""
    if table.months_per_period == 12 and not (table.frame["tenure"] == 0).any():
        yield NoRenewalWarning, "no account has reached its first renewal: the churn of a first year is not known."
    if TERM_COLUMN not in table.by:
        return
    for label, cells in table.frame.groupby(table.frame[TERM_COLUMN].astype(str)):
        periods = periods_of(str(label), table.months_per_period)
        if periods > 1 and not ((cells["tenure"] + 1) % periods == 0)[cells["at_risk"] > 0].any():
            yield (
                NoRenewalWarning,
                f"no account on a term of {label} months has reached a renewal: what left before it is not the churn "
                "at a renewal, which is mostly prior.",
            )


def _money_churn(table: CohortTable) -> Iterator[Note]:
    """Whether money leaves faster or slower than accounts do inside the segments; their mix does not count."""
    sums = ["at_risk", "churned", "opening", "churned_amount", "opening_sq"]
    frame = table.frame[table.frame["at_risk"] > 0]
    every = frame.groupby(list(table.by))[sums].sum() if table.by else frame[sums].sum().to_frame().T
    total = every.sum()
    if total["opening"] <= 0:
        return
    rate = every["churned"] / every["at_risk"]
    money, logo = total["churned_amount"] / total["opening"], (rate * every["opening"]).sum() / total["opening"]
    noise = np.sqrt((rate * (1 - rate) * every["opening_sq"]).sum()) / total["opening"]
    if abs(money - logo) > max(0.005, 2 * noise):
        who = "large" if money > logo else "small"
        where = "inside the segments " if table.by else ""
        yield (
            MoneyChurnWarning,
            f"{where}{who} accounts leave more: money churn is {money:.2%} a {table.period}, and {logo:.2%} if "
            "accounts of all sizes left alike. Values use the money hazard, logo measures the logo hazard.",
        )
