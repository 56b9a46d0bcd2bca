"""Purchases of customers without a contract: one file per model, and what they spend."""

from lifeworth.purchases.base import DAYS_PER_YEAR, PURCHASES, WEEKS_PER_YEAR, History, PurchaseModel
from lifeworth.purchases.bg_bb import BGBB
from lifeworth.purchases.bg_nbd import BGNBD
from lifeworth.purchases.mbg_nbd import MBGNBD
from lifeworth.purchases.pareto_nbd import ParetoNBD
from lifeworth.purchases.spend import GammaGamma, Spend

__all__ = [
    "BGBB",
    "BGNBD",
    "DAYS_PER_YEAR",
    "MBGNBD",
    "PURCHASES",
    "WEEKS_PER_YEAR",
    "GammaGamma",
    "History",
    "ParetoNBD",
    "PurchaseModel",
    "Spend",
]
