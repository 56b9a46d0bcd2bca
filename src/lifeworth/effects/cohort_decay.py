"""CohortDecay: a cohort starts better or worse than the others, and the difference dies away with tenure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lifeworth._ops import NUMPY, Array, Ops
from lifeworth._parameters import Z90, Parameter, Theta
from lifeworth.effects.base import CellIndex, Effect, Shape

LOG2 = float(np.log(2))


@dataclass(frozen=True, slots=True)
class CohortDecay(Effect):
    """Partially pooled cohort deviations of log hazard that halve every `cohort_half_life` periods.

    Cohort, tenure and calendar time are linearly dependent; a deviation that lasted would not be told apart
    from a calendar walk. One that dies away is, and an unseen cohort draws its own.
    """

    about = "quality of a cohort at its start"
    uses = frozenset({"cohort", "tenure"})

    def parameters(self, shape: Shape) -> tuple[Parameter, ...]:
        """`cohort_sd`, `cohort_half_life` and one `cohort` deviation each."""
        if shape.cohorts < 2:
            return ()
        typical = float(np.sqrt(12 / shape.months_per_period))
        return (
            Parameter("cohort_sd", "log", (0.03, 0.6), "sd of log hazard between cohorts at tenure 0"),
            Parameter(
                "cohort_half_life",
                "log",
                (0.9 * typical, 4.6 * typical),
                "periods until half of a cohort's deviation is gone",
            ),
            Parameter(
                "cohort",
                "identity",
                (-Z90, Z90),
                "log hazard of a cohort at tenure 0 against the common level",
                size=shape.cohorts,
                scale="cohort_sd",
                zero_sum=True,
            ),
        )

    def eta(self, theta: Theta, cells: CellIndex, ops: Ops = NUMPY) -> Array:
        """The cohort's deviation, as much as is left of it at the cell's tenure."""
        if "cohort" not in theta:
            return 0.0
        left = ops.exp(-LOG2 * cells.tenure / theta["cohort_half_life"])
        return ops.take(theta["cohort"], cells.cohort) * left
