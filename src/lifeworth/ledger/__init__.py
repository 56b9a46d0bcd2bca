"""From rows in an engine to a small table of cells."""

from lifeworth.ledger.checks import Check
from lifeworth.ledger.ledger import Ledger
from lifeworth.ledger.table import CohortTable

__all__ = ["Check", "CohortTable", "Ledger"]
