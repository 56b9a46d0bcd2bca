"""Customer lifetime value with uncertainty that holds: formulas beside Bayesian models, per cohort.

Names are loaded when they are first used, so that importing this package costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lifeworth import formulas, plot
    from lifeworth._version import __version__
    from lifeworth.backtesting import backtest
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
    from lifeworth.effects import CalendarWalk, CohortDecay, Effect, Segments
    from lifeworth.expansion import Constant, ExpansionCurve, Flat
    from lifeworth.fitting import fit
    from lifeworth.ledger import CohortTable, Ledger, datasets
    from lifeworth.prior import prior_predictive
    from lifeworth.results import Diagnostics, Fit, SamplerOptions
    from lifeworth.scoring import score
    from lifeworth.store import load
    from lifeworth.valuation import Valuation
    from lifeworth.valuing import value

_HOME = {
    "lifeworth": ("formulas", "plot"),
    "lifeworth._version": ("__version__",),
    "lifeworth.backtesting": ("backtest",),
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
    "lifeworth.effects": ("CalendarWalk", "CohortDecay", "Effect", "Segments"),
    "lifeworth.expansion": ("Constant", "ExpansionCurve", "Flat"),
    "lifeworth.fitting": ("fit",),
    "lifeworth.ledger": ("CohortTable", "Ledger", "datasets"),
    "lifeworth.prior": ("prior_predictive",),
    "lifeworth.results": ("Diagnostics", "Fit", "SamplerOptions"),
    "lifeworth.scoring": ("score",),
    "lifeworth.store": ("load",),
    "lifeworth.valuation": ("Valuation",),
    "lifeworth.valuing": ("value",),
}
_MODULES = ("formulas", "plot", "datasets")
_WHERE = {name: home for home, names in _HOME.items() for name in names}

__all__ = [
    "BetaDiscreteWeibull",
    "CalendarWalk",
    "ChurnCurve",
    "CohortDecay",
    "CohortTable",
    "Constant",
    "Cure",
    "Diagnostics",
    "DiscreteWeibull",
    "Economics",
    "Effect",
    "ExpansionCurve",
    "Fit",
    "Flat",
    "Geometric",
    "Gompertz",
    "Ledger",
    "LogLogistic",
    "Lomax",
    "Piecewise",
    "SamplerOptions",
    "Segments",
    "ShiftedBetaGeometric",
    "Smooth",
    "Valuation",
    "__version__",
    "backtest",
    "compare",
    "datasets",
    "fit",
    "formulas",
    "load",
    "plot",
    "prior_predictive",
    "score",
    "value",
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
