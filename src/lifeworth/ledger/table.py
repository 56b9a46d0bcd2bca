"""CohortTable: the small frozen table of cells that everything after the ledger reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Final

import pandas as pd

from lifeworth.errors import DataError, DefinitionError
from lifeworth.ledger import identities
from lifeworth.ledger.cells import build, cut_steps
from lifeworth.ledger.checks import Check
from lifeworth.ledger.counts import (
    IN_FORCE,
    MONEY,
    SQUARES,
    counts_to_cells,
    empty_acquisitions,
    empty_in_force,
)
from lifeworth.ledger.months import months_in, shift_months
from lifeworth.ledger.triangle import Triangle, known, triangle

_COUNTS: Final = ("at_risk", "churned", "expanded", "contracted", "turned", "late_entered", "accounts", "lost_accounts")
_KEYS: Final = ("cohort", "tenure", "bucket", "bucket_end", "months", "elapsed", "measure", "kind", "method")
RESERVED: Final = frozenset((*_KEYS, *_COUNTS, *MONEY, *SQUARES, *IN_FORCE, "lost_amount", "turned_amount"))


@dataclass(frozen=True, eq=False)
class CohortTable:
    """Cells of a ledger: what was at risk, what left and what moved, per cohort, segment, tenure and bucket.

    Money is unscaled, in the ledger's `amount_per` units; yearly amounts are never divided by 12.
    A tenure is in `frame` only once its scheduled end is on or before `as_of`; accounts in a tenure still
    open are in `in_force`. Both identities are checked at construction, to the cent.

    Attributes
    ----------
    frame : DataFrame
        One row per cohort x segments x tenure x bucket (0 the last, -1 the one before ...; `bucket_end` its
        last day): accounts `at_risk, churned, churned_<cause>, expanded, contracted, late_entered`; money
        `opening, churned_amount, expansion, contraction, closing, late_entries`; sums of squares
        `opening_sq, churned_sq, expansion_sq, contraction_sq`. `late_entries` are part of `opening`. Where
        "has_expanded" is in `by`: `turned` and `turned_amount`, the accounts that expanded for the first time
        and what they pay at the closing; they are late entries of the other state.
    in_force : DataFrame
        One row per cohort x segments x tenure x elapsed (completed months of the open tenure): `accounts,
        amount, amount_sq`, and what they come from: amount = opening + new + late_entries + change -
        lost_amount. `accounts` sums to the customers in force at `as_of`.
    acquisitions : DataFrame
        One row per cohort x segments x months (completed since acquisition): accounts seen from their first
        day, and the amount they began with.
    steps : DataFrame, optional
        The engine's aggregate all frames are rebuilt from (`cut`); a table of counts has none.
    """

    frame: pd.DataFrame
    in_force: pd.DataFrame
    acquisitions: pd.DataFrame
    period: str
    cohort_by: str
    calendar: str
    by: tuple[str, ...]
    as_of: date | None
    amount_per: str
    currency: str | None = None
    causes: tuple[str, ...] = ()
    has_money: bool = True
    has_calendar: bool = True
    checks: tuple[Check, ...] = field(default=(), repr=False)
    steps: pd.DataFrame | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not self.has_money:
            return
        keys = ["cohort", *self.by]
        identities.check_closing(self.frame, [*keys, "tenure", "bucket"])
        identities.check_in_force(self.in_force, [*keys, "tenure", "elapsed"])
        identities.check_chain(self.frame, self.in_force, keys)

    @property
    def months_per_period(self) -> int:
        """Months in a tenure."""
        return months_in(self.period, what="period")

    @property
    def months_per_bucket(self) -> int:
        """Months in a calendar bucket."""
        return months_in(self.calendar, what="calendar")

    @property
    def fingerprint(self) -> str:
        """Hash of the table's content: columns, values, definitions; checks are not part of it."""
        named = ("period", "cohort_by", "calendar", "by", "as_of", "amount_per", "currency", "causes")
        metadata = {name: getattr(self, name) for name in (*named, "has_money", "has_calendar")}
        frames = {"frame": self.frame, "in_force": self.in_force, "acquisitions": self.acquisitions}
        return identities.digest(frames, metadata)

    @classmethod
    def from_counts(cls, frame: pd.DataFrame, *, period: str) -> CohortTable:
        """Take a published table: cohort, [segment columns,] tenure (from 0), at_risk, churned.

        No calendar and no money: every bucket is 0, money is zero, `in_force` is empty. Refused: churned
        above at_risk, at_risk that rises with tenure, a cell given twice, anything but whole counts.
        """
        months_in(period, what="period")
        cells, by = counts_to_cells(frame)
        keys = ["cohort", *by]
        cells.insert(len(keys) + 2, "bucket_end", pd.Series(pd.NaT, index=cells.index, dtype="datetime64[s]"))
        return cls(
            frame=cells,
            in_force=empty_in_force(keys),
            acquisitions=empty_acquisitions(keys),
            period=period,
            cohort_by="given",
            calendar=period,
            by=by,
            as_of=None,
            amount_per=period,
            has_money=False,
            has_calendar=False,
        )

    @classmethod
    def from_steps(
        cls,
        steps: pd.DataFrame,
        *,
        period: str,
        cohort_by: str,
        calendar: str,
        by: tuple[str, ...],
        as_of: date,
        amount_per: str,
        currency: str | None = None,
        causes: tuple[str, ...] = (),
        checks: tuple[Check, ...] = (),
    ) -> CohortTable:
        """Build the frames from the engine's aggregate of steps; a ledger and `cut` come through here."""
        bucket = months_in(calendar, what="calendar")
        made = build(steps, by=by, causes=causes, period=months_in(period, what="period"), bucket=bucket)
        cells = made.cells
        ends = {b: pd.Timestamp(shift_months(as_of, int(b) * bucket)) for b in cells["bucket"].unique()}
        when = cells["bucket"].map(ends).astype("datetime64[s]")
        cells.insert(list(cells.columns).index("bucket") + 1, "bucket_end", when)
        return cls(
            frame=cells,
            in_force=made.in_force,
            acquisitions=made.acquisitions,
            period=period,
            cohort_by=cohort_by,
            calendar=calendar,
            by=by,
            as_of=as_of,
            amount_per=amount_per,
            currency=currency,
            causes=causes,
            checks=checks,
            steps=steps,
        )

    def cut(self, buckets: int) -> CohortTable:
        """Give the table as it stood `buckets` calendar buckets before `as_of`.

        `frame` and `acquisitions` equal those of a ledger built at that date. What happened inside a tenure
        that was open then cannot be told by date, so `in_force` stands as at the opening of each account's
        open tenure: a change or loss inside it is not shown yet, nor is a late entry. A gap open then
        and bridged later stays bridged: that is known in hindsight only. A month end is cut to a month end.
        """
        if self.steps is None or self.as_of is None:
            raise DataError("a table of counts has no calendar to cut. Build it from a ledger.")
        if buckets < 0:
            raise DefinitionError(f"cut({buckets}) would look ahead. Give a number of buckets of at least 0.")
        if not buckets:
            return self
        months = buckets * self.months_per_bucket
        steps = cut_steps(self.steps, months, self.months_per_period)
        if steps.empty:
            raise DataError(f"nothing was acquired {buckets} buckets before {self.as_of}. Cut fewer.")
        return CohortTable.from_steps(
            steps,
            period=self.period,
            cohort_by=self.cohort_by,
            calendar=self.calendar,
            by=self.by,
            as_of=shift_months(self.as_of, -months),
            amount_per=self.amount_per,
            currency=self.currency,
            causes=self.causes,
            checks=self.checks,
        )

    def triangle(self, kind: Triangle) -> pd.DataFrame:
        """Lay the table out with cohorts down and tenures across, over all segments.

        "retention": share of accounts left after k tenures (column 0 is 1), the product of 1 -
        churned/at_risk, so that late entrants and ages inside a cohort count where they were observed; blank
        from the first tenure nobody of the cohort was observed in. "nrr": the same product of money.
        "revenue": money at the opening of tenure k, late entrants included; "cumulative": what was collected
        in tenures 0..k, opening x period / amount_per. Both are blank unless the whole cohort has completed
        tenure k, so that a column compares like with like, and before the first tenure observed.
        Money needs the steps of a ledger: a table of counts has "retention" only.
        """
        known(kind)
        complete = None
        if self.has_money and self.steps is not None:
            entered = self.steps[self.steps["x_entered_n"] > 0]
            complete = entered.groupby("cohort", sort=True)["months"].min() // self.months_per_period
        per = self.months_per_period / months_in(self.amount_per, what="amount_per")
        return triangle(self.frame, kind, complete=complete, payments_per_period=per)
