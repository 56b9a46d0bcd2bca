"""Log-logistic churn: the hazard may rise to a peak before it falls."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lifeworth._ops import NUMPY, Array, Ops
from lifeworth._parameters import Parameter, Theta
from lifeworth.churn.base import FIRST_CHURN, ChurnCurve


@dataclass(frozen=True, slots=True)
class LogLogistic(ChurnCurve):
    """S(t) = 1 / (1 + odds t^shape), odds = first_churn / (1 - first_churn), seen at period ends.

    The median life is odds^(-1/shape). With a shape above one the hazard rises first; it falls in the end.

    Examples
    --------
    >>> LogLogistic().survival(np.array([1, 3]), {"first_churn": 0.25, "shape": 1.0}).round(6).tolist()
    [0.75, 0.5]
    """

    source = "Bennett (1983), Applied Statistics 32(2), 165-171"

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """`first_churn` and `shape`."""
        about = "power of tenure in the odds of having left; above 1 the hazard rises to a peak first"
        return FIRST_CHURN, Parameter("shape", "log", (0.4, 3.0), about)

    def log_survival(self, tenure: Array, theta: Theta, ops: Ops = NUMPY) -> Array:
        """Minus the log of one plus the odds of having left."""
        age = ops.exp(theta["shape"] * np.log(np.maximum(tenure, 1e-300))) * (np.asarray(tenure) > 0)
        return -ops.log1p(age * theta["first_churn"] / (1 - theta["first_churn"]))
