"""A model: the definitions of churn, effects and expansion together, and the one formula of their hazard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from scipy import special

from lifeworth._ops import NUMPY, Array, Ops
from lifeworth._parameters import Parameter, Priors, Theta, check_priors, with_priors
from lifeworth.churn import ChurnCurve
from lifeworth.effects import CalendarWalk, CellIndex, CohortDecay, Effect, Renewal, Segments, Shape
from lifeworth.errors import DefinitionError
from lifeworth.expansion import ExpansionCurve
from lifeworth.expansion.variation import DIRECTIONS, churn_link_parameters, variation_parameters

type Pooling = Literal["partial", "complete", "none"]


@dataclass(frozen=True, slots=True)
class Model:
    """What is fitted: a churn curve, effects on its hazard, an expansion curve, pooling and priors.

    Nothing on it is fitted; two models are equal when they would be fitted alike.
    """

    churn: ChurnCurve
    effects: tuple[Effect, ...]
    expansion: ExpansionCurve
    pooling: Pooling = "partial"
    priors: tuple[tuple[str, tuple[float, float]], ...] = ()

    def __post_init__(self) -> None:
        if self.pooling not in get_args(Pooling.__value__):
            raise DefinitionError(f"pooling is {self.pooling!r}: use 'partial', 'complete' or 'none'.")

    @property
    def uses(self) -> frozenset[str]:
        """The positions of a cell that its hazard depends on, beside tenure."""
        return frozenset({"tenure"}).union(*(effect.uses for effect in self.effects))

    def hazard_parameters(self, shape: Shape) -> tuple[Parameter, ...]:
        """Parameters of the hazard for a table of this shape, with the priors given."""
        own = (*self.churn.parameters, *(p for effect in self.effects for p in effect.parameters(shape)))
        return with_priors(own, dict(self.priors))

    def expansion_parameters(self, shape: Shape) -> tuple[Parameter, ...]:
        """Parameters of the growth of the survivors' money; none where the curve has none."""
        own = self.expansion.parameters
        if own:
            own += tuple(p for direction in DIRECTIONS for p in variation_parameters(direction, shape))
            if any(isinstance(effect, CalendarWalk) for effect in self.effects):
                own += churn_link_parameters(shape)
        return with_priors(own, dict(self.priors))

    def check(self, shape: Shape) -> None:
        """Raise DefinitionError when a prior belongs to no parameter, or renewals are not modelled."""
        renewed = self.pooling != "none" and any(isinstance(effect, Renewal) for effect in self.effects)
        if shape.longest_term > 1 and not renewed:
            raise DefinitionError(
                f"contracts run up to {shape.longest_term} periods: without Renewal the periods between renewals would "
                "read as loyalty. Add Renewal() to effects (pooling 'none' has no such effect), or make the period as "
                "long as the contracts."
            )
        check_priors((*self.hazard_parameters(shape), *self.expansion_parameters(shape)), dict(self.priors))


DEFAULT_EFFECTS: Mapping[Pooling, tuple[Effect, ...]] = {
    "partial": (Segments(), CalendarWalk(), CohortDecay(), Renewal()),
    "complete": (CalendarWalk(), Renewal()),
    "none": (),
}
"""The recommended effects, by pooling; those that a table cannot tell apart are left out of its model."""


def identified(effects: tuple[Effect, ...], shape: Shape) -> tuple[Effect, ...]:
    """The effects that have something to tell apart in a table of this shape."""
    return tuple(effect for effect in effects if effect.parameters(shape))


def freeze_priors(priors: Priors | None) -> tuple[tuple[str, tuple[float, float]], ...]:
    """Priors as sorted, hashable pairs."""
    try:
        return tuple(sorted((str(k), (float(low), float(high))) for k, (low, high) in (priors or {}).items()))
    except (TypeError, ValueError) as error:
        raise DefinitionError(
            f"priors are 90% intervals in natural units, (low, high) by name; got {priors}."
        ) from error


def log_retention(
    churn: ChurnCurve, effects: tuple[Effect, ...], theta: Theta, cells: CellIndex, tenures: int, ops: Ops = NUMPY
) -> Array:
    """Log probability of staying through each cell's tenure, the one formula of likelihood and forecast.

    The curve is evaluated once per tenure 0 .. tenures - 1 and gathered; effects multiply the increment.

    Returns
    -------
    array (..., cells)
    """
    increment = ops.take(churn.log_retention(np.arange(tenures), theta, ops), cells.tenure)
    eta = sum((effect.eta(theta, cells, ops) for effect in effects), start=0.0)
    return ops.exp(eta) * increment


def log_likelihood(log_stay: Array, at_risk: Array, churned: Array, ops: Ops = NUMPY) -> Array:
    """Binomial log likelihood of each cell, without its constant, from the log probability of staying.

    Examples
    --------
    One of two accounts left at even odds:

    >>> round(float(log_likelihood(np.log(0.5), 2, 1)), 4)
    -1.3863
    """
    return churned * ops.log(-ops.expm1(log_stay)) + (at_risk - churned) * log_stay


def binomial_log_pmf(stay: Array, at_risk: Array, churned: Array) -> Array:
    """Log probability that `churned` of `at_risk` leave, each staying with probability `stay`.

    `log_likelihood` with its constant, for numbers: certain hazards are no trouble here.

    Examples
    --------
    One of two at even odds:

    >>> round(float(np.exp(binomial_log_pmf(np.array(0.5), np.array(2.0), np.array(1.0)))), 4)
    0.5
    """
    ways = special.gammaln(at_risk + 1) - special.gammaln(churned + 1) - special.gammaln(at_risk - churned + 1)
    return ways + special.xlog1py(churned, -stay) + special.xlogy(at_risk - churned, stay)
