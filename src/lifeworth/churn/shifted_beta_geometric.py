"""Shifted-beta-geometric churn: accounts differ, the loyal remain, so the hazard falls with tenure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lifeworth._ops import NUMPY, Array, Ops, running_total
from lifeworth._parameters import Parameter, Theta
from lifeworth.churn.base import FIRST_CHURN, ChurnCurve

POLARIZATION = Parameter(
    "polarization",
    "logit",
    (0.01, 0.80),
    "how unlike the accounts are: 0 all alike, 1 each either leaves at once or never",
)


@dataclass(frozen=True, slots=True)
class ShiftedBetaGeometric(ChurnCurve):
    """Each account has its own constant churn, spread over accounts as Beta(alpha, beta).

    Fitted as `first_churn` = alpha / (alpha + beta) and `polarization` = 1 / (alpha + beta + 1), which the data
    tell apart; h(t) = first_churn / (1 + t polarization / (1 - polarization)). Polarization 0 is Geometric.
    Tenure is whole periods; between them log survival is joined linearly.

    Examples
    --------
    Fader & Hardie's high-end segment, alpha 0.668 and beta 3.806, eight years on:

    >>> theta = ShiftedBetaGeometric.from_alpha_beta(0.668, 3.806)
    >>> round(float(ShiftedBetaGeometric().survival(np.array([8]), theta)[0]), 3)
    0.46
    """

    source = "Fader & Hardie (2007), J. Interactive Marketing 21(1), 76-90"

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """`first_churn` and `polarization`."""
        return FIRST_CHURN, POLARIZATION

    def log_survival(self, tenure: Array, theta: Theta, ops: Ops = NUMPY) -> Array:
        """Log S(t), the sum of log(1 - h) over the tenures before t."""
        terms = int(np.max(np.ceil(tenure), initial=0))
        spread = theta["polarization"] / (1 - theta["polarization"])
        hazard = theta["first_churn"] / (1 + spread * np.arange(terms))
        return ops.log1p(-hazard) @ running_total(tenure, terms)

    @staticmethod
    def from_alpha_beta(alpha: Array, beta: Array) -> dict[str, Array]:
        """The fitted parameters that stand for Beta(alpha, beta)."""
        return {"first_churn": alpha / (alpha + beta), "polarization": 1 / (alpha + beta + 1)}

    @staticmethod
    def to_alpha_beta(theta: Theta) -> tuple[Array, Array]:
        """Alpha and beta of the Beta distribution that the fitted parameters stand for."""
        total = 1 / theta["polarization"] - 1
        return theta["first_churn"] * total, (1 - theta["first_churn"]) * total
