"""Opening a source: a path, a frame or an engine's table becomes one lazy relation."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import narwhals.stable.v2 as nw
import pyarrow as pa

from lifeworth.errors import ColumnError, DataError

Lazy = nw.LazyFrame[Any]


@dataclass(frozen=True)
class Source:
    """A lazy relation and, where it is ours, the embedded DuckDB connection it lives on."""

    frame: Lazy
    connection: duckdb.DuckDBPyConnection | None


def open_source(source: object, *, beside: Source | None = None) -> Source:
    """Open a source on the embedded engine, or natively where it already has an engine.

    Paths and in-memory frames go to DuckDB. With `beside`, the source is opened on the engine of another one,
    so that both can be joined.
    """
    if beside is not None and beside.connection is None:
        return Source(_open_on(source, beside.frame), None)
    connection = beside.connection if beside is not None else duckdb.connect()
    assert connection is not None
    if isinstance(source, str | Path):
        return Source(nw.from_native(_read_file(connection, source)), connection)
    if isinstance(source, pa.Table):
        return Source(nw.from_native(connection.from_arrow(source)), connection)
    frame = _narwhal(source)
    if isinstance(frame, nw.DataFrame):
        return Source(nw.from_native(connection.from_arrow(_to_arrow(frame))), connection)
    if beside is not None:
        arrow = frame.collect(backend="pyarrow").to_native()
        return Source(nw.from_native(connection.from_arrow(arrow)), connection)
    return Source(frame, None)


def _open_on(source: object, other: Lazy) -> Lazy:
    engine = other.implementation
    if isinstance(source, str | Path):
        scan = nw.scan_csv if _is_csv(source) else nw.scan_parquet
        return scan(str(source), backend=engine)
    frame = _narwhal(source)
    if isinstance(frame, nw.DataFrame):
        return frame.lazy(backend=engine)
    if frame.implementation != engine:
        raise DataError(
            f"the ledger lives on {engine.name.lower()}, the source on {frame.implementation.name.lower()}. "
            "Hand in a table of the ledger's engine, or an in-memory frame."
        )
    return frame


def _is_csv(path: str | Path) -> bool:
    return str(path).lower().endswith((".csv", ".csv.gz", ".tsv", ".txt"))


def _read_file(connection: duckdb.DuckDBPyConnection, path: str | Path) -> duckdb.DuckDBPyRelation:
    try:
        if _is_csv(path):
            return connection.read_csv(str(path))
        return connection.read_parquet(str(path))
    except duckdb.Error as error:
        kind = "CSV" if _is_csv(path) else "Parquet"
        raise DataError(f"{path} cannot be read as {kind}: {error}") from error


def _narwhal(source: object) -> Lazy | nw.DataFrame[Any]:
    if isinstance(source, nw.LazyFrame | nw.DataFrame):
        return source
    try:
        return nw.from_native(source)
    except TypeError as error:
        raise DataError(
            f"a {type(source).__name__} is not a source. Hand in a path, a frame or an engine's table."
        ) from error


def _to_arrow(frame: nw.DataFrame[Any]) -> pa.Table:
    try:
        table = frame.to_arrow()
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DataError(f"the frame holds a column of mixed types: {error}") from error
    return _utc(table)


def _utc(table: pa.Table) -> pa.Table:
    """Turn instants with a time zone into their UTC wall time, so no engine setting can move a date."""
    for i, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type) and field.type.tz is not None:
            naive = table.column(i).cast(pa.timestamp("us", "UTC"), safe=False).cast(pa.timestamp("us"))
            marked = field.with_type(pa.timestamp("us"))
            table = table.set_column(i, marked, naive)
    return table


def require(available: Iterable[str], wanted: Iterable[str], *, what: str) -> None:
    """Refuse columns that are not there, naming the nearest ones that are."""
    names = list(available)
    for name in wanted:
        if name not in names:
            near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ColumnError(f"{what}: no column {name!r}.{hint} The source has: {', '.join(names)}.")


def column_names(
    wanted: tuple[str, ...], columns: Mapping[str, str] | None, available: Iterable[str]
) -> dict[str, str]:
    """Map our column names to the source's, refusing unknown keys and absent columns."""
    given = dict(columns or {})
    require(wanted, given, what="columns=")
    names = {ours: given.get(ours, ours) for ours in wanted}
    require(available, names.values(), what="source")
    return names
