"""Effects on the log hazard: one file each; they add up."""

from lifeworth.effects.base import EFFECTS, CellIndex, Effect, Shape, calendar_loading
from lifeworth.effects.calendar_walk import CalendarWalk
from lifeworth.effects.cohort_decay import CohortDecay
from lifeworth.effects.crossed import Crossed
from lifeworth.effects.renewal import Renewal, periods_of
from lifeworth.effects.season import Season
from lifeworth.effects.segments import Segments
from lifeworth.effects.shock import Shock

__all__ = [
    "EFFECTS",
    "CalendarWalk",
    "CellIndex",
    "CohortDecay",
    "Crossed",
    "Effect",
    "Renewal",
    "Season",
    "Segments",
    "Shape",
    "Shock",
    "calendar_loading",
    "periods_of",
]
