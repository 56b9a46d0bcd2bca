"""Cure: a share of the accounts never leaves, the others leave at a constant rate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lifeworth._ops import NUMPY, Array, Ops
from lifeworth._parameters import Parameter, Theta
from lifeworth.churn.base import FIRST_CHURN, ChurnCurve


@dataclass(frozen=True, slots=True)
class Cure(ChurnCurve):
    """S(t) = never + (1 - never) (1 - rate)^t: those who never leave, and what is left of the others.

    Fitted as `first_churn`, the churn of the first period over all accounts, and `loyal`, the share of those that
    survive the first period that never leaves: never = (1 - first_churn) loyal, rate = first_churn / (1 - never).
    Loyal 0 is Geometric.

    Examples
    --------
    Of 80% that survive the first period half is loyal, 40% of all; of the other 60% a third leaves each period:

    >>> Cure().survival(np.array([1, 2]), {"first_churn": 0.2, "loyal": 0.5}).round(4).tolist()
    [0.8, 0.6667]
    """

    source = "Boag (1949), J. Royal Statistical Society B 11, with a geometric law for those who leave"

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """`first_churn` and `loyal`."""
        return FIRST_CHURN, Parameter("loyal", "logit", (0.02, 0.90), "share of the first survivors that never leaves")

    def log_survival(self, tenure: Array, theta: Theta, ops: Ops = NUMPY) -> Array:
        """Log of the loyal share plus what is left of the others."""
        never = (1 - theta["first_churn"]) * theta["loyal"]
        rate = theta["first_churn"] / (1 - never)
        left = ops.exp(ops.log1p(-rate) * np.asarray(tenure, dtype=float))
        return ops.log(never + (1 - never) * left)
