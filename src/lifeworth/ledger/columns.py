"""Casting at the door: dates of any kind become dates, money becomes exact ten-thousandths."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

import narwhals.stable.v2 as nw

from lifeworth.errors import DataError
from lifeworth.ledger.checks import Check, collect, count
from lifeworth.ledger.sources import Lazy

SCALE: Final = 10_000
MAX_AMOUNT: Final = 9e11
MAX_TOTAL: Final = 9e14
MAX_SQUARES: Final = 9e22
FAR: Final = date(9999, 12, 31)

_ISO = r"^\d{4}-\d{2}-\d{2}([ T]00:00(:00(\.0+)?)?(Z|\+00(:?00)?)?)?$"


@dataclass(frozen=True)
class ReadDate:
    """A date expression, where it cannot be read, and the time zone it came with."""

    value: nw.Expr
    unreadable: nw.Expr
    zone: str | None = None


def as_date(value: object, *, what: str) -> date:
    """Read a date argument: a date, a timestamp or YYYY-MM-DD."""
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError as error:
        raise DataError(f"{what}={value!r} is not a date. Write it as YYYY-MM-DD.") from error


def read_date(frame: Lazy, name: str) -> ReadDate:
    """Read a column of dates, timestamps (with a zone: their UTC date) or ISO text."""
    column, kind = nw.col(name), frame.collect_schema()[name]
    fine = nw.lit(False)
    if kind == nw.Date:
        return ReadDate(column, fine)
    if isinstance(kind, nw.Datetime):
        if kind.time_zone is None:
            return ReadDate(column.cast(nw.Date), fine)
        return ReadDate(_utc_date(frame, column), fine, kind.time_zone)
    if kind in {nw.String, nw.Categorical} or isinstance(kind, nw.Enum):
        return _from_text(column.cast(nw.String))
    if kind == nw.Unknown:  # a column of nulls only
        return ReadDate(column.cast(nw.Date), fine)
    if not collect(frame.select(n=count(~column.is_null())))[0]["n"]:
        return ReadDate(nw.lit(None).cast(nw.Date), fine)  # an empty column has whatever type its reader chose
    raise DataError(f"column {name!r} is {kind}, not a date. Hand in dates, timestamps or YYYY-MM-DD text.")


def _utc_date(frame: Lazy, column: nw.Expr) -> nw.Expr:
    if frame.implementation.is_duckdb():  # a cast would use the connection's zone
        since = column - nw.lit(datetime(1970, 1, 1, tzinfo=UTC))
        return (nw.lit(datetime(1970, 1, 1)) + since).cast(nw.Date)
    return column.dt.convert_time_zone("UTC").dt.replace_time_zone(None).cast(nw.Date)


def _from_text(column: nw.Expr) -> ReadDate:
    shaped = nw.when(column.str.contains(_ISO)).then(column.str.slice(0, 10))
    year, month, day = (shaped.str.slice(*at).cast(nw.Int64) for at in ((0, 4), (5, 2), (8, 2)))
    leap = ((year % 4 == 0) & (year % 100 != 0)) | (year % 400 == 0)
    february = nw.when(leap).then(nw.lit(29)).otherwise(nw.lit(28))
    short = nw.when(month.is_in([4, 6, 9, 11])).then(nw.lit(30)).otherwise(nw.lit(31))
    length = nw.when(month == 2).then(february).otherwise(short)
    real = (month >= 1) & (month <= 12) & (day >= 1) & (day <= length) & (year >= 1)
    value = nw.when(real).then(shaped).str.to_date(format="%Y-%m-%d")
    return ReadDate(value, ~column.is_null() & value.is_null())


def usable(amount: nw.Expr) -> nw.Expr:
    """Say whether an amount can be kept exactly: finite and not beyond 9e11."""
    return amount.is_finite() & (amount.abs() <= MAX_AMOUNT)


def to_money(amount: nw.Expr) -> nw.Expr:
    """Turn an amount into whole ten-thousandths, so that sums are exact on every engine."""
    return nw.when(usable(amount)).then((amount * SCALE).round()).cast(nw.Int64)


def is_finer(amount: nw.Expr, money: nw.Expr) -> nw.Expr:
    """Say whether an amount had more than four decimals."""
    return usable(amount) & ((money / SCALE - amount).abs() > amount.abs() * 1e-12 + 1e-9)


def zone_check(zones: dict[str, str | None]) -> tuple[Check, ...]:
    """Note the columns whose timestamps carried a time zone."""
    found = [f"{name} ({zone})" for name, zone in zones.items() if zone]
    if not found:
        return ()
    message = f"timestamps with a time zone were read as their UTC date: {', '.join(found)}"
    return (Check("time_zone", "note", 0, (), message, "Convert to local dates first if days matter."),)
