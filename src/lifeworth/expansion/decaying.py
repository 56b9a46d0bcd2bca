"""Decaying: the survivors' money grows fast at first, and ever slower as accounts grow old."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lifeworth._ops import NUMPY, Array, Ops
from lifeworth._parameters import Parameter, Theta
from lifeworth.expansion.base import ExpansionCurve

LOG2 = float(np.log(2))


@dataclass(frozen=True, slots=True)
class Decaying(ExpansionCurve):
    """Expansion that halves every `expansion_half_life` years towards zero; contraction is constant.

    The rate at t years is e 2^(-t/H), with e `expansion_annual` and H `expansion_half_life`. Followed without steps,
    the multiple of the first ARPA by expansion alone is exp(e H / ln 2 (1 - 2^(-t/H))): it never passes
    exp(e H / ln 2), so that negative net churn ends. In steps, the rate at the opening of a tenure holds for the
    whole of it, so that the multiple runs a little ahead. At e = 20% and H = 2 years it ends at 1.78, and in steps
    of a month at 1.79, of a year at 1.91.

    Examples
    --------
    A rate of 20% is 10% two years later, and money that grows like this for ever ends at 1.78 times its beginning:

    >>> theta = {"expansion_annual": 0.2, "contraction_annual": 0.05, "expansion_half_life": 2.0}
    >>> Decaying().rates(np.array([0.0, 2.0, 4.0]), theta)[0].tolist()
    [0.2, 0.1, 0.05]
    >>> Decaying().multiple(np.array([2.0, np.inf]), theta).round(4).tolist()
    [1.3345, 1.7808]
    """

    about = "expansion that halves with every half-life since acquisition"

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """`expansion_annual` (at acquisition), `expansion_half_life` and `contraction_annual`."""
        return (
            Parameter("expansion_annual", "log", (0.01, 1.0), "expansion a year at acquisition, of survivors' money"),
            Parameter("expansion_half_life", "log", (0.5, 8.0), "years in which the expansion rate halves"),
            Parameter("contraction_annual", "log", (0.002, 0.30), "contraction a year, of survivors' opening money"),
        )

    def rates(self, years: Array, theta: Theta, ops: Ops = NUMPY) -> tuple[Array, Array]:
        """Expansion e 2^(-t/H), and the same contraction at every tenure."""
        age = np.asarray(years, dtype=float)
        left = ops.exp(-LOG2 * age / theta["expansion_half_life"])
        return theta["expansion_annual"] * left, theta["contraction_annual"] * np.ones(age.shape)

    def multiple(self, years: Array, theta: Theta) -> Array:
        """Money of a surviving account by expansion alone, without steps, as a multiple of its first; (..., n)."""
        half_life = theta["expansion_half_life"]
        gone = -np.expm1(-LOG2 * np.asarray(years, dtype=float) / half_life)
        return np.exp(theta["expansion_annual"] * half_life / LOG2 * gone)
