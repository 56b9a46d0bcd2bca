"""Saturating: an account grows towards a ceiling, a multiple of what it paid at first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lifeworth._ops import NUMPY, Array, Ops
from lifeworth._parameters import Parameter, Theta
from lifeworth.expansion.base import ExpansionCurve


@dataclass(frozen=True, slots=True)
class Saturating(ExpansionCurve):
    """A ceiling on the account's size: what makes negative net churn finite.

    The multiple m of the first ARPA by expansion alone is logistic, dm/dt = r m (1 - m/C) with m(0) = 1, so that the
    expansion rate at t years is r (1 - m(t)/C): `expansion_annual` e at acquisition, zero at the ceiling. C is
    1 + `headroom`, and r = e C / (C - 1). As t grows m goes to C; as C grows the rate stays e, which is Constant.
    Contraction is constant and makes no room: what an account gave up is not sold to it again.

    In steps, the rate at the opening of a tenure holds for the whole of it. At e = 20% and C = 2 the money then ends
    0.5% above the ceiling in months, 1.5% in quarters and 6% in years: a ceiling read from yearly cells is that much
    too low, while the money follows the cells. A segment whose rates are f times the common ones ends at C^f.

    Source: Verhulst (1838), Correspondance mathematique et physique 10, 113-121: the logistic law of growth.

    Examples
    --------
    The ceiling is twice the first ARPA. After ln 3 / r years, r = 0.4, an account stands at 1.5, and a quarter of
    r is left:

    >>> theta = {"expansion_annual": 0.2, "contraction_annual": 0.05, "headroom": 1.0}
    >>> t = np.array([0.0, np.log(3) / 0.4, 1000.0])
    >>> Saturating().multiple(t, theta).round(6).tolist()
    [1.0, 1.5, 2.0]
    >>> Saturating().rates(t, theta)[0].round(6).tolist()
    [0.2, 0.1, 0.0]
    """

    about = "expansion that ends at a multiple of the first ARPA"

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """`expansion_annual` (at acquisition), `headroom` (the ceiling less one) and `contraction_annual`."""
        return (
            Parameter("expansion_annual", "log", (0.01, 1.0), "expansion a year at acquisition, of survivors' money"),
            Parameter("headroom", "log", (0.3, 9.0), "ceiling of an account less one, in multiples of its first ARPA"),
            Parameter("contraction_annual", "log", (0.002, 0.30), "contraction a year, of survivors' opening money"),
        )

    def rates(self, years: Array, theta: Theta, ops: Ops = NUMPY) -> tuple[Array, Array]:
        """Expansion r (1 - m(t)/C), and the same contraction at every tenure."""
        age = np.asarray(years, dtype=float)
        begun, headroom = theta["expansion_annual"], theta["headroom"]
        left = ops.exp(-begun * (1 + headroom) / headroom * age)
        return begun * (1 + headroom) * left / (1 + headroom * left), theta["contraction_annual"] * np.ones(age.shape)

    def multiple(self, years: Array, theta: Theta) -> Array:
        """Money of a surviving account by expansion alone, without steps, as a multiple of its first; (..., n)."""
        headroom = theta["headroom"]
        pace = theta["expansion_annual"] * (1 + headroom) / headroom
        return (1 + headroom) / (1 + headroom * np.exp(-pace * np.asarray(years, dtype=float)))
