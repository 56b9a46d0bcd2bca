"""Constant: the survivors' money grows and shrinks at rates that do not depend on tenure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lifeworth._ops import NUMPY, Array, Ops
from lifeworth._parameters import Parameter, Theta
from lifeworth.expansion.base import ExpansionCurve


@dataclass(frozen=True, slots=True)
class Constant(ExpansionCurve):
    """One expansion and one contraction rate a year, as shares of the survivors' opening money."""

    about = "the same rates at every tenure"

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """`expansion_annual` and `contraction_annual`."""
        return (
            Parameter("expansion_annual", "log", (0.005, 0.60), "expansion a year, share of survivors' opening money"),
            Parameter("contraction_annual", "log", (0.002, 0.30), "contraction a year, share of the same"),
        )

    def rates(self, years: Array, theta: Theta, ops: Ops = NUMPY) -> tuple[Array, Array]:
        """The two rates, whatever the tenure."""
        flat = np.ones(np.shape(years))
        return theta["expansion_annual"] * flat, theta["contraction_annual"] * flat
