"""Beta-discrete-Weibull churn: accounts differ, and each one's own hazard changes with its tenure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lifeworth._ops import NUMPY, Array, Ops
from lifeworth._parameters import Parameter, Theta
from lifeworth.churn.base import FIRST_CHURN, ChurnCurve
from lifeworth.churn.discrete_weibull import SHAPE
from lifeworth.churn.shifted_beta_geometric import POLARIZATION


@dataclass(frozen=True, slots=True)
class BetaDiscreteWeibull(ChurnCurve):
    """S(t) = B(alpha, beta + t^shape) / B(alpha, beta): a discrete Weibull whose level is Beta over accounts.

    Fitted as `first_churn`, `polarization` (as in ShiftedBetaGeometric) and `shape`: above one an account's own
    hazard rises with tenure, so that churn may rise before the loyal remain. Shape 1 is ShiftedBetaGeometric,
    polarization 0 is DiscreteWeibull.

    Examples
    --------
    Four renewals of Fader et al.'s regular segment: gamma 0.5231, delta 0.8944, shape 1.1963.

    >>> theta = {"first_churn": 0.5231 / 1.4175, "polarization": 1 / 2.4175, "shape": 1.1963}
    >>> BetaDiscreteWeibull().survival(np.array([1, 4]), theta).round(3).tolist()
    [0.631, 0.326]
    """

    source = "Fader, Hardie, Liu, Davin & Steenburgh (2018), J. Interactive Marketing 43, 1-16"

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """`first_churn`, `polarization` and `shape`."""
        return FIRST_CHURN, POLARIZATION, SHAPE

    def log_survival(self, tenure: Array, theta: Theta, ops: Ops = NUMPY) -> Array:
        """Log of the ratio of beta functions, its leading term t^shape log(1 - first_churn) taken out exactly."""
        age = ops.exp(theta["shape"] * np.log(np.maximum(tenure, 1e-300))) * (np.asarray(tenure) > 0)
        total = 1 / theta["polarization"] - 1
        beta = (1 - theta["first_churn"]) * total
        alike = ops.log1p(-theta["first_churn"]) * age
        return alike + _excess(beta, age, ops) - _excess(total, age, ops)


def _excess(z: Array, x: Array, ops: Ops) -> Array:
    """Log Gamma(z + x) - log Gamma(z) - x log z, by Stirling's series where the gamma functions would cancel."""
    far = (z + x - 0.5) * ops.log1p(x / z) - x + _stirling(z + x) - _stirling(z)
    near = ops.gammaln(z + x) - ops.gammaln(z) - x * ops.log(z)
    return ops.where(z > 16, far, near)


def _stirling(z: Array) -> Array:
    """What Stirling's formula leaves out of log Gamma, to z^-7 (Abramowitz & Stegun 6.1.41)."""
    square = 1 / (z * z)
    return (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square / 1680))) / z
