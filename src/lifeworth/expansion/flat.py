"""Flat: the accounts that stay keep paying what they pay."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lifeworth._ops import NUMPY, Array, Ops
from lifeworth._parameters import Parameter, Theta
from lifeworth.expansion.base import ExpansionCurve


@dataclass(frozen=True, slots=True)
class Flat(ExpansionCurve):
    """No expansion and no contraction; nothing is fitted."""

    about = "no expansion, no contraction"

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """None."""
        return ()

    def rates(self, years: Array, theta: Theta, ops: Ops = NUMPY) -> tuple[Array, Array]:
        """Zero and zero."""
        zero = np.zeros(np.shape(years))
        return zero, zero
