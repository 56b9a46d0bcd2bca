"""A ledger of transactions: dated amounts of customers who come and go without notice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import narwhals.stable.v2 as nw

from lifeworth.errors import DataError, DefinitionError
from lifeworth.ledger.checks import Check, Rule, collect, raise_errors, run_rules, settle
from lifeworth.ledger.columns import SCALE, as_date
from lifeworth.ledger.joins import join_source
from lifeworth.ledger.lives import NONE_LABEL, segment_names
from lifeworth.ledger.months import cohort_label_expr, months_in
from lifeworth.ledger.purchase_activity import activity, chosen_calendar, last_gaps
from lifeworth.ledger.purchase_days import copies, customers, purchase_days, refund_checks, transaction_rules
from lifeworth.ledger.purchase_table import TAKEN, Layout, PurchaseTable, aggregate_purchases, histories, recount
from lifeworth.ledger.read import Optional, Relation, core_rows, find_currency
from lifeworth.ledger.sources import Lazy, Source, column_names, open_source, require
from lifeworth.ledger.spells import totals


@dataclass(frozen=True, eq=False)
class TransactionLedger:
    """Transactions of customers without a contract, on an engine, checked when `Ledger.from_transactions` reads them.

    Rules, each counted in `checks`:

    - All transactions of a customer on one day are one purchase, of their summed amount. A zero amount is a purchase.
    - A negative amount is a refund, never a purchase. It is taken off the customer's last purchase on or before its
      day; a purchase given back in full stays a purchase, for the customer was there. A refund before any purchase is
      left out, with a warning.
    - The first purchase is not a repeat: frequency counts the later ones, and spend is the mean of these, net of
      refunds. Customers without a repeat, or whose repeats net of refunds are not above 0, tell nothing of spend.
    - Rows dated after `as_of` are left out. The source must begin at each customer's first purchase.

    A segment is that of the first purchase (of several on that day the first in the alphabet).

    Attributes
    ----------
    as_of : date
        The last day observed.
    currency : str or None
        Three letters.
    segments : tuple of str
        Columns that `purchase_table` takes in `by`.
    checks : tuple of Check
        What was found on reading.
    """

    as_of: date
    currency: str | None
    segments: tuple[str, ...]
    checks: tuple[Check, ...] = field(repr=False)
    _source: Source = field(repr=False)

    def join(self, source: object, *, on: str) -> TransactionLedger:
        """Add the columns of another source by a key, in the engine; as `Ledger.join`."""
        own, added, checks = join_source(self._source, source, on, self.segments)
        return replace(self, _source=own, segments=(*self.segments, *added), checks=(*self.checks, *settle(checks)))

    def purchase_table(
        self,
        *,
        grid: str = "day",
        cohort: str = "quarter",
        by: Sequence[str] = (),
        as_of: object = None,
        calendar: str | None = None,
    ) -> PurchaseTable:
        """Aggregate to distinct histories with their customers, in the engine; recounted against the ledger.

        Parameters
        ----------
        grid : {"day", "week"}
            Steps in which recency and age are counted. "day" is exact; "week" rounds both to the nearest week, recency
            to at least one, and has fewer rows. Purchases are counted by day in either.
        cohort : {"month", "quarter", "year"}
            Groups first purchases.
        by : sequence of str
            Segment columns.
        as_of : date or str, optional
            An earlier day than the ledger's: the table as it was known then, with what its customers did from then
            to the ledger's `as_of` in `later_purchases` and `later_amount`, for a holdout.
        calendar : {"week", "4 weeks", "quarter", "year"}, optional
            Buckets of 7, 28, 91 or 365 days, counted from `as_of`, by which repeat purchases are followed over time.
            None takes 4 weeks up to three years of history, quarters up to twelve, then years.

        Returns
        -------
        PurchaseTable

        Raises
        ------
        DataError
            Nobody had bought by `as_of`, or it lies after the ledger's.
        """
        layout = self._layout(grid, cohort, by, as_of)
        frame, spend = aggregate_purchases(self._source.frame, layout)
        if frame.empty:
            raise DataError(f"nobody had bought by {layout.as_of}. Move as_of.")
        checks = self._table_checks(layout)
        days = purchase_days(self._source.frame, layout.as_of).filter(nw.col("lw_on") > 0)
        total = (nw.col("lw_gross") + nw.col("lw_refund")).sum().cast(nw.Int64)
        found = collect(days.select(total=total, people=nw.col("lw_id").n_unique().cast(nw.Int64)))[0]
        recount(frame, found["people"], found["total"])
        calendar = calendar or chosen_calendar(int(frame["age"].max()) * layout.days)
        return PurchaseTable(
            frame=frame,
            spend=spend,
            activity=activity(self._source.frame, layout.as_of, layout.until, calendar, layout.by),
            gaps=last_gaps(self._source.frame, layout.as_of),
            calendar=calendar,
            grid=grid,
            cohort_by=cohort,
            by=layout.by,
            as_of=layout.as_of,
            until=layout.until,
            currency=self.currency,
            checks=(*self.checks, *settle(checks)),
        )

    def customers(
        self, *, grid: str = "day", cohort: str = "quarter", by: Sequence[str] = (), as_of: object = None
    ) -> Lazy:
        """List the customers who had bought by `as_of`, still in the engine; arguments as in `purchase_table`.

        Columns: customer_id, cohort, the segments, frequency, recency and age (steps of `grid`), spend (mean net spend
        per repeat purchase, 0 for who has none that net of refunds is above 0).
        """
        layout = self._layout(grid, cohort, by, as_of)
        people, months = histories(self._source.frame, layout), months_in(layout.cohort, what="cohort")
        frequency, net = nw.col("lw_frequency"), nw.col("lw_net").cast(nw.Float64) / SCALE
        paid = (frequency > 0) & (nw.col("lw_net") > 0)
        return people.select(
            customer_id=nw.col("lw_id"),
            cohort=cohort_label_expr(nw.col("lw_cohort"), months=months),
            **{name: nw.col(seg) for name, seg in zip(layout.by, segment_names(layout.by), strict=True)},
            frequency=frequency,
            recency=nw.col("lw_recency"),
            age=nw.col("lw_age"),
            spend=nw.when(paid).then(net / nw.when(paid).then(frequency).otherwise(nw.lit(1))).otherwise(nw.lit(0.0)),
        )

    def beside(self, frame: object) -> Lazy:
        """Bring a small frame to the ledger's engine, to be joined there."""
        return open_source(frame, beside=self._source).frame

    def _layout(self, grid: str, cohort: str, by: Sequence[str], as_of: object) -> Layout:
        names = (by,) if isinstance(by, str) else tuple(by)
        require(self.segments, names, what="by=")
        taken = sorted(TAKEN & set(names)) or [n for n in names if names.count(n) > 1]
        if taken:
            raise DefinitionError(f"by={taken[0]!r} is a column of the table itself. Rename it in the source.")
        day = self.as_of if as_of is None else as_date(as_of, what="as_of")
        if day > self.as_of:
            raise DataError(f"as_of={day} lies after the ledger's, {self.as_of}. Read the ledger at a later day.")
        layout = Layout(day, self.as_of if day < self.as_of else None, grid, cohort, names)
        assert layout.days
        return layout

    def _table_checks(self, layout: Layout) -> tuple[Check, ...]:
        """Count customers whose repeats were given back, who change segment, or have none."""
        people = customers(self._source.frame, layout.as_of, layout.by)
        unpaid = (nw.col("lw_frequency") > 0) & (nw.col("lw_net") <= 0)
        text = "{rows} customers have repeat purchases of no money, net of refunds, and no row in `spend`"
        rules = [Rule("spend_not_positive", "note", unpaid, text)]
        for seg, name in zip(segment_names(layout.by), layout.by, strict=True):
            moved, none = nw.col(f"{seg}_moved") > 0, nw.col(seg) == NONE_LABEL
            changed = f"{{rows}} customers change {name!r}; that of their first purchase was used"
            missing = f"{{rows}} customers have no {name!r}; they are in the segment {NONE_LABEL!r}"
            rules += [
                Rule("segment_changed", "warning", moved, changed),
                Rule("segment_missing", "note", none, missing),
            ]
        return run_rules(people, rules)


def read_transactions(
    source: object, as_of: object, columns: Mapping[str, str] | None, currency: str | None
) -> TransactionLedger:
    """Read and check transactions; `Ledger.from_transactions` comes through here."""
    opened, day = open_source(source), as_date(as_of, what="as_of")
    own = opened.frame.collect_schema().names()
    found = column_names(("customer_id", "date", "amount"), columns, own)
    names = {"id": found["customer_id"], "start": found["date"], "amount": found["amount"]}
    rows, zones = core_rows(opened.frame, names, Optional(currency=currency))
    checks = (*run_rules(rows, transaction_rules(day)), *totals(rows), *zones)
    code, mixed = find_currency(rows, own, currency)
    raise_errors((*checks, *mixed))
    _refuse_nobody(rows, day)
    kept = rows.drop("lw_unreadable")
    relation = Relation(
        replace(opened, frame=kept), tuple(own), code, (*checks, *mixed, *copies(rows, own), *refund_checks(kept, day))
    )
    return TransactionLedger(
        as_of=day,
        currency=relation.currency,
        segments=relation.segments,
        checks=settle(relation.checks, stacklevel=4),
        _source=relation.source,
    )


def _refuse_nobody(rows: Lazy, as_of: date) -> None:
    bought = rows.filter((as_of >= nw.col("lw_start")) & (nw.col("lw_money") >= 0))
    if not collect(bought.select(n=nw.len()))[0]["n"]:
        raise DataError(f"nobody had bought by {as_of}. Move as_of, or look at the signs of the amounts.")
