"""Formulas against the posterior: a registry of methods, their numbers, verdicts, decisions, and the gap in steps."""

from lifeworth.comparison import constant, curves
from lifeworth.comparison.alike import check_alike, differences
from lifeworth.comparison.gap import Gap
from lifeworth.comparison.inputs import Inputs
from lifeworth.comparison.registry import METHODS, Convention, Method, find_method, register_method
from lifeworth.comparison.revaluation import STEPS, Revaluation, Setting
from lifeworth.comparison.sheets import Sheet, read_sheet
from lifeworth.comparison.table import Comparison, compare
from lifeworth.comparison.words import verdict
from lifeworth.comparison.workbook import CellRange

__all__ = [
    "METHODS",
    "STEPS",
    "CellRange",
    "Comparison",
    "Convention",
    "Gap",
    "Inputs",
    "Method",
    "Revaluation",
    "Setting",
    "Sheet",
    "check_alike",
    "compare",
    "constant",
    "curves",
    "differences",
    "find_method",
    "read_sheet",
    "register_method",
    "verdict",
]
