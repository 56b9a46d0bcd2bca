"""Joining fields to a ledger by a key, in the engine, without ever multiplying a row."""

from __future__ import annotations

from dataclasses import replace

import duckdb
import narwhals.stable.v2 as nw

from lifeworth.errors import DataError
from lifeworth.ledger.checks import Check, collect, count, name_customers
from lifeworth.ledger.sources import Lazy, Source, open_source, require


def join_source(
    source: Source, other: object, on: str, segments: tuple[str, ...]
) -> tuple[Source, tuple[str, ...], tuple[Check, ...]]:
    """A ledger's source with the columns of another, the names of the new columns and what was found."""
    frame, added, checks = join_fields(source.frame, open_source(other, beside=source).frame, on, segments)
    return replace(source, frame=frame), added, checks


def join_fields(
    rows: Lazy, other: Lazy, on: str, segments: tuple[str, ...]
) -> tuple[Lazy, tuple[str, ...], tuple[Check, ...]]:
    """Left-join `other`; gives the rows, the names of the new columns and what was found."""
    names = other.collect_schema().names()
    require(names, [on], what="join, the source to join")
    if on != "customer_id":
        require(segments, [on], what="join, the ledger")
    key = "lw_id" if on == "customer_id" else on
    added = tuple(name for name in names if name != on)
    taken = [name for name in added if name in segments or name.startswith("lw_")]
    if taken:
        raise DataError(f"the ledger already has {', '.join(taken)}. Rename or leave out what is joined.")
    _refuse_twice(other, on)
    fields = other.rename({on: "lw_key"}).with_columns(lw_found=nw.lit(True))
    try:
        joined = rows.join(fields, left_on=key, right_on="lw_key", how="left")
    except duckdb.Error as error:
        raise DataError(
            f"the two sources cannot be joined on {on!r}: {error}. "
            "Hand in a relation of the ledger's own connection, with keys of the same type."
        ) from error
    extra = [c for c in joined.collect_schema().names() if c == "lw_key"]
    joined = joined.drop(*extra) if extra else joined
    checks = _unmatched(joined)
    return joined.drop("lw_found"), added, checks


def _refuse_twice(other: Lazy, on: str) -> None:
    twice = other.group_by(on).agg(lw_rows=nw.len()).filter((nw.col("lw_rows") > 1) & ~nw.col(on).is_null())
    n = collect(twice.select(n=nw.len()))[0]["n"]
    if n:
        named = ", ".join(name_customers(twice.rename({on: "lw_id"})))
        raise DataError(
            f"{n:,} keys of {on!r} match more than one row to join: {named}. "
            "Keep one row per key: a join must not multiply spells."
        )


def _unmatched(joined: Lazy) -> tuple[Check, ...]:
    missing = nw.col("lw_found").is_null()
    found = collect(joined.select(rows=count(missing)))[0]["rows"]
    if not found:
        return ()
    n = collect(joined.filter(missing).select("lw_id").unique().select(n=nw.len()))[0]["n"]
    message = f"{n:,} customers found no match; their joined fields are empty"
    return (Check("join_unmatched", "note", found, name_customers(joined, missing), message, ""),)
