"""The scoreboard as a picture: who forecast best, by how much, and whether the bands held."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pandas as pd

from lifeworth.errors import DefinitionError
from lifeworth.plot._figures import DARK, GREY, INK, LIGHT, axes, heading, short_money

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from lifeworth.backtesting.scoreboard import Scoreboard

_MARKS = {"curve": ("o", DARK), "stacked": ("D", INK), "formula": ("^", "white"), "baseline": ("s", LIGHT)}
"""Shape and filling by kind: told apart in grey too."""

_NAMES = {
    "logo_retention": "logo retention",
    "revenue_retained": "revenue retained",
    "nrr": "NRR",
    "customers": "customers left of the book",
    "revenue": "revenue left of the book",
}
_POINTS = ("logo_retention", "revenue_retained", "nrr")
"""Measures that are shares: shown in percentage points."""


def scoreboard(board: Scoreboard, measure: str = "nrr", *, ax: Axes | None = None) -> Figure:
    """Mean CRPS of every method on one measure, the best at the top, with what its 80% band held.

    The line through a point is twice the standard error of its difference to the stacked posterior: where it does not
    reach the dotted line, the difference is not one of these few periods alone. The axis is logarithmic where the
    worst is more than ten times the best.

    Parameters
    ----------
    board : Scoreboard
    measure : str
        "logo_retention", "revenue_retained", "nrr", "customers" or "revenue".
    ax : Axes, optional

    Returns
    -------
    Figure

    Raises
    ------
    DefinitionError
        The measure was not forecast.
    """
    scores = board.summary()
    if measure not in set(scores["measure"]):
        raise DefinitionError(f"no forecast of {measure!r}: there are {', '.join(sorted(set(scores['measure'])))}.")
    scores = scores[scores["measure"] == measure].sort_values("crps", ignore_index=True)
    apart = board.differences()
    errors = apart[apart["measure"] == measure].set_index("method")["se"]
    unit = 100.0 if measure in _POINTS else 1.0
    figure, ax = axes(ax, width=8.6, height=1.9 + 0.36 * len(scores))
    stacked = float(scores.loc[scores["kind"] == "stacked", "crps"].iloc[0]) * unit
    if scores["crps"].max() > 10 * scores["crps"].min() > 0:
        ax.set_xscale("log")
    ax.axvline(stacked, color=GREY, linewidth=0.8, linestyle=":", zorder=0)
    for place, row in scores.iterrows():
        _row(ax, len(scores) - 1 - int(str(place)), row, 2 * unit * float(errors.get(row["method"], 0.0)), unit)
    _label(ax, board, scores, measure)
    return figure


def _row(ax: Axes, y: int, row: pd.Series, error: float, unit: float) -> None:
    x, (shape, filling) = row["crps"] * unit, _MARKS[row["kind"]]
    if error > 0:
        low = max(x - error, 0.02 * x)  # a logarithmic axis has no zero
        ax.plot([low, x + error], [y, y], color=GREY, linewidth=1.2, zorder=1)
    ax.plot(x, y, shape, markersize=6.5, markerfacecolor=filling, markeredgecolor=INK, markeredgewidth=0.9, zorder=2)
    held = "no band" if row["width_80"] == 0 else f"held {row['coverage_80']:.0%}"
    ax.text(1.01, y, held, transform=ax.get_yaxis_transform(), fontsize=8.5, color=INK, va="center")


def _label(ax: Axes, board: Scoreboard, scores: pd.DataFrame, measure: str) -> None:
    names = [_name(row) for _, row in scores.iterrows()][::-1]
    ax.set_yticks(range(len(names)), names, fontsize=8.5)
    ax.set_ylim(-0.7, len(names) - 0.3)
    currency = board.backtest.fits[0].table.currency if board.backtest.fits else None
    what = {"revenue": f"CRPS, {currency or 'money'} per segment", "customers": "CRPS, accounts per segment"}
    ax.set_xlabel(what.get(measure, "CRPS, percentage points (smaller is better)"), fontsize=9.5)
    ax.xaxis.set_major_formatter(lambda value, _: short_money(value))
    ax.xaxis.set_minor_formatter("")
    units, origins = int(scores["n"].max()), board.backtest.units["origin"].nunique()
    kinds = [kind for kind in _MARKS if kind in set(scores["kind"])]
    handles = [
        ax.plot([], [], _MARKS[k][0], markerfacecolor=_MARKS[k][1], markeredgecolor=INK, linestyle="", label=k)[0]
        for k in kinds
    ]
    ax.legend(handles=handles, loc="upper right", fontsize=8.5, frameon=False)
    heading(
        ax,
        f"Forecasts of {_NAMES[measure]} that were scored on what happened",
        f"{units} units from {origins} origin{'s' * (origins > 1)}; at the right: how often the 80% band held",
    )


def _name(row: pd.Series) -> str:
    others = len(str(row["also"]).split("; ")) if row["also"] else 0
    name = textwrap.shorten(str(row["method"]), 46, placeholder="…")
    return f"{name}, and {others} like it" if others else name
