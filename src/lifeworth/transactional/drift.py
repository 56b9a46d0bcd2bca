"""Drift of the purchase rate over calendar time: what the model without it expects, and where the walk goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from lifeworth._ops import Array
from lifeworth._parameters import Theta
from lifeworth._walk import walked
from lifeworth.effects.base import calendar_loading
from lifeworth.errors import DefinitionError
from lifeworth.ledger import PurchaseTable
from lifeworth.purchases import History, PurchaseModel
from lifeworth.transactional.model import WALK, CustomerIndex, counts, opportunities, per_year

FUTURES: Final = 100
"""Half the futures of the walk over which its factor is scaled to its expectation."""

_RECENT: Final = 4


@dataclass(frozen=True, slots=True, eq=False)
class Buckets:
    """Repeat purchases in the calendar buckets up to as_of, oldest first.

    Attributes
    ----------
    seen, expected : array (buckets,)
        Actual repeat purchases, and those expected without drift, scaled to the same total.
    weights : array (buckets,)
        Share of the expected purchases; the walk is centred on it. 0 in buckets before the first purchase, which are
        added to round their number up to a multiple of four.
    """

    seen: Array
    expected: Array

    @property
    def weights(self) -> Array:
        """Share of the expected purchases in each bucket."""
        return self.expected / self.expected.sum()

    @property
    def moves(self) -> Array:
        """Which steps of the walk lie between buckets with purchases expected."""
        first = int(np.argmax(self.expected > 0))
        return np.arange(len(self.expected) - 1) >= first

    @property
    def loading(self) -> Array:
        """What turns the walk's steps into its level by bucket."""
        return calendar_loading(self.weights)


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
    needed = int(np.ceil(at_age.max() / bucket_length(model, table) - 1e-9))
    if needed < 3:
        return None
    size = -(-needed // 4) * 4
    buckets = np.arange(1 - size, 1)
    segment, cohort = index.positions(table.frame)
    unit = cohort * len(index.segments) + segment
    expected = expected_by_bucket(model, table, theta, unit, buckets).mean(axis=1)
    expected = np.where(buckets > -needed, expected, 0.0)
    by_bucket = table.activity.groupby("bucket")["purchases"].sum()
    seen = by_bucket.reindex(buckets, fill_value=0).to_numpy(dtype=float)
    if seen.sum() <= 0 or expected.sum() <= 0:
        return None
    return Buckets(np.where(expected > 0, seen, 0.0), expected * (seen.sum() / expected.sum()))


def factors_ahead(theta: Theta, buckets: Buckets, ahead: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Factors on the purchase rate in the buckets after as_of, by draw: their expectation, and one future each.

    The expectation carries the walk on without innovations, momentum included. Futures are scaled so that their mean
    is that: not knowing the level adds no purchases by itself. Each future also has the noise of its buckets, whose
    counts vary more than a Poisson count does, at the size of the last four.

    Returns
    -------
    (array (draws, ahead), array (draws, ahead))
    """
    level = theta["calendar"] @ buckets.loading
    draws, last = len(level), level[:, -1:]
    still = last + np.cumsum(WALK.ahead(theta, np.zeros((draws, ahead)), buckets.moves), axis=-1)
    stand, share = WALK.ahead_spread(theta, buckets.moves)
    z = rng.standard_normal((FUTURES, draws, ahead))
    z = np.concatenate([z, -z])
    futures = last + np.cumsum(walked(z, stand, share, WALK.reaction), axis=-1)
    grown = np.exp(np.clip(futures - still, -3.0, 3.0))
    mean = np.exp(still)
    size = np.broadcast_to(buckets.expected[-_RECENT:].mean() / theta["extra_variance"], mean.shape)
    noise = rng.gamma(size) / size
    return mean, mean * noise * grown[0] / grown.mean(axis=0)
