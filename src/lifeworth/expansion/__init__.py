"""Expansion curves: one file each."""

from lifeworth.expansion.base import EXPANSIONS, ExpansionCurve
from lifeworth.expansion.constant import Constant
from lifeworth.expansion.flat import Flat

__all__ = ["EXPANSIONS", "Constant", "ExpansionCurve", "Flat"]
