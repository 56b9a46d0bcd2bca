"""CDNOW: the purchases on which models of customers without a contract are published, read from lifetimes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from importlib.metadata import PackageNotFoundError, distribution
from typing import Final

import pandas as pd

from lifeworth.errors import DataError

_FIRST: Final = date(1997, 1, 1)


@dataclass(frozen=True, eq=False)
class Cdnow:
    """Purchases of everybody who bought for the first time at CDNOW in the first quarter of 1997.

    Attributes
    ----------
    transactions : DataFrame
        customer_id (text), date, discs (bought), amount (USD; 80 purchases of the whole file cost nothing): for
        `Ledger.from_transactions`.
    as_of : date
        The last day of the file, 30 June 1998.
    calibration_end : date
        The day up to which publications fit, 30 September 1997, 39 weeks into the file.
    """

    transactions: pd.DataFrame
    as_of: date = date(1998, 6, 30)
    calibration_end: date = date(1997, 9, 30)


def cdnow(*, sample: bool = False) -> Cdnow:
    """Read CDNOW from the files that ship inside lifetimes: 23,570 customers and 69,659 purchases.

    Parameters
    ----------
    sample : bool
        The published 1/10 sample instead: 2,357 customers and 6,919 purchases.

    Returns
    -------
    Cdnow

    Examples
    --------
    >>> book = cdnow(sample=True)
    >>> book.transactions["customer_id"].nunique(), len(book.transactions)
    (2357, 6919)
    """
    columns = ["customer_id", "date", "discs", "amount"]
    name = "CDNOW_sample.txt" if sample else "CDNOW_master.txt"
    given = ["customer_id", "sample_id", *columns[1:]] if sample else columns
    try:
        path = distribution("lifetimes").locate_file(f"lifetimes/datasets/{name}")
        rows = pd.read_csv(
            str(path), sep=r"\s+", names=given, skiprows=0 if sample else 1, dtype={"customer_id": str, "date": str}
        )
    except (PackageNotFoundError, FileNotFoundError) as error:
        raise DataError("CDNOW ships inside lifetimes, which is not there. Install lifetimes==0.11.3.") from error
    rows["date"] = pd.to_datetime(rows["date"], format="%Y%m%d")
    if rows["date"].min().date() != _FIRST:
        raise DataError(f"{name} begins on {rows['date'].min():%Y-%m-%d}, not in 1997: it is not the published file.")
    return Cdnow(rows[columns])
