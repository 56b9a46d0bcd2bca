"""Pictures: each takes a result and gives a Matplotlib figure; nothing is shown and no global state is touched."""

from lifeworth.plot.cash_bands import bands
from lifeworth.plot.formula_points import compare
from lifeworth.plot.gap_steps import gap
from lifeworth.plot.purchases import frequency_bins, tracking
from lifeworth.plot.score_points import scoreboard
from lifeworth.plot.survival_curves import survival

__all__ = ["bands", "compare", "frequency_bins", "gap", "scoreboard", "survival", "tracking"]
