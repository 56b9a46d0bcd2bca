"""PurchaseTable: the distinct purchase histories of a ledger of transactions, with the customers behind each."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from lifeworth._ops import Array
from lifeworth.errors import DataError, DefinitionError
from lifeworth.ledger import identities
from lifeworth.ledger.checks import Check
from lifeworth.ledger.columns import SCALE
from lifeworth.ledger.lives import segment_names
from lifeworth.ledger.months import cohort_index, cohort_label, months_in
from lifeworth.ledger.purchase_activity import bucket_days
from lifeworth.ledger.purchase_days import customers, later
from lifeworth.ledger.sources import Lazy
from lifeworth.purchases import DAYS_PER_YEAR, History, Spend

GRIDS: Final[dict[str, int]] = {"day": 1, "week": 7}
SPEND_STEP: Final = 0.01
"""Width of the bins of mean spend, in logarithms."""

_WHOLE: Final = ("frequency", "recency", "age", "customers")
_MONEY: Final = ("first_spend", "repeat_spend", "refunds", "first_refunds", "spend")
_LATER: Final = ("later_purchases", "later_amount")
FRAMES: Final = ("frame", "spend", "activity", "gaps")
"""The frames of a purchase table."""
_NAMED: Final = ("grid", "cohort_by", "by", "as_of", "calendar", "until", "currency")
_SCORED: Final = ("customer_id", "p_alive", "purchases_12_months", "residual")
TAKEN: Final = frozenset((*_WHOLE, *_MONEY, *_LATER, *_SCORED, "cohort", "spenders", "mean", "bucket", "purchases"))


@dataclass(frozen=True)
class Layout:
    """What a purchase table is asked for."""

    as_of: date
    until: date | None
    grid: str
    cohort: str
    by: tuple[str, ...]

    @property
    def days(self) -> int:
        """Days in a step of the grid."""
        if self.grid not in GRIDS:
            raise DefinitionError(f"grid={self.grid!r} is not a grid. Use one of: {', '.join(GRIDS)}.")
        return GRIDS[self.grid]


@dataclass(frozen=True, eq=False)
class PurchaseTable:
    """Distinct histories of purchases, per cohort and segments: what the purchase models are fitted to.

    The cost of a fit depends on the distinct rows, not on the customers: no customer row leaves the engine.

    Attributes
    ----------
    frame : DataFrame
        One row per cohort x segments x frequency (repeat purchases) x recency x age (steps of `grid` since the first
        purchase): `customers`; money `first_spend` and `repeat_spend` as paid, `refunds` (at most 0) taken off both, of
        which `first_refunds` off the first purchases;
        `spenders`, those whose repeat purchases net of refunds are above 0, and `spend`, the sum of these nets.
        With `until`, also `later_purchases` (days) and `later_amount` (net of refunds), sums over the row's customers
        after `as_of` up to `until`.
    spend : DataFrame
        One row per cohort x segments x frequency x bin of mean net spend per repeat purchase: `customers`, `spend`
        (their sum of nets), `mean` = spend / (customers x frequency). Bins are 1% wide: the log likelihood of
        GammaGamma at their means differs from that of the customers by at most 1.3e-5 (p x + q) a customer, wherever
        they lie in their bin (on the 946 spenders of CDNOW 0.001 in all at the fit).
    as_of : date
        The day the histories end.
    activity : DataFrame
        One row per segments x calendar bucket (`calendar`; 0 is the last that ends at `as_of`): repeat `purchases` of
        these customers; with `until` also the whole buckets after `as_of`, from 1.
    gaps : DataFrame
        One row per length in `days` of the last two gaps between purchases together: `customers`, and `squared`, the
        sum of the squared differences of the two gaps.
    until : date or None
        The last day of what came later; None without a holdout.
    """

    frame: pd.DataFrame
    spend: pd.DataFrame
    activity: pd.DataFrame
    gaps: pd.DataFrame
    grid: str
    cohort_by: str
    by: tuple[str, ...]
    as_of: date
    calendar: str = "4 weeks"
    until: date | None = None
    currency: str | None = None
    checks: tuple[Check, ...] = field(default=(), repr=False)

    @property
    def fingerprint(self) -> str:
        """Hash of the table's content: columns, values, definitions; checks are not part of it."""
        metadata = {name: getattr(self, name) for name in _NAMED}
        return identities.digest({name: getattr(self, name) for name in FRAMES}, metadata)

    @property
    def years_per_bucket(self) -> float:
        """Length of a calendar bucket in years."""
        return bucket_days(self.calendar) / DAYS_PER_YEAR

    @property
    def buckets_per_year(self) -> int:
        """Calendar buckets in a year: 52, 13, 4 or 1."""
        return round(1 / self.years_per_bucket)

    @property
    def customers(self) -> Array:
        """Customers per row of `frame`, the weights of `history`; (n,)."""
        return self.frame["customers"].to_numpy(dtype=float)

    @property
    def history(self) -> History:
        """The rows of `frame` as the models read them, in years of 365.25 days; (n,)."""
        years = GRIDS[self.grid] / DAYS_PER_YEAR
        return History.of(self.frame["frequency"], self.frame["recency"] * years, self.frame["age"] * years)

    @property
    def spend_history(self) -> Spend:
        """The rows of `spend` as GammaGamma reads them; the weights are `spend["customers"]`; (m,)."""
        return Spend.of(self.spend["frequency"], self.spend["mean"])

    @property
    def total_spend(self) -> float:
        """All money up to `as_of`, net of refunds."""
        return float(self.frame[["first_spend", "repeat_spend", "refunds"]].sum().sum())


def aggregate_purchases(rows: Lazy, layout: Layout) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Run the passes of a table in the engine: `frame` and `spend`."""
    people = histories(rows, layout)
    segments, net = segment_names(layout.by), nw.col("lw_net")
    positive = (net > 0) & (nw.col("lw_frequency") > 0)
    sums = {
        "customers": nw.len(),
        **{name: nw.col(f"lw_{name}").sum() for name in _MONEY[:4]},
        "spenders": nw.when(positive).then(nw.lit(1)).otherwise(nw.lit(0)).sum(),
        "spend": nw.when(positive).then(net).otherwise(nw.lit(0)).sum(),
    }
    if layout.until is not None:
        sums |= {name: nw.col(f"lw_{name}").sum() for name in _LATER}
    groups = ["lw_cohort", *segments, *(f"lw_{name}" for name in _WHOLE[:3])]
    found = people.group_by(*groups).agg(*(value.cast(nw.Int64).alias(name) for name, value in sums.items()))
    paid = people.filter(positive).with_columns(
        lw_bin=((net / nw.col("lw_frequency")).log() / SPEND_STEP).floor().cast(nw.Int64)
    )
    binned = paid.group_by("lw_cohort", *segments, "lw_frequency", "lw_bin").agg(
        nw.len().cast(nw.Int64).alias("customers"), net.sum().cast(nw.Int64).alias("spend")
    )
    frame = _tidy(found, layout, _WHOLE[:3], list(sums))
    spend = _tidy(binned, layout, ("frequency", "bin"), ["customers", "spend"]).drop(columns="bin")
    mean = spend["spend"] / (spend["customers"] * spend["frequency"])
    spend.insert(len(layout.by) + 2, "mean", mean.astype(float))
    return frame, spend


def histories(rows: Lazy, layout: Layout) -> Lazy:
    """One row per customer with cohort and steps of the grid, and what each did later."""
    people, days = customers(rows, layout.as_of, layout.by), layout.days
    first = nw.col("lw_first")
    recency = (nw.col("lw_last") - first + days // 2) // days
    age = (nw.lit(layout.as_of.toordinal()) - first + days // 2) // days
    repeat = nw.col("lw_frequency") > 0
    recency = nw.when(repeat & (recency < 1)).then(nw.lit(1)).otherwise(recency).cast(nw.Int64)
    people = people.with_columns(
        lw_cohort=cohort_index(nw.col("lw_date"), months=months_in(layout.cohort, what="cohort")),
        lw_recency=recency,
        lw_age=nw.when(age < recency).then(recency).otherwise(age).cast(nw.Int64),
    )
    if layout.until is None:
        return people
    people = people.join(later(rows, layout.as_of, layout.until), on="lw_id", how="left")
    return people.with_columns(**{f"lw_{name}": nw.col(f"lw_{name}").fill_null(0) for name in _LATER})


def _tidy(found: Lazy, layout: Layout, whole: tuple[str, ...], measures: list[str]) -> pd.DataFrame:
    """Bring an aggregate out of the engine, labelled, sorted, its money in units."""
    columns: dict[str, list[Any]] = found.collect(backend="pyarrow").to_native().to_pydict()
    months = months_in(layout.cohort, what="cohort")
    cohorts = [cohort_label(c, months) for c in columns["lw_cohort"]]
    table: dict[str, Any] = {"cohort": pd.Series(cohorts, dtype="str")}
    for name, seg in zip(layout.by, segment_names(layout.by), strict=True):
        table[name] = pd.Series(columns[seg], dtype="str")
    for name in whole:
        table[name] = pd.Series(columns[f"lw_{name}"], dtype="int64")
    for name in measures:
        money = name in (*_MONEY, "later_amount")
        values = np.asarray(columns[name], dtype=np.int64)
        table[name] = pd.Series(values / SCALE if money else values)
    keys = ["cohort", *layout.by, *whole]
    return pd.DataFrame(table).sort_values(keys, kind="stable", ignore_index=True)


def recount(frame: pd.DataFrame, people: int, total: int) -> None:
    """Compare customers and money with a query that shares nothing with the table."""
    have = int(frame["customers"].sum()), float(frame[["first_spend", "repeat_spend", "refunds"]].sum().sum())
    amount = total / SCALE
    if have[0] != people or abs(have[1] - amount) > identities.CENT + 1e-12 * abs(amount):
        raise DataError(
            f"the table holds {have[0]:,} customers and {have[1]:,.2f}, the ledger {people:,} and {amount:,.2f}. "
            "This is a defect of lifeworth, not of the data: please report it."
        )
