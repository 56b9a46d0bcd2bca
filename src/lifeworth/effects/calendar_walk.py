"""CalendarWalk: the level of churn drifts over calendar time, and goes on drifting after as_of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lifeworth._ops import NUMPY, Array, Ops
from lifeworth._parameters import Z90, Parameter, Theta
from lifeworth.effects.base import CellIndex, Effect, Shape


@dataclass(frozen=True, slots=True)
class CalendarWalk(Effect):
    """A random walk over calendar buckets, common to all cells, carried on from its last level.

    It is centred on the observed buckets and its trend is left in: taking it out would hand the trend to the
    tenure curve, which would extrapolate it. Without this term the bands of a forecast do not hold.
    """

    about = "drift of churn over calendar time"
    uses = frozenset({"bucket"})

    def parameters(self, shape: Shape) -> tuple[Parameter, ...]:
        """`calendar_sd` per bucket, growing with the square root of its length, and the walk's steps."""
        if shape.buckets < 2:
            return ()
        high = 0.294 * float(np.sqrt(shape.months_per_bucket / 3))
        return (
            Parameter("calendar_sd", "half", (0.0, high), "sd of log hazard from one bucket to the next"),
            Parameter(
                "calendar",
                "identity",
                (-Z90, Z90),
                "change of log hazard from one bucket to the next",
                size=shape.buckets - 1,
                scale="calendar_sd",
            ),
        )

    def eta(self, theta: Theta, cells: CellIndex, ops: Ops = NUMPY) -> Array:
        """The walk's level in the cell's bucket."""
        if "calendar" not in theta:
            return 0.0
        return ops.take(theta["calendar"] @ cells.calendar, cells.bucket)
