"""Simulation-based calibration: what the model made itself, the sampler must find again as often as it says."""

from lifeworth.calibration.purchases import CustomerDesign, calibrate_purchases
from lifeworth.calibration.study import Calibration, calibrate
from lifeworth.calibration.world import Design

__all__ = ["Calibration", "CustomerDesign", "Design", "calibrate", "calibrate_purchases"]
