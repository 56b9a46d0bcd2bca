"""Expansion curves: one file each."""

from lifeworth.expansion.base import EXPANSIONS, ExpansionCurve
from lifeworth.expansion.constant import Constant
from lifeworth.expansion.decaying import Decaying
from lifeworth.expansion.flat import Flat
from lifeworth.expansion.saturating import Saturating

__all__ = ["EXPANSIONS", "Constant", "Decaying", "ExpansionCurve", "Flat", "Saturating"]
