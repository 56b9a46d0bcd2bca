"""Customer lifetime value with uncertainty that holds: formulas beside Bayesian models, per cohort.

Names are loaded when they are first used, so that importing this package costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lifeworth import formulas, plot
    from lifeworth._version import __version__
    from lifeworth.backtesting.backtest import backtest
    from lifeworth.backtesting.fit_table import FitTable, fit_many, stacked_value
    from lifeworth.backtesting.scoreboard import Scoreboard, scoreboard
    from lifeworth.backtesting.tracking import by_frequency, track
    from lifeworth.calibration import Calibration, calibrate, calibrate_purchases
    from lifeworth.causes import lost_by_cause
    from lifeworth.churn import (
        BetaDiscreteWeibull,
        ChurnCurve,
        Cure,
        DiscreteWeibull,
        Geometric,
        Gompertz,
        LogLogistic,
        Lomax,
        Piecewise,
        ShiftedBetaGeometric,
        Smooth,
    )
    from lifeworth.comparison import compare
    from lifeworth.economics import Economics
    from lifeworth.effects import CalendarWalk, CohortDecay, Crossed, Effect, Renewal, Season, Segments, Shock
    from lifeworth.expansion import Constant, Decaying, ExpansionCurve, Flat, Saturating
    from lifeworth.fitting import fit
    from lifeworth.ledger import CohortTable, Ledger, PurchaseTable, TransactionLedger, datasets
    from lifeworth.margins import measured_margin
    from lifeworth.point_estimates import point_estimate
    from lifeworth.prior import prior_predictive
    from lifeworth.purchase_fitting import fit_purchases
    from lifeworth.purchases import BGBB, BGNBD, MBGNBD, GammaGamma, History, ParetoNBD, PurchaseModel, Spend
    from lifeworth.results import Diagnostics, Fit, SamplerOptions
    from lifeworth.scoring import score
    from lifeworth.shape_check import TenureCheck, tenure_check
    from lifeworth.store import load
    from lifeworth.transactional.checks import calendar_check, spend_check, timing_check
    from lifeworth.transactional.comparison import PurchaseComparison, compare_purchases
    from lifeworth.transactional.results import PurchaseFit
    from lifeworth.transactional.score import score_purchases
    from lifeworth.transactional.value import PurchaseValuation, value_purchases
    from lifeworth.valuation import Valuation
    from lifeworth.valuing import value

_HOME = {
    "lifeworth": ("formulas", "plot"),
    "lifeworth._version": ("__version__",),
    "lifeworth.backtesting.backtest": ("backtest",),
    "lifeworth.calibration": ("Calibration", "calibrate", "calibrate_purchases"),
    "lifeworth.causes": ("lost_by_cause",),
    "lifeworth.churn": (
        "BetaDiscreteWeibull",
        "ChurnCurve",
        "Cure",
        "DiscreteWeibull",
        "Geometric",
        "Gompertz",
        "LogLogistic",
        "Lomax",
        "Piecewise",
        "ShiftedBetaGeometric",
        "Smooth",
    ),
    "lifeworth.comparison": ("compare",),
    "lifeworth.economics": ("Economics",),
    "lifeworth.effects": (
        "CalendarWalk",
        "CohortDecay",
        "Crossed",
        "Effect",
        "Renewal",
        "Season",
        "Segments",
        "Shock",
    ),
    "lifeworth.expansion": ("Constant", "Decaying", "ExpansionCurve", "Flat", "Saturating"),
    "lifeworth.backtesting.fit_table": ("FitTable", "fit_many", "stacked_value"),
    "lifeworth.fitting": ("fit",),
    "lifeworth.ledger": ("CohortTable", "Ledger", "PurchaseTable", "TransactionLedger", "datasets"),
    "lifeworth.margins": ("measured_margin",),
    "lifeworth.point_estimates": ("point_estimate",),
    "lifeworth.prior": ("prior_predictive",),
    "lifeworth.purchases": (
        "BGBB",
        "BGNBD",
        "MBGNBD",
        "GammaGamma",
        "History",
        "ParetoNBD",
        "PurchaseModel",
        "Spend",
    ),
    "lifeworth.results": ("Diagnostics", "Fit", "SamplerOptions"),
    "lifeworth.backtesting.scoreboard": ("Scoreboard", "scoreboard"),
    "lifeworth.scoring": ("score",),
    "lifeworth.shape_check": ("TenureCheck", "tenure_check"),
    "lifeworth.store": ("load",),
    "lifeworth.backtesting.tracking": (
        "by_frequency",
        "track",
    ),
    "lifeworth.purchase_fitting": ("fit_purchases",),
    "lifeworth.transactional.checks": (
        "calendar_check",
        "spend_check",
        "timing_check",
    ),
    "lifeworth.transactional.comparison": (
        "PurchaseComparison",
        "compare_purchases",
    ),
    "lifeworth.transactional.results": ("PurchaseFit",),
    "lifeworth.transactional.score": ("score_purchases",),
    "lifeworth.transactional.value": (
        "PurchaseValuation",
        "value_purchases",
    ),
    "lifeworth.valuation": ("Valuation",),
    "lifeworth.valuing": ("value",),
}
_MODULES = ("formulas", "plot", "datasets")
_WHERE = {name: home for home, names in _HOME.items() for name in names}

__all__ = [
    "BGBB",
    "BGNBD",
    "MBGNBD",
    "BetaDiscreteWeibull",
    "CalendarWalk",
    "Calibration",
    "ChurnCurve",
    "CohortDecay",
    "CohortTable",
    "Constant",
    "Crossed",
    "Cure",
    "Decaying",
    "Diagnostics",
    "DiscreteWeibull",
    "Economics",
    "Effect",
    "ExpansionCurve",
    "Fit",
    "FitTable",
    "Flat",
    "GammaGamma",
    "Geometric",
    "Gompertz",
    "History",
    "Ledger",
    "LogLogistic",
    "Lomax",
    "ParetoNBD",
    "Piecewise",
    "PurchaseComparison",
    "PurchaseFit",
    "PurchaseModel",
    "PurchaseTable",
    "PurchaseValuation",
    "Renewal",
    "SamplerOptions",
    "Saturating",
    "Scoreboard",
    "Season",
    "Segments",
    "ShiftedBetaGeometric",
    "Shock",
    "Smooth",
    "Spend",
    "TenureCheck",
    "TransactionLedger",
    "Valuation",
    "__version__",
    "backtest",
    "by_frequency",
    "calendar_check",
    "calibrate",
    "calibrate_purchases",
    "compare",
    "compare_purchases",
    "datasets",
    "fit",
    "fit_many",
    "fit_purchases",
    "formulas",
    "load",
    "lost_by_cause",
    "measured_margin",
    "plot",
    "point_estimate",
    "prior_predictive",
    "score",
    "score_purchases",
    "scoreboard",
    "spend_check",
    "stacked_value",
    "tenure_check",
    "timing_check",
    "track",
    "value",
    "value_purchases",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'lifeworth' has no attribute {name!r}")
    home = _WHERE[name]
    found = import_module(f"{home}.{name}") if name in _MODULES else getattr(import_module(home), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
