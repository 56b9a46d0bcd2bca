"""Lomax churn: accounts leave at constant rates that are spread as Gamma over them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lifeworth._ops import NUMPY, Array, Ops
from lifeworth._parameters import Parameter, Theta
from lifeworth.churn.base import FIRST_CHURN, ChurnCurve


@dataclass(frozen=True, slots=True)
class Lomax(ChurnCurve):
    """S(t) = (1 + t / scale)^-s, the Pareto of the second kind, seen at period ends.

    Fitted as `first_churn` and `scale`, the periods over which the rate of those left falls to half; s follows. A
    scale that grows without bound is Geometric.

    Examples
    --------
    With scale 1, S(t) = (1 + t)^-s; a first churn of one half makes s = 1:

    >>> Lomax().survival(np.array([1, 3]), {"first_churn": 0.5, "scale": 1.0}).tolist()
    [0.5, 0.25]
    """

    source = (
        "Lomax (1954), J. American Statistical Association 49; exponential-gamma in Fader & Hardie, note on Pareto II"
    )

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """`first_churn` and `scale`."""
        return FIRST_CHURN, Parameter("scale", "log", (0.5, 200.0), "periods until the rate of those left has halved")

    def log_survival(self, tenure: Array, theta: Theta, ops: Ops = NUMPY) -> Array:
        """Log S(t), the first period's scaled by how the logarithm grows."""
        age = ops.log1p(np.asarray(tenure, dtype=float) / theta["scale"]) / ops.log1p(1 / theta["scale"])
        return ops.log1p(-theta["first_churn"]) * age
