"""Effects on the log hazard: one file each; they add up."""

from lifeworth.effects.base import EFFECTS, CellIndex, Effect, Shape, calendar_loading
from lifeworth.effects.calendar_walk import CalendarWalk
from lifeworth.effects.cohort_decay import CohortDecay
from lifeworth.effects.segments import Segments

__all__ = ["EFFECTS", "CalendarWalk", "CellIndex", "CohortDecay", "Effect", "Segments", "Shape", "calendar_loading"]
