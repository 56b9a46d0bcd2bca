"""When purchases happened: repeats by calendar bucket, and how even the times between purchases are."""

from __future__ import annotations

from datetime import date
from typing import Final

import narwhals.stable.v2 as nw
import pandas as pd

from lifeworth.errors import DefinitionError
from lifeworth.ledger.lives import segment_names
from lifeworth.ledger.purchase_days import customers, purchase_days
from lifeworth.ledger.sources import Lazy

BUCKETS: Final[dict[str, int]] = {"week": 7, "4 weeks": 28, "quarter": 91, "year": 365}
"""Days in a calendar bucket of a purchase table."""
_FAR: Final = 100_000
_DAY: Final = nw.col("lw_on")


def bucket_days(calendar: str) -> int:
    """Days in a bucket, refused where there is no such bucket."""
    if calendar not in BUCKETS:
        raise DefinitionError(f"calendar={calendar!r} is not a bucket. Use one of: {', '.join(BUCKETS)}.")
    return BUCKETS[calendar]


def chosen_calendar(days: int) -> str:
    """The bucket for so many days of history: 4 weeks up to three years, quarters up to twelve, then years."""
    return "4 weeks" if days < 3 * 365 else "quarter" if days < 12 * 365 else "year"


def activity(rows: Lazy, as_of: date, until: date | None, calendar: str, by: tuple[str, ...]) -> pd.DataFrame:
    """Repeat purchases by segment and bucket, of the customers who had bought by `as_of`.

    Buckets are counted from `as_of`: 0 is the last one that ends there, 1 the first after it. One that `until` cuts
    is left out.
    """
    length, segments = bucket_days(calendar), segment_names(by)
    known = customers(rows, as_of, by).select("lw_id", "lw_first", *(f"{seg}" for seg in segments))
    days = purchase_days(rows, until or as_of).filter(_DAY > 0).select("lw_id", "lw_on")
    day = as_of.toordinal()
    later = days.join(known, on="lw_id", how="inner").filter(nw.col("lw_first") < _DAY)
    placed = later.with_columns(lw_bucket=((_DAY - day + length - 1 + length * _FAR) // length).cast(nw.Int64))
    found = placed.group_by(*segments, "lw_bucket").agg(nw.len().cast(nw.Int64).alias("purchases"))
    columns = found.collect(backend="pyarrow").to_native().to_pydict()
    frame = pd.DataFrame({name: pd.Series(columns[seg], dtype="str") for name, seg in zip(by, segments, strict=True)})
    frame["bucket"] = pd.Series(columns["lw_bucket"], dtype="int64") - _FAR
    frame["purchases"] = pd.Series(columns["purchases"], dtype="int64")
    whole = 0 if until is None else (until - as_of).days // length
    return frame[frame["bucket"] <= whole].sort_values([*by, "bucket"], kind="stable", ignore_index=True)


def last_gaps(rows: Lazy, as_of: date) -> pd.DataFrame:
    """How the time over the last two gaps between purchases is split, by its length.

    Returns
    -------
    DataFrame
        days (both gaps together), customers, squared (sum over customers of the squared difference of the two gaps).
    """
    order = {"order_by": "lw_on"}
    days = purchase_days(rows, as_of).filter(_DAY > 0).select("lw_id", "lw_on")
    days = days.with_columns(
        lw_one=_DAY.shift(1).over("lw_id", **order),
        lw_two=_DAY.shift(2).over("lw_id", **order),
        lw_last=_DAY.max().over("lw_id"),
    )
    one, two = nw.col("lw_one"), nw.col("lw_two")
    pairs = days.filter((nw.col("lw_last") == _DAY) & ~two.is_null())
    pairs = pairs.with_columns(lw_days=(_DAY - two).cast(nw.Int64), lw_apart=(_DAY - one - (one - two)).cast(nw.Int64))
    apart = nw.col("lw_apart")
    found = pairs.group_by("lw_days").agg(
        nw.len().cast(nw.Int64).alias("customers"), (apart * apart).sum().cast(nw.Int64).alias("squared")
    )
    columns = found.collect(backend="pyarrow").to_native().to_pydict()
    frame = pd.DataFrame({name: pd.Series(columns[f], dtype="int64") for name, f in _GAP_COLUMNS.items()})
    return frame.sort_values("days", ignore_index=True)


_GAP_COLUMNS: Final = {"days": "lw_days", "customers": "customers", "squared": "squared"}
