"""A model of customers without a contract: their purchases, their spend, and how cohorts and segments share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, get_args

import numpy as np
import pandas as pd

from lifeworth._ops import NUMPY, Array, Ops
from lifeworth._parameters import Parameter, Theta, check_priors, with_priors
from lifeworth.errors import DefinitionError
from lifeworth.ledger import PurchaseTable
from lifeworth.model import Pooling
from lifeworth.purchases import GammaGamma, History, PurchaseModel, Spend
from lifeworth.transactional.drift import Buckets, drift_parameters

_SPREAD: Final = (0.03, 0.6)


@dataclass(frozen=True, slots=True)
class CustomerShape:
    """The sizes that decide which parameters a model has; equal shapes share a compilation.

    `longest` is the largest age in opportunities, 0 where time is in years.
    """

    segments: int = 1
    cohorts: int = 1
    longest: int = 0


@dataclass(frozen=True, slots=True)
class TransactionalModel:
    """What is fitted: a purchase model, a law of spend, pooling, drift over the calendar, and priors.

    Parameters
    ----------
    purchases : PurchaseModel
    spend : GammaGamma or None
        None fits purchases only.
    pooling : {"partial", "complete", "none"}
    drift : bool
        Whether the purchase rate drifts over calendar time.
    priors : tuple of (name, (low, high))
    """

    purchases: PurchaseModel
    spend: GammaGamma | None
    pooling: Pooling = "partial"
    drift: bool = True
    priors: tuple[tuple[str, tuple[float, float]], ...] = ()

    def __post_init__(self) -> None:
        if self.pooling not in get_args(Pooling.__value__):
            raise DefinitionError(f"pooling is {self.pooling!r}: use 'partial', 'complete' or 'none'.")

    @property
    def parts(self) -> dict[str, PurchaseModel | GammaGamma]:
        """The definitions that are sampled, by part."""
        return {"purchases": self.purchases} | ({"spend": self.spend} if self.spend else {})

    def parameters(self, part: str, shape: CustomerShape) -> tuple[Parameter, ...]:
        """Parameters of `purchases` or `spend` for a table of this shape, with the priors given."""
        own = self.parts[part]
        return with_priors((*own.parameters, *deviations(own, shape)), dict(self.priors))

    def drift_parameters(self, buckets: int, per_year: int, seasons: int = 0) -> tuple[Parameter, ...]:
        """Parameters of the drift over so many buckets, with the priors given."""
        return with_priors(drift_parameters(buckets, per_year, seasons), dict(self.priors))

    def check(self, shape: CustomerShape) -> None:
        """Raise DefinitionError where a prior belongs to no parameter."""
        every = [p for part in self.parts for p in self.parameters(part, shape)]
        check_priors((*every, *(self.drift_parameters(3, 4, 4) if self.drift else ())), dict(self.priors))


def deviations(own: PurchaseModel | GammaGamma, shape: CustomerShape) -> tuple[Parameter, ...]:
    """Deviations of segments and cohorts on the link scale, for each parameter that varies.

    They sum to zero. Their sd is between 0.03 and 0.6 with a prior probability of 90%, and never zero: a few cohorts
    that are alike would otherwise leave the sampler a funnel.
    """
    found: list[Parameter] = []
    for name in own.varying:
        for what, size in (("segment", shape.segments), ("cohort", shape.cohorts)):
            if size > 1:
                sd = f"{name}_{what}_sd"
                link = next(p.link for p in own.parameters if p.name == name)
                found.append(Parameter(sd, "log", _SPREAD, f"sd over {what}s of the {link} of {name}"))
                about = f"deviation of each {what} in the {link} of {name}"
                found.append(Parameter(f"{name}_{what}", "identity", (-2, 2), about, size, scale=sd, zero_sum=True))
    return tuple(found)


def by_group(
    own: PurchaseModel | GammaGamma, theta: Theta, segment: Array, cohort: Array, ops: Ops = NUMPY
) -> dict[str, Array]:
    """The definition's parameters for each row, from common values and deviations.

    Parameters
    ----------
    theta : mapping
        Values of all parameters: scalars (..., 1) or (), vectors (..., size).
    segment, cohort : int array (n,)
        Positions; not read where there is one.

    Returns
    -------
    dict of arrays
        (..., n) for what varies, and as given for the rest.

    Examples
    --------
    A segment that buys e times as often as the common rate of 2:

    >>> from lifeworth.purchases import BGNBD
    >>> theta = {"purchase_rate": np.array([[2.0]]), "purchase_rate_segment": np.array([[1.0, -1.0]])}
    >>> theta |= {n: np.array([[0.5]]) for n in ("rate_variation", "dropout", "dropout_polarization")}
    >>> by_group(BGNBD(), theta, np.array([0, 1]), np.array([0, 0]))["purchase_rate"].round(2)
    array([[5.44, 0.74]])
    """
    found: dict[str, Array] = {}
    for p in own.parameters:
        value = theta[p.name]
        moved: list[Array] = []
        for what, at in (("segment", segment), ("cohort", cohort)):
            if f"{p.name}_{what}" in theta:
                moved.append(ops.take(theta[f"{p.name}_{what}"], at))
        if moved:
            value = p.natural(linked(p, value, ops) + sum(moved), ops)
        found[p.name] = value
    return found


def linked(p: Parameter, value: Array, ops: Ops = NUMPY) -> Array:
    """A value in natural units on the parameter's link scale."""
    if p.link == "logit":
        return ops.log(value) - ops.log1p(-value)
    return ops.log(value) if p.link == "log" else value


@dataclass(frozen=True, slots=True)
class CustomerIndex:
    """The labels behind the positions of a model fitted to one purchase table."""

    segments: tuple[tuple[str, ...], ...]
    cohorts: tuple[str, ...]
    shape: CustomerShape
    by: tuple[str, ...] = ()

    @classmethod
    def of(cls, table: PurchaseTable, model: TransactionalModel) -> CustomerIndex:
        """The index of a table's own rows; one segment and cohort under complete pooling."""
        longest = int(histories(model.purchases, table).age.max()) if counts(model.purchases) else 0
        segments = tuple(sorted(set(labels(table.frame, table.by)))) or ((),)
        cohorts = tuple(sorted(set(table.frame["cohort"])))
        shared = model.pooling == "partial"
        shape = CustomerShape(len(segments) if shared else 1, len(cohorts) if shared else 1, longest)
        return cls(segments, cohorts, shape, table.by)

    def positions(self, frame: pd.DataFrame) -> tuple[Array, Array]:
        """Position of each row's segment and cohort."""
        segment = {label: i for i, label in enumerate(self.segments)}
        cohort = {label: i for i, label in enumerate(self.cohorts)}
        at = [segment[label] for label in labels(frame, self.by)], [cohort[label] for label in frame["cohort"]]
        return np.array(at[0], dtype=np.int64), np.array(at[1], dtype=np.int64)


def labels(frame: pd.DataFrame, by: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Segment labels of each row; one empty tuple a row where there are no segments."""
    if not by:
        return [()] * len(frame)
    return list(zip(*(frame[name].astype(str) for name in by), strict=True))


def counts(model: PurchaseModel) -> bool:
    """Whether the model counts time in opportunities."""
    return model.unit == "opportunity"


def per_year(model: PurchaseModel) -> float:
    """Units of the model's time in a year."""
    return float(getattr(model, "opportunities_per_year", 1.0))


def histories(model: PurchaseModel, table: PurchaseTable, buckets: Buckets | None = None) -> History:
    """The rows of a table in the model's unit: years at the pace of `buckets`, or whole opportunities."""
    if not counts(model):
        if buckets is None or buckets.pace is None:
            return table.history
        plain = table.history
        age, since = buckets.elapsed(plain.age), buckets.elapsed(plain.age - plain.recency)
        return History.of(plain.frequency, np.where(plain.frequency > 0, age - since, 0.0), age)
    scale = per_year(model)
    history = table.history
    age = np.rint(history.age * scale)
    recency = np.minimum(np.maximum(np.rint(history.recency * scale), history.frequency), age)
    bad = np.flatnonzero(history.frequency > age)
    if len(bad):
        raise DefinitionError(
            f"{len(bad)} rows bought more often than there were opportunities (row {bad[0]}: frequency "
            f"{history.frequency[bad[0]]:g} in {age[bad[0]]:g}). Use a model of purchases in continuous time, or more "
            "opportunities_per_year."
        )
    return History.of(history.frequency, np.where(history.frequency > 0, recency, 0.0), age)


def merged_rows(history: History, customers: Array, groups: tuple[Array, Array]) -> tuple[History, Array, list[Array]]:
    """Rows that agree in history, segment and cohort as one, with their customers added."""
    keys = np.column_stack([history.frequency, history.recency, history.age, *groups])
    found, at = np.unique(keys, axis=0, return_inverse=True)
    weight = np.bincount(at.ravel(), weights=customers, minlength=len(found))
    return History(*found[:, :3].T), weight, [found[:, k].astype(np.int64) for k in (3, 4)]


def merged_spend(spend: Spend, customers: Array, groups: tuple[Array, Array]) -> tuple[Spend, Array, list[Array]]:
    """Rows that agree in frequency, mean, segment and cohort as one."""
    keys = np.column_stack([spend.frequency, spend.mean, *groups])
    found, at = np.unique(keys, axis=0, return_inverse=True)
    weight = np.bincount(at.ravel(), weights=customers, minlength=len(found))
    return Spend(*found[:, :2].T), weight, [found[:, k].astype(np.int64) for k in (2, 3)]


def draws_of(theta: Mapping[str, Array]) -> int:
    """How many draws there are."""
    return len(next(iter(theta.values())))
