"""Simulation-based calibration: what the model made itself, the sampler must find again as often as it says."""

from lifeworth.calibration.study import Calibration, calibrate
from lifeworth.calibration.world import Design

__all__ = ["Calibration", "Design", "calibrate"]
