"""Piecewise churn: the hazard is constant between edges of tenure, the onboarding window first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lifeworth._ops import NUMPY, Array, Ops, running_total
from lifeworth._parameters import Parameter, Theta
from lifeworth.churn.base import FIRST_CHURN, ChurnCurve
from lifeworth.errors import DefinitionError


@dataclass(frozen=True, slots=True)
class Piecewise(ChurnCurve):
    """One level of churn from each edge to the next; the last one goes on.

    Parameters
    ----------
    edges : tuple of int
        Tenures at which the level changes, rising, from 1 on. (3, 12) is the first ninety days, the first year and
        after, on monthly tenures.

    Examples
    --------
    10% a month in the first two, then half that cumulative hazard:

    >>> theta = {"first_churn": 0.1, "change": np.log([0.5])}
    >>> Piecewise((2,)).survival(np.array([2, 4]), theta).round(4).tolist()
    [0.81, 0.729]
    """

    edges: tuple[int, ...] = (3, 12)
    source = "the piecewise exponential model, Holford (1980), Biometrics 36(2), 299-305"

    def __post_init__(self) -> None:
        if not self.edges or self.edges[0] < 1 or any(b <= a for a, b in zip(self.edges, self.edges[1:], strict=False)):
            raise DefinitionError(f"edges are {self.edges}: give rising whole tenures from 1, such as (3, 12).")

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """`first_churn` and a `change` of log hazard at each edge."""
        about = "change of log hazard at each edge"
        return FIRST_CHURN, Parameter("change", "identity", (-2.0, 1.0), about, size=len(self.edges))

    def log_survival(self, tenure: Array, theta: Theta, ops: Ops = NUMPY) -> Array:
        """Log S(t), minus the sum of the levels before t."""
        terms = int(np.max(np.ceil(tenure), initial=0))
        passed = (np.arange(terms)[None, :] >= np.asarray(self.edges)[:, None]).astype(float)
        start = ops.log(-ops.log1p(-theta["first_churn"]))
        return -ops.exp(start + theta["change"] @ passed) @ running_total(tenure, terms)
