"""Renewal: an account on a contract decides when its term ends; in between it can hardly leave."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lifeworth._ops import NUMPY, Array, Ops
from lifeworth._parameters import Parameter, Theta
from lifeworth.effects.base import CellIndex, Effect, Shape


@dataclass(frozen=True, slots=True)
class Renewal(Effect):
    """The hazard of a term is taken at its end: the months between renewals are no sign of loyalty.

    An account on a term of n periods has n times the cumulative-hazard increment of its tenure when the term ends,
    counted from acquisition, and `mid_term` times the increment in every other period. At `mid_term` near zero its
    survival over whole terms is about that of an account free to leave in every period; how much more or less such
    accounts leave is the level of their segment, as the term is one of the table's segment columns. Terms are those
    of the column `term_months`.
    """

    about = "contracts that can be left at renewal"
    uses = frozenset({"tenure", "segment", "term"})

    def parameters(self, shape: Shape) -> tuple[Parameter, ...]:
        """`mid_term`, where a term is longer than a period."""
        if shape.longest_term < 2:
            return ()
        about = "hazard in a period without a renewal, over that of an account without a term"
        return (Parameter("mid_term", "log", (0.01, 0.60), about),)

    def eta(self, theta: Theta, cells: CellIndex, ops: Ops = NUMPY) -> Array:
        """Log of the periods whose hazard is taken now."""
        if "mid_term" not in theta:
            return 0.0
        due = (cells.tenure + 1) % cells.term < 1
        between = ops.log(theta["mid_term"]) + 0.0 * cells.tenure
        return ops.where(due, ops.log(1.0 * cells.term), between)


def periods_of(label: str, months_per_period: int) -> int:
    """Periods of a term from its label in the segment column; what is no number has no term.

    Examples
    --------
    >>> periods_of("12", 1), periods_of("12", 12), periods_of("(none)", 1)
    (12, 1, 1)
    """
    months = float(label) if label.replace(".", "", 1).isdigit() else 0.0
    return max(int(np.ceil(months / months_per_period - 1e-9)), 1)
