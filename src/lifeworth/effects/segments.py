"""Segments: each combination of the table's `by` columns has its own level of churn, partially pooled."""

from __future__ import annotations

from dataclasses import dataclass

from lifeworth._ops import NUMPY, Array, Ops
from lifeworth._parameters import Z90, Parameter, Theta
from lifeworth.effects.base import CellIndex, Effect, Shape


@dataclass(frozen=True, slots=True)
class Segments(Effect):
    """Deviations of log hazard by segment that sum to zero; an unseen segment draws its own."""

    about = "level of churn by segment"
    uses = frozenset({"segment"})

    def parameters(self, shape: Shape) -> tuple[Parameter, ...]:
        """`segment_sd` and one `segment` deviation each."""
        if shape.segments < 2:
            return ()
        return (
            Parameter("segment_sd", "log", (0.05, 1.0), "sd of log hazard between segments"),
            Parameter(
                "segment",
                "identity",
                (-Z90, Z90),
                "log hazard of a segment against the common level",
                size=shape.segments,
                scale="segment_sd",
                zero_sum=True,
            ),
        )

    def eta(self, theta: Theta, cells: CellIndex, ops: Ops = NUMPY) -> Array:
        """The deviation of the cell's segment."""
        return ops.take(theta["segment"], cells.segment) if "segment" in theta else 0.0
