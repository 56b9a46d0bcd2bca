"""Ledger: a validated relation on an engine, and the way from it to a cohort table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import narwhals.stable.v2 as nw

from lifeworth.errors import DataError, DefinitionError
from lifeworth.ledger.checks import Check, collect, settle
from lifeworth.ledger.columns import SCALE, as_date
from lifeworth.ledger.expanded import EXPANDED_COLUMN
from lifeworth.ledger.joins import join_source
from lifeworth.ledger.lives import Grid, last_levels, segment_names
from lifeworth.ledger.moments import REACTIVATED, aggregate, causes_of
from lifeworth.ledger.months import cohort_label_expr, months_in
from lifeworth.ledger.movements import read_movements
from lifeworth.ledger.read import Optional, Relation, read_spells
from lifeworth.ledger.reports import table_checks
from lifeworth.ledger.snapshots import read_snapshots
from lifeworth.ledger.sources import Lazy, Source, open_source, require
from lifeworth.ledger.spells import TERM_COLUMN, in_force_at, long_terms
from lifeworth.ledger.table import RESERVED, CohortTable
from lifeworth.ledger.transactions import TransactionLedger, read_transactions


@dataclass(frozen=True, eq=False)
class Ledger:
    """Spells of customers on an engine, checked at construction; no customer row leaves the engine.

    One row is one spell: `customer_id, start, end` (exclusive; null = active), `amount` of recurring revenue
    per `amount_per`, and any segment columns. The engine is DuckDB for paths and in-memory frames, otherwise
    the one the table lives on.

    Errors (all listed in one DataError): no row; customer_id, start or amount missing; a date that cannot be
    read; end before start; an amount negative, not finite, or too large to add exactly; exact duplicate rows;
    mixed currencies. Warnings: `acquired` after the first start (the start is used); ends that look inclusive
    (over 90% of consecutive spells leave a gap of one day: pass `end_inclusive=True`); a segment that changes
    during a life (its value at acquisition holds).

    Notes, kept in `checks`: overlapping spells sum; gaps of at most `bridge_gap_days` are bridged and longer
    ones end the life, a return is a new life in the cohort "reactivated"; zero amounts are trials, not yet
    acquired; a spell that ends on its first day was never in force; rows that start after `as_of` are left
    out, and ends after it are read as still active; timestamps with a time zone are read as their UTC date,
    other times are cut to their day; amounts are kept to 0.0001; an empty segment becomes "(none)", an empty
    cause "unknown" (of several causes on one day, the first in the alphabet); late entrants are at risk from
    their first whole tenure, and who left before it was never at risk.
    """

    as_of: date
    amount_per: str
    currency: str | None
    bridge_gap_days: int
    segments: tuple[str, ...]
    has_acquired: bool
    has_cause: bool
    checks: tuple[Check, ...] = field(repr=False)
    _source: Source = field(repr=False)

    @classmethod
    def from_spells(
        cls,
        source: object,
        *,
        as_of: object,
        amount_per: str = "month",
        columns: Mapping[str, str] | None = None,
        acquired: str | None = None,
        cause: str | None = None,
        term_months: str | int | None = None,
        bridge_gap_days: int = 0,
        currency: str | None = None,
        end_inclusive: bool = False,
    ) -> Ledger:
        """Read spells: customer_id, start, end (exclusive; null = active), amount per `amount_per`.

        Parameters
        ----------
        source : path, frame or engine's table
            A Parquet or CSV path or glob, a pandas, Polars or Arrow frame, a DuckDB relation, a Polars lazy
            frame, a Spark or ibis table.
        as_of : date or str
            The day the ledger is read at; a spell is in force if start <= as_of < end.
        amount_per : str
            "month", "quarter" or "year": what the amount is paid for. Never converted in the cells.
        columns : mapping, optional
            From our names (customer_id, start, end, amount) to the source's.
        acquired, cause : str, optional
            Columns: the true start of the first life; why a spell ended (read where it closes a life).
        term_months : str or int, optional
            Contract length, a column or a number; `cohort_table` takes "term_months" in `by`, and needs it there for
            cells shorter than a contract.
        bridge_gap_days : int
            A gap of at most this many days does not end a life.
        currency : str, optional
            A column (one currency only), or the three-letter code itself.
        end_inclusive : bool
            Ends name the last day in force: one day is added.
        """
        optional = Optional(acquired=acquired, cause=cause, term_months=term_months, currency=currency)
        day = as_date(as_of, what="as_of")
        read = read_spells(
            open_source(source),
            day,
            columns,
            optional,
            bridge_gap_days=bridge_gap_days,
            inclusive=end_inclusive,
        )
        return cls._of(read, day, amount_per, bridge_gap_days, optional=optional)

    @classmethod
    def from_snapshots(
        cls,
        source: object,
        *,
        as_of: object,
        every: str = "month",
        amount_per: str = "month",
        columns: Mapping[str, str] | None = None,
        acquired: str | None = None,
        bridge_gap_days: int = 0,
        currency: str | None = None,
    ) -> Ledger:
        """Read snapshots: one row per customer and snapshot, (customer_id, period, amount).

        A row is in force from its snapshot to the next, one `every` later; the last snapshot must cover
        `as_of`. Snapshots must lie on one grid of days without a hole, else DataError.
        """
        optional = Optional(acquired=acquired, currency=currency)
        day = as_date(as_of, what="as_of")
        read = read_snapshots(open_source(source), day, columns, optional, every=every, bridge_gap_days=bridge_gap_days)
        return cls._of(read, day, amount_per, bridge_gap_days, optional=optional)

    @classmethod
    def from_movements(
        cls,
        source: object,
        *,
        as_of: object,
        amount_per: str = "month",
        columns: Mapping[str, str] | None = None,
        strip: Sequence[str] = (),
        acquired: str | None = None,
        cause: str | None = None,
        bridge_gap_days: int = 0,
        currency: str | None = None,
    ) -> Ledger:
        """Read movements: signed changes of recurring revenue, (customer_id, date, kind, delta).

        Kinds new, expansion and reactivation are positive, contraction and churn negative, others free; the
        level may not fall below zero, and churn must leave zero. Kinds named in `strip`, such as "price", are
        taken out; churn then still sets the level to zero. On one day a churn comes before new and
        reactivation, after everything else.
        """
        optional = Optional(acquired=acquired, cause=cause, currency=currency)
        day = as_date(as_of, what="as_of")
        kinds = (strip,) if isinstance(strip, str) else tuple(strip)
        read = read_movements(open_source(source), day, columns, optional, strip=kinds, bridge_gap_days=bridge_gap_days)
        return cls._of(read, day, amount_per, bridge_gap_days, optional=optional)

    @classmethod
    def from_transactions(
        cls,
        source: object,
        *,
        as_of: object,
        columns: Mapping[str, str] | None = None,
        currency: str | None = None,
    ) -> TransactionLedger:
        """Read transactions of customers without a contract: (customer_id, date, amount).

        They have no spells: the result is a ledger of its own kind, which makes a `PurchaseTable`. Same-day
        transactions are one purchase, negative amounts refunds; `TransactionLedger` has the rules. Errors: no row;
        customer_id, date or amount missing; a date that cannot be read; an amount not finite, or too large to add
        exactly; mixed currencies. Warnings: refunds before any purchase; one row in ten an exact copy of another.

        Parameters
        ----------
        source : path, frame or engine's table
            As in `from_spells`; it must begin at each customer's first purchase.
        as_of : date or str
            The last day observed; later rows are left out.
        columns : mapping, optional
            From our names (customer_id, date, amount) to the source's.
        currency : str, optional
            A column (one currency only), or the three-letter code itself.
        """
        return read_transactions(source, as_of, columns, currency)

    @classmethod
    def _of(cls, read: Relation, as_of: date, amount_per: str, bridge_gap_days: int, *, optional: Optional) -> Ledger:
        months_in(amount_per, what="amount_per")
        return cls(
            as_of=as_of,
            amount_per=amount_per,
            currency=read.currency,
            bridge_gap_days=bridge_gap_days,
            segments=tuple(dict.fromkeys((*read.segments, *((TERM_COLUMN,) if optional.term_months else ())))),
            has_acquired=optional.acquired is not None,
            has_cause=optional.cause is not None,
            checks=settle(read.checks, stacklevel=4),
            _source=read.source,
        )

    def join(self, source: object, *, on: str) -> Ledger:
        """Add the columns of another source by a key, in the engine; rows are never multiplied.

        A key that matches more than one row is refused; customers without a match get empty fields, counted
        in a check. `on` names the key in both: "customer_id" is the ledger's, whatever its source called it.
        """
        own, added, checks = join_source(self._source, source, on, self.segments)
        return replace(self, _source=own, segments=(*self.segments, *added), checks=(*self.checks, *settle(checks)))

    def cohort_table(
        self,
        *,
        period: str = "month",
        cohort: str = "quarter",
        calendar: str = "quarter",
        by: Sequence[str] = (),
    ) -> CohortTable:
        """Aggregate the ledger into cells, in the engine; the result is recounted against the ledger.

        `period` is the length of a tenure, `cohort` groups acquisitions, `calendar` the buckets counted back
        from `as_of`; `by` names segment columns. "has_expanded" in `by` splits the cells by whether an account had
        expanded before the tenure opened ("yes", "no"): those that have get a hazard and a growth of their own, and
        accounts go over to them as they expand. Where contracts run longer than a period, `by` must hold
        "term_months": the term of a life is that of its first spell, and renewals are counted from acquisition.
        """
        grid = self._grid(period, cohort, by)
        months_in(calendar, what="calendar")
        if TERM_COLUMN not in grid.by:
            long_terms(self._rows, self.as_of, grid.period, period)
        causes = causes_of(self._rows, grid) if self.has_cause else ()
        found = aggregate(self._rows, grid, causes)
        if found.empty:
            raise DataError("no row was in force by as_of. Move as_of, or look at the notes in `ledger.checks`.")
        checks = settle(table_checks(found, self._rows, grid))
        table = CohortTable.from_steps(
            found,
            period=period,
            cohort_by=cohort,
            calendar=calendar,
            by=grid.by,
            as_of=self.as_of,
            amount_per=self.amount_per,
            currency=self.currency,
            causes=causes,
            checks=(*self.checks, *checks),
        )
        self._recount(table)
        return table

    def accounts_in_force(self, *, period: str = "month", cohort: str = "quarter", by: Sequence[str] = ()) -> Lazy:
        """List the accounts in force at `as_of`, still in the engine.

        Columns: customer_id, cohort, the segments, tenure, elapsed (months of the open tenure), amount.
        """
        grid = self._grid(period, cohort, by)
        last, months = last_levels(self._rows, grid), nw.col("lw_months")
        named = cohort_label_expr(nw.col("lw_cohort"), months=grid.cohort)
        label = nw.when(nw.col("lw_cohort") < 0).then(nw.lit(REACTIVATED)).otherwise(named)
        return last.select(
            customer_id=nw.col("lw_id"),
            cohort=label,
            **{name: nw.col(seg) for name, seg in zip(grid.by, segment_names(grid.by), strict=True)},
            tenure=months // grid.period,
            elapsed=months % grid.period,
            amount=nw.col("lw_level").cast(nw.Float64) / SCALE,
        )

    def beside(self, frame: object) -> Lazy:
        """Bring a small frame to the ledger's engine, to be joined there."""
        return open_source(frame, beside=self._source).frame

    @property
    def _rows(self) -> Lazy:
        return self._source.frame

    def _grid(self, period: str, cohort: str, by: Sequence[str]) -> Grid:
        names = (by,) if isinstance(by, str) else tuple(by)
        if EXPANDED_COLUMN in self.segments:
            raise DefinitionError(f"the source has a column {EXPANDED_COLUMN!r}, which the table makes. Rename it.")
        require((*self.segments, EXPANDED_COLUMN), names, what="by=")
        taken = sorted(RESERVED & set(names)) or [
            n for n in names if names.count(n) > 1 or n.startswith(("x_", "churned_"))
        ]
        if taken:
            raise DefinitionError(f"by={taken[0]!r} is a column of the table itself. Rename it in the source.")
        return Grid(
            as_of=self.as_of,
            period=months_in(period, what="period"),
            cohort=months_in(cohort, what="cohort"),
            by=names,
            bridge_gap_days=self.bridge_gap_days,
            has_acquired=self.has_acquired,
        )

    def _recount(self, table: CohortTable) -> None:
        """Count accounts and money in force once more, by a query that shares nothing with the cells."""
        live = in_force_at(self._rows, self.as_of)
        money = {"m": nw.col("lw_money").sum().cast(nw.Int64)}
        found: dict[str, Any] = collect(
            live.group_by("lw_id").agg(**money).select(n=nw.len(), m=nw.col("m").sum().cast(nw.Int64))
        )[0]
        accounts, amount = int(found["n"]), (found["m"] or 0) / SCALE
        have = int(table.in_force["accounts"].sum()), float(table.in_force["amount"].sum())
        if have[0] != accounts or abs(have[1] - amount) > 0.005 + 1e-12 * amount:
            raise DataError(
                f"the cells hold {have[0]:,} accounts and {have[1]:,.2f} in force, the ledger "
                f"{accounts:,} and {amount:,.2f}. "
                "This is a defect of lifeworth, not of the data: please report it."
            )
