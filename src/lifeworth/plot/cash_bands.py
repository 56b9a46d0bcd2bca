"""Cash flow by year of the accounts in force, with what is uncertain of its expectation and of its outcome."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lifeworth.errors import DefinitionError
from lifeworth.plot._figures import DARK, INK, LIGHT, axes, heading, money_formatter, segment_name, short_money

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from lifeworth.valuation import Kind, Valuation


def bands(value: Valuation, *, segment: Sequence[str] | None = None, ax: Axes | None = None) -> Figure:
    """Margin of the accounts in force in each year after as_of, undiscounted, with two 80% bands.

    `parameter` is the band of the expected value, `predictive` the band of what will be realised by these
    accounts: their own luck, the calendar to come and shocks are in it.

    Parameters
    ----------
    value : Valuation
    segment : sequence of str, optional
        Values of the `by` columns, "all" for a total; None is everything.
    ax : Axes, optional

    Returns
    -------
    Figure

    Raises
    ------
    DefinitionError
        The valuation has no cash flow, or no such segment.
    """
    wanted = tuple(segment) if segment is not None else tuple("all" for _ in value.by)
    row = _row(value, wanted)
    figure, ax = axes(ax)
    years = value.cash.coords["year"].to_numpy()
    looks: dict[Kind, tuple[str, float]] = {"predictive": (LIGHT, 0.62), "parameter": (DARK, 0.26)}
    top = np.zeros(len(years))
    for kind, (colour, width) in looks.items():
        low, high = np.quantile(_draws(value, kind, row), (0.1, 0.9), axis=0)
        ax.bar(years, high - low, bottom=low, width=width, color=colour, label=kind, zorder=2)
        top = np.maximum(top, high)
    mean = _draws(value, "parameter", row).mean(axis=0)
    ax.hlines(mean, years - 0.31, years + 0.31, color=INK, linewidth=1.2, zorder=3)
    for year, height, amount in zip(years, top, mean, strict=True):
        ax.annotate(short_money(amount), (year, height), (0, 3), textcoords="offset points", ha="center", fontsize=9)
    _label(ax, value, wanted)
    return figure


def _row(value: Valuation, wanted: tuple[str, ...]) -> int:
    columns = [value.cash.coords[name].to_numpy() for name in value.by]
    rows: list[tuple[str, ...]] = list(zip(*columns, strict=True)) if columns else [()]
    if not value.cash.sizes["year"]:
        raise DefinitionError("the valuation has no accounts in force, so no cash flow to draw.")
    if wanted not in rows:
        raise DefinitionError(f"no segment {wanted}: there are {', '.join(map(str, rows))}.")
    return rows.index(wanted)


def _draws(value: Valuation, kind: Kind, row: int) -> np.ndarray:
    cash = value.cash.sel(kind=kind).isel(row=row).transpose("chain", "draw", "year").to_numpy()
    return cash.reshape(-1, cash.shape[-1])


def _label(ax: Axes, value: Valuation, wanted: tuple[str, ...]) -> None:
    table, years = value.fit.table, value.cash.coords["year"].to_numpy()
    who = "all accounts" if set(wanted) <= {"all"} else segment_name(wanted)
    currency = value.economics.currency or table.currency
    unit = f" ({currency})" if currency else ""
    ax.set_ylim(bottom=min(0.0, ax.get_ylim()[0]), top=ax.get_ylim()[1] * 1.22)
    ax.set_xlim(years[0] - 0.6, years[-1] + 0.6)
    ax.set_xticks(years)
    ax.set_xlabel(f"year after {table.as_of}")
    ax.set_ylabel(f"gross margin in the year, undiscounted{unit}")
    ax.yaxis.set_major_formatter(money_formatter())
    ax.yaxis.grid(visible=True, color="#e6e6e6", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.legend(
        handles=ax.containers[::-1],
        labels=["80% band of the expected value (parameter)", "80% band of what will be realised (predictive)"],
        frameon=False,
        fontsize=8.2,
        columnspacing=1.2,
        loc="upper left",
        ncols=2,
        borderaxespad=0.0,
    )
    heading(ax, f"Cash flow of the book in force, {who}", f"Line and number: expected. {_span(value)}")


def _span(value: Valuation) -> str:
    return f"No new accounts; {value.economics.horizon_years:g} years."
