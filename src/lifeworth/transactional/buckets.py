"""Repeat purchases by calendar bucket: what happened, and what a purchase model expects without drift."""

from __future__ import annotations

from typing import Final

import numpy as np

from lifeworth._ops import Array
from lifeworth._parameters import Theta
from lifeworth.errors import DefinitionError
from lifeworth.ledger import PurchaseTable
from lifeworth.purchases import History, PurchaseModel
from lifeworth.transactional.drift import Buckets
from lifeworth.transactional.model import CustomerIndex, counts, histories, per_year

MEAN_OF: Final = 25
"""Draws over which what is expected in a bucket is averaged."""

_LEAST: Final = 3
_BUSY: Final = 5.0


def bucket_length(model: PurchaseModel, table: PurchaseTable) -> float:
    """Length of a calendar bucket in the unit of the model.

    Raises
    ------
    DefinitionError
        It is not a whole number of opportunities.
    """
    if not counts(model):
        return table.years_per_bucket
    length = table.years_per_bucket * per_year(model)
    if not whole_buckets(model, table):
        raise DefinitionError(
            f"a bucket of the table ({table.calendar}) is {length:.2f} opportunities of {type(model).__name__}: make "
            "the table with another `calendar`, or set opportunities_per_year."
        )
    return float(round(length))


def whole_buckets(model: PurchaseModel, table: PurchaseTable) -> bool:
    """Whether a calendar bucket of the table is a whole number of the model's opportunities."""
    length = table.years_per_bucket * per_year(model)
    return abs(length - round(length)) <= 0.05 and round(length) >= 1


def expected_by_bucket(
    model: PurchaseModel, table: PurchaseTable, theta: Theta, unit: Array, buckets: Array, read: Buckets | None = None
) -> Array:
    """Repeat purchases expected in each calendar bucket without drift, before anything is known of a customer.

    Parameters
    ----------
    theta : mapping
        Parameters by unit, (draws, units).
    unit : int array (rows,)
        Position of each row of the table.
    buckets : int array (m,)
        0 is the last bucket; none is above it.
    read : Buckets, optional
        At whose pace the parameters read time: those expected in a bucket are expected in the time that its pace makes
        of it, and divided by the pace.

    Returns
    -------
    array (m, draws)
    """
    length, customers = bucket_length(model, table), table.customers
    keys, at = np.unique(np.column_stack([unit, histories(model, table).age]), axis=0, return_inverse=True)
    people = np.bincount(at.ravel(), weights=customers)
    own = {name: values[:, keys[:, 0].astype(int)] for name, values in theta.items()}
    ago = -length * np.append(buckets - 1, buckets[-1])[:, None]
    ages = np.maximum(keys[:, 1] - ago, 0.0)
    pace = np.ones(len(buckets))
    if read is not None and read.pace is not None:
        ages = np.maximum(read.elapsed(keys[:, 1]) - read.elapsed(ago), 0.0)
        shared = min(len(buckets), len(read.pace))
        pace[-shared:] = read.pace[-shared:]
    new = History.none(len(keys))
    total = model.probability_alive(new, own) * model.ahead(new, own, ages)
    return (np.diff(total, axis=0) @ people) / pace[:, None]


def observed_buckets(
    model: PurchaseModel, table: PurchaseTable, index: CustomerIndex, theta: Theta, read: Buckets | None = None
) -> Buckets | None:
    """Actual and expected repeat purchases by bucket, of all customers, from the first in which five are expected.

    None where there are fewer than three such buckets.
    """
    length = bucket_length(model, table)
    size = int(np.ceil(histories(model, table).age.max() / length - 1e-9))
    if size < _LEAST:
        return None
    buckets = np.arange(1 - size, 1)
    segment, cohort = index.positions(table.frame)
    unit = cohort * len(index.segments) + segment
    expected = expected_by_bucket(model, table, theta, unit, buckets, read).mean(axis=1)
    if read is not None:
        first = size - len(read.seen)
    else:
        first = int(np.argmax(expected >= _BUSY)) if (expected >= _BUSY).any() else size
    by_bucket = table.activity.groupby("bucket")["purchases"].sum()
    seen = by_bucket.reindex(buckets[first:], fill_value=0).to_numpy(dtype=float)
    if len(seen) < _LEAST or seen.sum() <= 0:
        return None
    return Buckets(seen, expected[first:], table.buckets_per_year, length, None if read is None else read.pace)
