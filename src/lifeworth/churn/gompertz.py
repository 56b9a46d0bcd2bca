"""Gompertz churn: the hazard changes by the same factor every period."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lifeworth._ops import NUMPY, Array, Ops, running_total
from lifeworth._parameters import Parameter, Theta
from lifeworth.churn.base import FIRST_CHURN, ChurnCurve


@dataclass(frozen=True, slots=True)
class Gompertz(ChurnCurve):
    """The cumulative hazard of each period is `growth` times that of the one before, seen at period ends.

    Below one churn dies out and a share of the accounts never leaves; one is Geometric. Between whole periods log
    survival is joined linearly.

    Examples
    --------
    A first churn of 19% leaves log survival log(0.81); halving it each period:

    >>> round(float(Gompertz().survival(np.array([2]), {"first_churn": 0.19, "growth": 0.5})[0]), 4)
    0.729
    """

    source = "Gompertz (1825), Phil. Trans. Royal Society 115"

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """`first_churn` and `growth`."""
        return FIRST_CHURN, Parameter("growth", "log", (0.75, 1.10), "factor of the hazard from one period to the next")

    def log_survival(self, tenure: Array, theta: Theta, ops: Ops = NUMPY) -> Array:
        """Log S(t), the first period's times the sum of the factors."""
        terms = int(np.max(np.ceil(tenure), initial=0))
        factor = ops.exp(ops.log(theta["growth"]) * np.arange(terms))
        return ops.log1p(-theta["first_churn"]) * (factor @ running_total(tenure, terms))
