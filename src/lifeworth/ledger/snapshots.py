"""Snapshots: one row per customer and date of a regular grid, in force until the next date."""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from datetime import date

import narwhals.stable.v2 as nw

from lifeworth.errors import DataError
from lifeworth.ledger.checks import collect, name_customers, raise_errors, run_rules
from lifeworth.ledger.months import is_month_end, months_in
from lifeworth.ledger.read import Optional, Relation, core_rows, finish
from lifeworth.ledger.sources import Lazy, Source, column_names
from lifeworth.ledger.spells import row_rules, totals


def read_snapshots(
    source: Source,
    as_of: date,
    columns: Mapping[str, str] | None,
    optional: Optional,
    *,
    every: str,
    bridge_gap_days: int,
) -> Relation:
    """Read snapshots into spells from one grid date to the next; those of the last are in force."""
    step = months_in(every, what="every")
    own = source.frame.collect_schema().names()
    found = column_names(("customer_id", "period", "amount"), columns, own)
    names = {"id": found["customer_id"], "start": found["period"], "amount": found["amount"]}
    rows, zones = core_rows(source.frame, names, optional)
    checks = (*run_rules(rows, row_rules(as_of)), *totals(rows), *zones)
    raise_errors(checks)
    _refuse_twice(rows)
    grid = rows.select("lw_start").unique()
    _check_grid([row["lw_start"] for row in collect(grid.sort("lw_start"))], step, every, as_of)
    after = nw.col("lw_start").shift(-1).over(order_by="lw_start")
    spells = rows.drop("lw_end", "lw_unreadable").join(grid.with_columns(lw_end=after), on="lw_start", how="left")
    return finish(source, spells, own, as_of, checks, optional, bridge_gap_days)


def _refuse_twice(rows: Lazy) -> None:
    twice = rows.group_by("lw_id", "lw_start").agg(lw_rows=nw.len()).filter(nw.col("lw_rows") > 1)
    n = collect(twice.select(n=nw.len()))[0]["n"]
    if n:
        raise DataError(
            f"{n:,} snapshots of a customer are given more than once (customers "
            f"{', '.join(name_customers(twice))}). Sum a customer's plans first, or use from_spells."
        )


def _check_grid(days: list[date], step: int, every: str, as_of: date) -> None:
    """Refuse snapshots off the grid of the first, a hole in it, and a last one that does not cover as_of."""
    ends = all(is_month_end(day) for day in days)
    anchor = max(days, key=lambda day: (sum(day.day == other.day for other in days), day.day)).day
    first = days[0].year * 12 + days[0].month - 1

    def on_grid(k: int) -> date:
        year, month = divmod(first + k * step, 12)
        length = calendar.monthrange(year, month + 1)[1]
        return date(year, month + 1, length if ends else min(anchor, length))

    last = days[-1].year * 12 + days[-1].month - 1
    expected = [on_grid(k) for k in range((last - first) // step + 1)]
    odd, holes = sorted(set(days) - set(expected)), sorted(set(expected) - set(days))
    if odd:
        shown = ", ".join(day.isoformat() for day in odd[:5])
        raise DataError(
            f"{len(odd)} snapshot dates are not one {every} apart from {expected[0]}: {shown}. "
            "Set every=, or give each snapshot the same day of its month."
        )
    if holes:
        shown = ", ".join(day.isoformat() for day in holes[:5])
        raise DataError(
            f"{len(holes)} snapshots are missing: {shown}. "
            "Load them; without them everybody would seem to leave and return."
        )
    if as_of >= on_grid(len(expected)):
        raise DataError(
            f"the last snapshot, {days[-1]}, does not cover as_of {as_of}: stale by at least a {every}. "
            "Load the newer snapshots, or move as_of back."
        )
