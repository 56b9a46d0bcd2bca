"""Crossed: each segment column has a level of its own for each of its values."""

from __future__ import annotations

from dataclasses import dataclass

from lifeworth._ops import NUMPY, Array, Ops
from lifeworth._parameters import Z90, Parameter, Theta
from lifeworth.effects.base import CellIndex, Effect, Shape


@dataclass(frozen=True, slots=True)
class Crossed(Effect):
    """Deviations of log hazard by the value of each segment column, which add up; each column sums to zero.

    Beside `Segments`, whose deviations are then what the combination adds. A thin combination of well-known values
    is held near the sum of the two.
    """

    about = "level of churn by each segment column"
    uses = frozenset({"segment", "levels"})

    def parameters(self, shape: Shape) -> tuple[Parameter, ...]:
        """`<column>_sd` and `<column>` for each column of several; nothing for a single column."""
        columns = [(name, size) for name, size in shape.columns if size > 1]
        if len(columns) < 2:
            return ()
        made = []
        for name, size in columns:
            about = f"log hazard of a {name} against the common level"
            made += [
                Parameter(f"by_{name}_sd", "log", (0.05, 1.0), f"sd of log hazard between values of {name}"),
                Parameter(f"by_{name}", "identity", (-Z90, Z90), about, size, f"by_{name}_sd", zero_sum=True),
            ]
        return tuple(made)

    def eta(self, theta: Theta, cells: CellIndex, ops: Ops = NUMPY) -> Array:
        """The sum of the deviations of the cell's values."""
        named = ((f"by_{column}", level) for column, level in cells.levels.items())
        return sum((ops.take(theta[name], level) for name, level in named if name in theta), start=0.0)
