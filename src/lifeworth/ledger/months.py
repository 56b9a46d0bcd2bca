"""Calendar arithmetic in months, the same on every engine: only year * 12 + month, day and month length.

Engines disagree about ``date_diff('month', ...)`` for days that a month does not have; nothing here uses it.
"""

from __future__ import annotations

import calendar
from datetime import date
from typing import Final

import narwhals.stable.v2 as nw

from lifeworth.errors import DefinitionError

MONTHS: Final[dict[str, int]] = {"month": 1, "quarter": 3, "year": 12}


def months_in(unit: str, *, what: str) -> int:
    """Give the months in a unit of time: month 1, quarter 3, year 12."""
    if unit not in MONTHS:
        raise DefinitionError(f"{what}={unit!r} is not a unit. Use one of: {', '.join(MONTHS)}.")
    return MONTHS[unit]


def is_month_end(day: date) -> bool:
    """Say whether a day is the last of its month."""
    return day.day == calendar.monthrange(day.year, day.month)[1]


def shift_months(day: date, months: int) -> date:
    """Move a date by whole months; a month end stays a month end, other days are clipped to the month."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    length = calendar.monthrange(year, month + 1)[1]
    return date(year, month + 1, length if is_month_end(day) else min(day.day, length))


def month_index(day: nw.Expr) -> nw.Expr:
    """Count months since year 0."""
    return day.dt.year().cast(nw.Int64) * 12 + day.dt.month().cast(nw.Int64) - 1


def day_number(day: nw.Expr) -> nw.Expr:
    """Count days since the year 1 in the proleptic Gregorian calendar, as `date.toordinal` does."""
    before = day.dt.year().cast(nw.Int64) - 1
    return day.dt.ordinal_day().cast(nw.Int64) + 365 * before + before // 4 - before // 100 + before // 400


def is_last_day(day: nw.Expr) -> nw.Expr:
    """Say, in the engine, whether a date is the last of its month."""
    year, month, dom = (
        day.dt.year().cast(nw.Int64),
        day.dt.month().cast(nw.Int64),
        day.dt.day().cast(nw.Int64),
    )
    leap = ((year % 4 == 0) & (year % 100 != 0)) | (year % 400 == 0)
    february = (month == 2) & ((dom == 29) | ((dom == 28) & ~leap))
    return (dom == 31) | ((dom == 30) & month.is_in([4, 6, 9, 11])) | february


def whole_months(acquired: nw.Expr, day: nw.Expr) -> nw.Expr:
    """Count completed months from `acquired` to `day`.

    The k-th anniversary of the 31st falls on the last day of a shorter month.
    """
    short = (acquired.dt.day().cast(nw.Int64) > day.dt.day().cast(nw.Int64)) & ~is_last_day(day)
    return month_index(day) - month_index(acquired) - short.cast(nw.Int64)


def is_anniversary(acquired: nw.Expr, day: nw.Expr) -> nw.Expr:
    """Say whether `day` falls exactly on a monthly anniversary of `acquired`."""
    then, now = acquired.dt.day().cast(nw.Int64), day.dt.day().cast(nw.Int64)
    return (then == now) | ((then > now) & is_last_day(day))


def tenure_of(acquired: nw.Expr, day: nw.Expr, *, months: int) -> nw.Expr:
    """Give the tenure an event belongs to: ceil(periods since acquired) - 1; the acquisition itself is -1.

    An event exactly on anniversary k belongs to tenure k - 1: what was decided at its closing boundary.
    """
    whole = whole_months(acquired, day)
    exact = is_anniversary(acquired, day)
    return nw.when(exact).then((whole + months - 1) // months - 1).otherwise(whole // months).cast(nw.Int64)


def completed_months(acquired: nw.Expr, as_of: date) -> nw.Expr:
    """Count completed months from `acquired` to a fixed date on or after it."""
    months = as_of.year * 12 + as_of.month - 1 - month_index(acquired)
    if is_month_end(as_of):
        return months
    return months - (acquired.dt.day().cast(nw.Int64) > as_of.day).cast(nw.Int64)


def cohort_index(acquired: nw.Expr, *, months: int) -> nw.Expr:
    """Give a date the number of its cohort: months since year 0 over the months in a cohort."""
    return month_index(acquired) // months


def cohort_label(index: int, months: int) -> str:
    """Name a numbered cohort: 2025, 2025-Q1 or 2025-01."""
    year, part = divmod(index, 12 // months)
    return {12: f"{year}", 3: f"{year}-Q{part + 1}", 1: f"{year}-{part + 1:02d}"}[months]


def cohort_label_expr(index: nw.Expr, *, months: int) -> nw.Expr:
    """Name a numbered cohort in the engine, as `cohort_label` does."""
    per_year = 12 // months
    year = (index // per_year).cast(nw.String)
    if months == 12:
        return year
    part = (index % per_year + 1).cast(nw.String)
    if months == 3:
        return nw.concat_str([year, nw.lit("-Q"), part])
    return nw.concat_str([year, nw.lit("-"), part.str.zfill(2)])
