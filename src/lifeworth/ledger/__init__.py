"""From rows in an engine to a small table of cells."""

from lifeworth.ledger.checks import Check
from lifeworth.ledger.expanded import EXPANDED_COLUMN
from lifeworth.ledger.ledger import Ledger
from lifeworth.ledger.purchase_table import PurchaseTable
from lifeworth.ledger.spells import TERM_COLUMN
from lifeworth.ledger.table import CohortTable
from lifeworth.ledger.transactions import TransactionLedger

__all__ = ["EXPANDED_COLUMN", "TERM_COLUMN", "Check", "CohortTable", "Ledger", "PurchaseTable", "TransactionLedger"]
