"""Repeat purchases by calendar bucket: what happened, and what a purchase model expects without drift."""

from __future__ import annotations

import numpy as np

from lifeworth._ops import Array
from lifeworth._parameters import Theta
from lifeworth.errors import DefinitionError
from lifeworth.ledger import PurchaseTable
from lifeworth.purchases import History, PurchaseModel
from lifeworth.transactional.drift import Buckets
from lifeworth.transactional.model import CustomerIndex, counts, opportunities, per_year


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
    if abs(length - round(length)) > 0.05 or round(length) < 1:
        raise DefinitionError(
            f"a bucket of the table ({table.calendar}) is {length:.2f} opportunities of {type(model).__name__}: make "
            "the table with another `calendar`, or set opportunities_per_year."
        )
    return float(round(length))


def expected_by_bucket(model: PurchaseModel, table: PurchaseTable, theta: Theta, unit: Array, buckets: Array) -> Array:
    """Repeat purchases expected in each calendar bucket up to as_of, before anything is known of a customer.

    Parameters
    ----------
    theta : mapping
        Parameters by unit, (draws, units).
    unit : int array (rows,)
        Position of each row of the table.
    buckets : int array (m,)
        0 is the last bucket; none is above it.

    Returns
    -------
    array (m, draws)
    """
    length, customers = bucket_length(model, table), table.customers
    keys, at = np.unique(np.column_stack([unit, opportunities(model, table).age]), axis=0, return_inverse=True)
    people = np.bincount(at.ravel(), weights=customers)
    own = {name: values[:, keys[:, 0].astype(int)] for name, values in theta.items()}
    edges = np.append(buckets, buckets[-1] + 1)
    ages = np.maximum(keys[:, 1] + (edges[:, None] - 1) * length, 0.0)
    new = History.none(len(keys))
    total = model.probability_alive(new, own) * model.ahead(new, own, ages)
    return np.diff(total, axis=0) @ people


def observed_buckets(model: PurchaseModel, table: PurchaseTable, index: CustomerIndex, theta: Theta) -> Buckets | None:
    """Actual and expected repeat purchases by bucket, of all customers; None where fewer than three are expected."""
    at_age = opportunities(model, table).age
    size = int(np.ceil(at_age.max() / bucket_length(model, table) - 1e-9))
    if size < 3:
        return None
    buckets = np.arange(1 - size, 1)
    segment, cohort = index.positions(table.frame)
    unit = cohort * len(index.segments) + segment
    expected = expected_by_bucket(model, table, theta, unit, buckets).mean(axis=1)
    first = int(np.argmax(expected > 0))
    by_bucket = table.activity.groupby("bucket")["purchases"].sum()
    seen, expected = by_bucket.reindex(buckets[first:], fill_value=0).to_numpy(dtype=float), expected[first:]
    if len(seen) < 3 or seen.sum() <= 0 or expected.sum() <= 0:
        return None
    return Buckets(seen, expected * (seen.sum() / expected.sum()), table.buckets_per_year)
