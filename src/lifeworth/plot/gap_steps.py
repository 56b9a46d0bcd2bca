"""The gap in steps, as a waterfall: from a formula's number down to the posterior mean."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lifeworth.plot._figures import DARK, GREY, INK, LIGHT, axes, heading, money_formatter, segment_name, short_money

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from lifeworth.comparison import Gap

_SMALL = 0.005
"""Steps below this share of the largest value on the way are drawn together."""
_WORDS = {
    "segments": "segments' own numbers",
    "arpa": "ARPA of these accounts",
    "compounding": "expansion compounds",
    "horizon": "end at the horizon",
    "discounting": "discounting and dates",
    "censoring": "young accounts not lost",
    "tenure": "retention by tenure",
    "fitted": "fitted hazard",
    "money": "churn by money",
    "growth": "expansion as fitted",
    "cost": "cost to serve, price increase",
    "uncertainty": "parameter uncertainty",
    "calendar": "future calendar",
}
_MEASURE = {
    "cltv": "CLTV per new account",
    "residual": "residual CLTV per account in force",
    "total_residual": "residual CLTV of all accounts in force",
}
_BARS: dict[str, dict[str, Any]] = {
    "total": {"facecolor": DARK, "edgecolor": INK, "linewidth": 0.8},
    "up": {"facecolor": LIGHT, "edgecolor": INK, "linewidth": 0.8},
    "down": {"facecolor": "white", "edgecolor": INK, "linewidth": 0.8, "hatch": "////"},
}


@dataclass(frozen=True, slots=True)
class _Bar:
    label: str
    before: float
    after: float
    kind: str

    def text(self, currency: str | None) -> str:
        """The amount: whole for a total, signed for a step."""
        change = self.after - self.before
        sign = "" if self.kind == "total" and change >= 0 else "+" if change >= 0 else "\N{MINUS SIGN}"
        return f"{sign}{short_money(abs(change))}{f' {currency}' if currency else ''}"


def gap(gap: Gap, *, ax: Axes | None = None) -> Figure:
    """The steps from a formula to the posterior mean, the largest to the smallest value on one axis.

    Full bars are values, plain floating ones what a step adds, hatched ones what it takes away. Steps below 0.5% of
    the largest value are drawn as one. A formula without a value begins at the first value there is.

    Parameters
    ----------
    gap : Gap
        From `Comparison.gap`.
    ax : Axes, optional

    Returns
    -------
    Figure
    """
    bars = _bars(gap)
    figure, ax = axes(ax, width=8.0, height=1.5 + 0.44 * len(bars))
    ends = [end for bar in bars for end in (bar.before, bar.after)]
    low, high = min(0.0, *ends), max(0.0, *ends)
    for place, bar in enumerate(bars):
        _draw(ax, bar, len(bars) - 1 - place, 0.012 * (high - low), gap.currency)
        if place + 1 < len(bars):
            between = [len(bars) - 1.3 - place, len(bars) - 1.7 - place]
            ax.plot([bar.after] * 2, between, color=GREY, linewidth=0.8, zorder=1)
    ax.set_xlim(low - 0.12 * (high - low) * (low < 0), high + 0.18 * (high - low))
    _label(ax, gap, bars)
    return figure


def _draw(ax: Axes, bar: _Bar, height: int, space: float, currency: str | None) -> None:
    left, right = min(bar.before, bar.after), max(bar.before, bar.after)
    ax.barh(height, right - left, left=left, height=0.6, zorder=2, **_BARS[bar.kind])
    bold = "bold" if bar.kind == "total" else "normal"
    ax.text(right + space, height, bar.text(currency), va="center", fontsize=8.8, color=INK, fontweight=bold, zorder=3)


def _bars(gap: Gap) -> list[_Bar]:
    """Start, steps worth a bar in their order, the others together, end."""
    defined = [step for step in gap.steps if np.isfinite(step.change)]
    start = gap.start if np.isfinite(gap.start) else gap.steps[0].after
    label = f"{gap.method}, {gap.basis}"
    if not np.isfinite(gap.start):
        label = f"{gap.method}: undefined; after {_words(gap.steps[0].names)}"
    scale = max(abs(value) for value in (start, gap.end, *(step.after for step in defined)))
    bars, at, rest = [_Bar(label, 0.0, start, "total")], start, 0.0
    for step in defined:
        if abs(step.change) < _SMALL * scale:
            rest += step.change
            continue
        bars.append(_Bar(_words(step.names), at, at + step.change, "up" if step.change > 0 else "down"))
        at += step.change
    if abs(rest) > 1e-6 * scale:
        bars.append(_Bar("smaller steps together", at, at + rest, "up" if rest > 0 else "down"))
    return [*bars, _Bar("posterior mean", 0.0, gap.end, "total")]


def _word(name: str) -> str:
    if not name.startswith("sheet: "):
        return _WORDS.get(name, name)
    number = name.removeprefix("sheet: ").removesuffix("_annual").removesuffix("_years").replace("_", " ")
    return f"the table's {number.replace('arpa', 'ARPA')}"


def _words(names: tuple[str, ...]) -> str:
    """Steps that are one: two by name, more by the first and the last."""
    if len(names) > 2:
        return f"{_word(names[0])} to {_word(names[-1])}, {len(names)} steps in one"
    return " + ".join(map(_word, names))


def _label(ax: Axes, gap: Gap, bars: list[_Bar]) -> None:
    ax.set_yticks(range(len(bars)), labels=[textwrap.fill(bar.label, 34) for bar in bars[::-1]])
    ax.set_ylim(-0.6, len(bars) - 0.4)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.axvline(0, color=INK, linewidth=0.8, zorder=1)
    ax.set_xlabel(_MEASURE[gap.measure] + (f" ({gap.currency})" if gap.currency else ""))
    ax.xaxis.set_major_formatter(money_formatter())
    labels = list(gap.segment.values())
    who = "all segments" if set(labels) <= {"all"} else segment_name(labels)
    cohort = "" if gap.cohort in ("new", "all") else f", cohort {gap.cohort}"
    order = ", in the opposite order" if gap.reverse else ""
    heading(ax, f"From the formula to the posterior{order}: {who}{cohort}", "Plain bars add, hatched bars take away.")
