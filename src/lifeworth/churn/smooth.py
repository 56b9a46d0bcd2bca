"""Smooth churn: the hazard may take any shape over tenure, as long as it does not jump without cause."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lifeworth._ops import NUMPY, Array, Ops, running_total
from lifeworth._parameters import Z90, Parameter, Theta
from lifeworth.churn.base import FIRST_CHURN, ChurnCurve


@dataclass(frozen=True, slots=True)
class Smooth(ChurnCurve):
    """The log cumulative-hazard increment is a random walk over log(tenure + 1), joined linearly between knots.

    Early tenures may differ much, late ones little, at the same `roughness`: the sd of the log hazard's change
    while tenure + 1 grows e-fold. Beyond the observed tenures the walk goes on from its last level, ever wider;
    beyond the last knot the hazard stays where it is. Tenure is whole periods.

    Parameters
    ----------
    knots : tuple of int
        Tenures, from 0, rising.

    Examples
    --------
    With no steps it is Geometric:

    >>> theta = {"first_churn": 0.1, "roughness": 0.2, "steps": np.zeros(18)}
    >>> round(float(Smooth().survival(np.array([2]), theta)[0]), 6)
    0.81
    """

    knots: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 18, 24, 30, 36, 48, 60, 84, 120)
    source = "a first-order random walk on the discrete log hazard, e.g. Fahrmeir & Tutz (2001), ch. 9"

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """`first_churn`, `roughness` and the walk's `steps`."""
        rough = "sd of the change of log hazard while (tenure + 1) grows e-fold"
        steps = "change of log hazard between knots, per square root of the log of tenure"
        return (
            FIRST_CHURN,
            Parameter("roughness", "log", (0.05, 0.80), rough),
            Parameter("steps", "identity", (-Z90, Z90), steps, size=len(self.knots) - 1, scale="roughness"),
        )

    def log_survival(self, tenure: Array, theta: Theta, ops: Ops = NUMPY) -> Array:
        """Log S(t), minus the sum of the cumulative-hazard increments before t."""
        terms = int(np.max(np.ceil(tenure), initial=0))
        start = ops.log(-ops.log1p(-theta["first_churn"]))
        log_increment = start + theta["steps"] @ self._loading(terms)
        return -ops.exp(log_increment) @ running_total(tenure, terms)

    def _loading(self, terms: int) -> Array:
        """How much each step has added to the log increment by each tenure; (steps, terms)."""
        knots = np.log1p(np.asarray(self.knots, dtype=float))
        tenures = np.log1p(np.arange(terms, dtype=float))
        width = np.diff(knots)
        passed = np.clip((tenures[None, :] - knots[:-1, None]) / width[:, None], 0.0, 1.0)
        return passed * np.sqrt(width)[:, None]
