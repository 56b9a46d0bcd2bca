"""Discrete Weibull churn: a power of tenure makes the hazard fall, stay or rise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lifeworth._ops import NUMPY, Array, Ops
from lifeworth._parameters import Parameter, Theta
from lifeworth.churn.base import FIRST_CHURN, ChurnCurve

SHAPE = Parameter("shape", "log", (0.4, 2.0), "power of tenure: below 1 the hazard of an account falls, above it rises")


@dataclass(frozen=True, slots=True)
class DiscreteWeibull(ChurnCurve):
    """S(t) = (1 - first_churn)^(t^shape): a Weibull law seen at period ends. Shape 1 is Geometric.

    Examples
    --------
    >>> round(float(DiscreteWeibull().survival(np.array([4]), {"first_churn": 0.1, "shape": 0.5})[0]), 6)
    0.81
    """

    source = "Nakagawa & Osaki (1975), IEEE Trans. Reliability R-24(5), type I"

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """`first_churn` and `shape`."""
        return FIRST_CHURN, SHAPE

    def log_survival(self, tenure: Array, theta: Theta, ops: Ops = NUMPY) -> Array:
        """Log S(t) = t^shape log(1 - first_churn)."""
        age = ops.exp(theta["shape"] * np.log(np.maximum(tenure, 1e-300))) * (np.asarray(tenure) > 0)
        return ops.log1p(-theta["first_churn"]) * age
