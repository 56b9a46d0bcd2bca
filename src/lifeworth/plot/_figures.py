"""What the pictures share: a figure without pyplot, quiet axes, money on an axis, labels that do not collide."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from io import BytesIO
from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, GREY, DARK, LIGHT = "#222222", "#767676", "#4a7ba6", "#c9dbea"
LINES = ("#1b4f72", "#c0651a", "#6b8e23", "#8e5a9e")
"""Colours that differ in lightness too."""


def axes(ax: Axes | None, *, width: float = 7.2, height: float = 4.4) -> tuple[Figure, Axes]:
    """The axes given with their figure, or new ones on a figure of this size in inches."""
    if ax is not None:
        figure = ax.get_figure(root=True)
        assert figure is not None
        return figure, quiet(ax)
    figure = new_figure(width, height)
    return figure, quiet(figure.subplots())


class Picture(Figure):
    """A figure that a notebook shows without pyplot."""

    def _repr_png_(self) -> bytes:
        """The figure as a notebook shows it."""
        written = BytesIO()
        self.savefig(written, format="png", dpi=100)
        return written.getvalue()


def new_figure(width: float, height: float) -> Figure:
    """An empty figure that lays itself out."""
    return Picture(figsize=(width, height), dpi=150, layout="constrained")


def quiet(ax: Axes) -> Axes:
    """The same axes without frame at the top and right, and with small type."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=9, colors=INK)
    for text in (ax.xaxis.label, ax.yaxis.label):
        text.set_fontsize(9.5)
    ax.title.set_fontsize(11)
    return ax


def heading(ax: Axes, title: str, note: str) -> None:
    """A title at the left and below it, in smaller type, what is shown."""
    ax.set_title(title + "\n" * (note.count("\n") + 1), loc="left", fontsize=11.5, color=INK, fontweight="bold")
    figure = ax.get_figure(root=True)
    above = 0.09 / figure.get_size_inches()[1] if figure is not None else 0.02
    ax.text(0, 1 + above, note, transform=ax.transAxes, fontsize=8.8, color=GREY, va="bottom", gid="note")


def short_money(amount: float) -> str:
    """Money as a person would say it.

    Examples
    --------
    >>> short_money(12_345.6), short_money(-1_250_000), short_money(83), short_money(7.25)
    ('12.3k', '-1.25M', '83', '7.25')
    """
    for size, letter in ((1e9, "bn"), (1e6, "M"), (1e4, "k")):
        if abs(amount) >= size:
            scale = size if letter != "k" else 1e3
            return f"{amount / scale:.3g}{letter}" if abs(amount) / scale < 999.5 else f"{amount / scale:,.0f}{letter}"
    return f"{amount:,.0f}" if abs(amount) >= 10 or amount == 0 else f"{amount:.3g}"


def money_formatter() -> FuncFormatter:
    """Ticks in short money."""
    return FuncFormatter(lambda amount, _: short_money(amount))


def spread(wanted: Sequence[float], gap: float) -> list[float]:
    """Positions as near as possible to those wanted, in the same order, at least a gap apart.

    Examples
    --------
    >>> spread([0.5, 0.5, 0.9], 0.1)
    [0.45, 0.55, 0.9]
    """
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    groups: list[list[int]] = []
    for i in order:
        groups.append([i])
        while len(groups) > 1 and _low(groups[-1], wanted, gap) < _high(groups[-2], wanted, gap) + gap - 1e-12:
            last = groups.pop()
            groups[-1] += last
    placed = [0.0] * len(wanted)
    for group in groups:
        for k, i in enumerate(group):
            placed[i] = round(_low(group, wanted, gap) + k * gap, 12)
    return placed


def _low(group: Sequence[int], wanted: Sequence[float], gap: float) -> float:
    return math.fsum(wanted[i] for i in group) / len(group) - gap * (len(group) - 1) / 2


def _high(group: Sequence[int], wanted: Sequence[float], gap: float) -> float:
    return _low(group, wanted, gap) + gap * (len(group) - 1)


def segment_name(labels: Iterable[str]) -> str:
    """Labels of a segment as one text; accounts without segments are all accounts."""
    return " / ".join(labels) or "all accounts"
