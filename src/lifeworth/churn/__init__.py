"""Churn curves: one file each; a new one needs `parameters` and `log_survival` and nothing else."""

from lifeworth.churn.base import CURVES, ChurnCurve
from lifeworth.churn.beta_discrete_weibull import BetaDiscreteWeibull
from lifeworth.churn.cure import Cure
from lifeworth.churn.discrete_weibull import DiscreteWeibull
from lifeworth.churn.geometric import Geometric
from lifeworth.churn.gompertz import Gompertz
from lifeworth.churn.log_logistic import LogLogistic
from lifeworth.churn.lomax import Lomax
from lifeworth.churn.piecewise import Piecewise
from lifeworth.churn.shifted_beta_geometric import ShiftedBetaGeometric
from lifeworth.churn.smooth import Smooth

__all__ = [
    "CURVES",
    "BetaDiscreteWeibull",
    "ChurnCurve",
    "Cure",
    "DiscreteWeibull",
    "Geometric",
    "Gompertz",
    "LogLogistic",
    "Lomax",
    "Piecewise",
    "ShiftedBetaGeometric",
    "Smooth",
]
