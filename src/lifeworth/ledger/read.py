"""Reading a source into rows of the core columns (`lw_...`), and spells into a checked relation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

import narwhals.stable.v2 as nw

from lifeworth.errors import DataError
from lifeworth.ledger.checks import Check, raise_errors, run_rules
from lifeworth.ledger.columns import read_date, to_money, zone_check
from lifeworth.ledger.sources import Lazy, Source, column_names, require
from lifeworth.ledger.spells import between_rows, currencies, late_acquired, row_rules, totals


@dataclass(frozen=True)
class Optional:
    """The optional columns a caller named."""

    acquired: str | None = None
    cause: str | None = None
    term_months: str | int | None = None
    currency: str | None = None

    def columns(self) -> list[str]:
        """List those that must be columns of the source."""
        term = self.term_months if isinstance(self.term_months, str) else None
        return [name for name in (self.acquired, self.cause, term) if name is not None]


@dataclass(frozen=True)
class Relation:
    """Rows with the core columns beside the source's own, and what was found on the way."""

    source: Source
    segments: tuple[str, ...]
    currency: str | None
    checks: tuple[Check, ...]


def core_rows(
    frame: Lazy, names: Mapping[str, str], optional: Optional, *, inclusive: bool = False
) -> tuple[Lazy, tuple[Check, ...]]:
    """Cast once at the door: dates, exact money, labels; `names` maps id, start, [end,] amount."""
    own = frame.collect_schema().names()
    require(own, optional.columns(), what="source")
    dates = {key: read_date(frame, names[key]) for key in ("start", "end") if key in names}
    if optional.acquired is not None:
        dates["acquired"] = read_date(frame, optional.acquired)
    unreadable = nw.any_horizontal(*(d.unreadable for d in dates.values()), ignore_nulls=True)
    none = nw.lit(None)
    end = dates["end"].value if "end" in dates else none.cast(nw.Date)
    term = optional.term_months
    rows = frame.select(
        *own,
        lw_id=nw.col(names["id"]),
        lw_start=dates["start"].value,
        lw_end=end.dt.offset_by("1d").cast(nw.Date) if inclusive else end,
        lw_amount=_amount(frame, names["amount"]),
        lw_acquired=dates["acquired"].value if "acquired" in dates else none.cast(nw.Date),
        lw_cause=nw.col(optional.cause).cast(nw.String) if optional.cause else none.cast(nw.String),
        lw_term=(nw.col(term) if isinstance(term, str) else nw.lit(term)).cast(nw.Int64),
        lw_unreadable=unreadable,
    ).with_columns(lw_money=to_money(nw.col("lw_amount")))
    return rows, zone_check({key: d.zone for key, d in dates.items()})


def _amount(frame: Lazy, name: str) -> nw.Expr:
    kind = frame.collect_schema()[name]
    if not (kind.is_numeric() or kind == nw.Unknown):
        raise DataError(f"column {name!r} is {kind}, not a number. Clean it first: one number per row.")
    return nw.col(name).cast(nw.Float64)


def find_currency(rows: Lazy, own: list[str], currency: str | None) -> tuple[str | None, tuple[Check, ...]]:
    """Read `currency` as a column if there is one, else as a three-letter code."""
    if currency is None:
        return None, ()
    if currency in own:
        return currencies(rows, currency)
    if len(currency) == 3 and currency.isalpha():
        return currency.upper(), ()
    require(own, [currency], what="currency=")
    return None, ()


def read_spells(
    source: Source,
    as_of: date,
    columns: Mapping[str, str] | None,
    optional: Optional,
    *,
    bridge_gap_days: int,
    inclusive: bool,
) -> Relation:
    """Read a source of spells and check it."""
    own = source.frame.collect_schema().names()
    found = column_names(("customer_id", "start", "end", "amount"), columns, own)
    names = {
        "id": found["customer_id"],
        "start": found["start"],
        "end": found["end"],
        "amount": found["amount"],
    }
    rows, zones = core_rows(source.frame, names, optional, inclusive=inclusive)
    checks = (*run_rules(rows, row_rules(as_of)), *totals(rows), *zones)
    currency, mixed = find_currency(rows, own, optional.currency)
    raised = (*checks, *mixed)
    pairs = between_rows(rows, as_of, bridge_gap_days=_days(bridge_gap_days), inclusive=inclusive)
    raise_errors((*raised, *pairs))
    late = late_acquired(rows, as_of) if optional.acquired is not None else ()
    kept = rows.drop("lw_unreadable")
    return Relation(replace(source, frame=kept), tuple(own), currency, (*raised, *pairs, *late))


def finish(
    source: Source,
    rows: Lazy,
    own: list[str],
    as_of: date,
    checks: tuple[Check, ...],
    optional: Optional,
    bridge: int,
) -> Relation:
    """Check rows that another reader turned into spells, and hand them over."""
    currency, mixed = find_currency(rows, own, optional.currency)
    pairs = between_rows(rows, as_of, bridge_gap_days=_days(bridge), inclusive=True)
    raise_errors((*checks, *mixed, *pairs))
    late = late_acquired(rows, as_of) if optional.acquired is not None else ()
    return Relation(replace(source, frame=rows), tuple(own), currency, (*checks, *mixed, *pairs, *late))


def _days(bridge_gap_days: int) -> int:
    if isinstance(bridge_gap_days, bool) or not isinstance(bridge_gap_days, int) or bridge_gap_days < 0:
        raise DataError(f"bridge_gap_days={bridge_gap_days!r} is not a number of days. Give 0 or more.")
    return bridge_gap_days
