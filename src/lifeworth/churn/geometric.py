"""Geometric churn: the same hazard at every tenure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lifeworth._ops import NUMPY, Array, Ops
from lifeworth._parameters import Parameter, Theta
from lifeworth.churn.base import FIRST_CHURN, ChurnCurve


@dataclass(frozen=True, slots=True)
class Geometric(ChurnCurve):
    """Constant churn, S(t) = (1 - first_churn)^t: what ARPA / churn assumes.

    Examples
    --------
    >>> round(float(Geometric().survival(np.array([2]), {"first_churn": 0.1})[0]), 6)
    0.81
    """

    source = "the constant-retention model, e.g. Gupta & Lehmann (2003), J. Interactive Marketing 17(1)"

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """`first_churn`, which is the churn of every period."""
        return (FIRST_CHURN,)

    def log_survival(self, tenure: Array, theta: Theta, ops: Ops = NUMPY) -> Array:
        """Log S(t) = t log(1 - first_churn)."""
        return ops.log1p(-theta["first_churn"]) * np.asarray(tenure, dtype=float)
