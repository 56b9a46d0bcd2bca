"""Formulas against the posterior: each closed form's point beside the band, in both readings."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lifeworth.errors import DefinitionError
from lifeworth.plot._figures import (
    DARK,
    INK,
    LIGHT,
    axes,
    heading,
    money_formatter,
    segment_name,
    short_money,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from lifeworth.comparison import Comparison

_VEIL: dict[str, Any] = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.8}
_EXPLODED = 4.0
"""How far above the band, as a multiple of it, a point may lie before the axis becomes logarithmic."""


_WHAT = {
    "cltv": "CLTV of an account acquired on",
    "residual": "residual CLTV of an account in force on",
    "total_residual": "residual CLTV of all accounts in force on",
}


def compare(
    comparison: Comparison,
    *,
    segment: Sequence[str] | None = None,
    methods: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Value by each formula, beside the two 80% bands of the posterior.

    Filled points are the formulas as practised, open ones the same rates with the posterior's horizon, discounting
    and timing. A formula that is undefined is named with its reason. The axis is logarithmic where a formula lies
    more than four times above the band.

    Parameters
    ----------
    comparison : Comparison
    segment : sequence of str, optional
        Values of the `by` columns, "all" for a total; None is everything.
    methods : sequence of str, optional
        Names of the formulas to show; None is all of them.
    ax : Axes, optional

    Returns
    -------
    Figure

    Raises
    ------
    DefinitionError
        There is no such segment or formula.
    """
    by = comparison.value.by
    wanted = tuple(segment) if segment is not None else tuple("all" for _ in by)
    table = comparison.table()
    table = table[table["cohort"] == table["cohort"].iloc[0]]
    for name, label in zip(by, wanted, strict=True):
        table = table[table[name] == label]
    if table.empty:
        raise DefinitionError(f"no segment {wanted}: the comparison has none of that name.")
    known = list(dict.fromkeys(table["method"]))
    if unknown := [name for name in methods or () if name not in known]:
        raise DefinitionError(f"no formula {', '.join(map(repr, unknown))}: there are {', '.join(map(repr, known))}.")
    shown = [name for name in known if methods is None or name in methods]
    table = table[table["method"].isin(shown)]
    figure, ax = axes(ax, width=8.4, height=1.9 + 0.52 * len(shown))
    kinds = {str(kind): rows.iloc[0] for kind, rows in table.groupby("kind")}
    _bands(ax, kinds, len(shown))
    points = table[table["kind"] == "parameter"]
    _scale(ax, points, kinds["predictive"])
    _name_bands(ax, kinds, len(shown))
    for place, method in enumerate(shown):
        _method(ax, points[points["method"] == method], len(shown) - 1 - place)
    _label(ax, comparison, shown, wanted)
    return figure


def _bands(ax: Axes, kinds: dict[str, pd.Series], methods: int) -> None:
    for kind, colour in (("predictive", LIGHT), ("parameter", DARK)):
        row = kinds[kind]
        ax.axvspan(row["p10"], row["p90"], ymax=methods / (methods + 1.0), color=colour, zorder=0, linewidth=0)
    mean = kinds["parameter"]["mean"]
    ax.axvline(mean, ymax=methods / (methods + 1.0), color="white", linewidth=1.2, zorder=1)


def _name_bands(ax: Axes, kinds: dict[str, pd.Series], methods: int) -> None:
    """What the bands are, above them, on the side where there is room."""
    text = (
        f"posterior mean {short_money(kinds['parameter']['mean'])}\n"
        "dark: 80% of the expected value (parameter)\nlight: 80% of what will be realised (predictive)"
    )
    low, high = (kinds["predictive"][q] for q in ("p10", "p90"))
    left = ax.transAxes.inverted().transform(ax.transData.transform((low, 0)))[0] < 0.45
    at = (low if left else high, methods - 0.5)
    ax.text(*at, text, ha="left" if left else "right", va="bottom", fontsize=8.2, color=INK, linespacing=1.25)


def _scale(ax: Axes, points: pd.DataFrame, band: pd.Series) -> None:
    estimates = points["estimate"].to_numpy(dtype=float)
    estimates = estimates[np.isfinite(estimates)]
    low = float(np.min([band["p10"], *estimates]))
    high = float(np.max([band["p90"], *estimates]))
    if low > 0 and high > _EXPLODED * band["p90"]:
        ax.set_xscale("log")
        ax.set_xlim(low / 1.6, high * 2.2)
        return
    span = high - min(low, 0.0)
    ax.set_xlim(min(low - 0.05 * span, 0.0), high + 0.3 * span)


def _method(ax: Axes, rows: pd.DataFrame, height: int) -> None:
    """Both readings of one method, as practised above and aligned below."""
    for offset, (_, row) in zip((0.16, -0.2), rows.iterrows(), strict=False):
        practised = row["basis"] == "as practised"
        at = height + offset
        if np.isnan(row["estimate"]):
            text = "undefined: " + textwrap.shorten(_reason(row["reason"]), 74, placeholder=" ...")
            where: dict[str, Any] = {"transform": ax.get_yaxis_transform(), "fontsize": 8, "va": "center", "zorder": 5}
            ax.text(0.01, at, text, color=INK, fontstyle="italic", bbox=_VEIL, **where)
            continue
        face = INK if practised else "white"
        ax.plot(row["estimate"], at, "o", color=INK, markerfacecolor=face, markersize=5.5, zorder=4)
        gap = _gap(row)
        ax.annotate(
            f"{short_money(row['estimate'])} {gap}",
            (row["estimate"], at),
            (7, 0),
            textcoords="offset points",
            fontsize=8.2,
            va="center",
            color=INK,
            zorder=5,
            bbox=_VEIL,
        )


def _reason(text: str) -> str:
    """A reason without the name of the function that gave it."""
    return text.split(": ", 1)[-1].rstrip(".")


def _gap(row: pd.Series) -> str:
    if not row["mean"] > 0:
        return ""
    return f"({row['estimate'] / row['mean'] - 1:+.0%})"


def _label(ax: Axes, comparison: Comparison, methods: list[str], wanted: tuple[str, ...]) -> None:
    value = comparison.value
    currency = value.economics.currency or value.fit.table.currency
    who = "all segments" if set(wanted) <= {"all"} else segment_name(wanted)
    ax.set_yticks(range(len(methods)), labels=[textwrap.fill(name, 24) for name in methods[::-1]])
    ax.set_ylim(-0.5, len(methods) + 0.5)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    log = ", logarithmic" if ax.get_xscale() == "log" else ""
    ax.set_xlabel(f"{_WHAT[comparison.measure]} {value.fit.table.as_of}{f' ({currency})' if currency else ''}{log}")
    ax.xaxis.set_major_formatter(money_formatter())
    note = "Filled: as practised. Open: aligned to the posterior's horizon, discounting, timing and cost."
    heading(ax, f"Formulas against the posterior, {who}", note)
