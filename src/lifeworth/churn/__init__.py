"""Churn curves: one file each; a new one needs `parameters` and `log_survival` and nothing else."""

from lifeworth.churn.base import CURVES, ChurnCurve
from lifeworth.churn.geometric import Geometric
from lifeworth.churn.shifted_beta_geometric import ShiftedBetaGeometric
from lifeworth.churn.smooth import Smooth

__all__ = ["CURVES", "ChurnCurve", "Geometric", "ShiftedBetaGeometric", "Smooth"]
