"""Season: churn has a level of its own in each bucket of the year."""

from __future__ import annotations

from dataclasses import dataclass

from lifeworth._ops import NUMPY, Array, Ops
from lifeworth._parameters import Z90, Parameter, Theta
from lifeworth.effects.base import CellIndex, Effect, Shape


@dataclass(frozen=True, slots=True)
class Season(Effect):
    """Deviations of log hazard by the bucket of the year that sum to zero and come back every year.

    With quarterly buckets there are four, of which the last is the one that ends at as_of; with monthly ones twelve,
    in the order of the buckets from the first. Needs more than a year of buckets.
    """

    about = "churn by time of year"
    uses = frozenset({"bucket"})

    def parameters(self, shape: Shape) -> tuple[Parameter, ...]:
        """`season_sd` and one `season` deviation for each bucket of a year."""
        size = 12 // shape.months_per_bucket
        if size < 2 or shape.buckets <= size:
            return ()
        about = "log hazard at a time of year against the year's level"
        return (
            Parameter("season_sd", "log", (0.02, 0.40), "sd of log hazard between the buckets of a year"),
            Parameter("season", "identity", (-Z90, Z90), about, size=size, scale="season_sd", zero_sum=True),
        )

    def eta(self, theta: Theta, cells: CellIndex, ops: Ops = NUMPY) -> Array:
        """The deviation of the cell's time of year."""
        if "season" not in theta:
            return 0.0
        return ops.take(theta["season"], cells.bucket % theta["season"].shape[-1])
