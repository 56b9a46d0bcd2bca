"""From rows in an engine to a small table of cells."""

from lifeworth.ledger.checks import Check
from lifeworth.ledger.ledger import Ledger
from lifeworth.ledger.spells import TERM_COLUMN
from lifeworth.ledger.table import CohortTable

__all__ = ["TERM_COLUMN", "Check", "CohortTable", "Ledger"]
