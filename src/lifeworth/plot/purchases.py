"""Holdouts of purchases: tracking over the calendar, and conditional expectation by frequency."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import MaxNLocator

from lifeworth.plot._figures import DARK, GREY, INK, LIGHT, LINES, axes, heading, new_figure, quiet

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from lifeworth.backtesting.tracking import ByFrequency, Tracking

_BAND = "#93b5d1"


def tracking(found: Tracking) -> Figure:
    """Repeat purchases by calendar bucket and cumulated after as_of, with predictive bands beside what happened.

    Parameters
    ----------
    found : Tracking

    Returns
    -------
    Figure
    """
    figure = new_figure(8.6, 4.2)
    each, so_far = figure.subplots(1, 2, width_ratios=(1.35, 1))
    units = found.units
    for name in found.fit.table.by:
        units = units[units[name] == "all"]
    incremental = units[units["measure"] == "incremental"].sort_values("bucket")
    _over_time(quiet(each), incremental)
    _over_time(quiet(so_far), units[units["measure"] == "cumulative"].sort_values("bucket"))
    table = found.fit.table
    each.axvline(0.5, color=GREY, linewidth=0.8, linestyle=":")
    each.text(0.5, each.get_ylim()[1], f" {table.as_of}", fontsize=8, color=GREY, va="top")
    share = found.scores().set_index("measure")["coverage_80"]
    heading(each, "Repeat purchases by bucket", f"{table.calendar} each; line: expected, dots: what happened")
    heading(
        so_far, "Cumulated", f"80% bands held {share['incremental']:.0%} of buckets, {share['cumulative']:.0%} here"
    )
    handles, names = so_far.get_legend_handles_labels()
    so_far.legend(handles, names, frameon=False, fontsize=8.2, loc="lower right")
    return figure


def _over_time(ax: Axes, rows: pd.DataFrame) -> None:
    bucket, ahead = rows["bucket"].to_numpy(), rows[rows["bucket"] > 0]
    for low, high, colour, name in (("p05", "p95", LIGHT, "90% band"), ("p10", "p90", _BAND, "80% band")):
        ax.fill_between(ahead["bucket"], ahead[low], ahead[high], color=colour, linewidth=0, label=name)
    ax.plot(bucket, rows["mean"], color=LINES[0], linewidth=1.4, label="expected")
    ax.plot(bucket, rows["observed"], "o", color=INK, markersize=3.4, label="observed")
    ax.set_ylim(bottom=0, top=ax.get_ylim()[1] * 1.08)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.yaxis.set_major_formatter("{x:,.0f}")
    ax.set_xlabel("bucket after as_of")
    ax.set_ylabel("repeat purchases")


def frequency_bins(found: ByFrequency, *, ax: Axes | None = None) -> Figure:
    """Later purchases per customer by repeat purchases before as_of, with predictive bands beside what happened.

    Parameters
    ----------
    found : ByFrequency
    ax : Axes, optional

    Returns
    -------
    Figure
    """
    figure, ax = axes(ax, width=6.4)
    units, at = found.units, np.arange(len(found.units))
    for low, high, colour, width, name in (
        ("p05", "p95", LIGHT, 0.62, "90% band"),
        ("p10", "p90", _BAND, 0.44, "80% band"),
    ):
        ax.bar(at, units[high] - units[low], bottom=units[low], width=width, color=colour, label=name)
    ax.hlines(units["mean"], at - 0.31, at + 0.31, color=DARK, linewidth=1.4, label="expected")
    ax.plot(at, units["observed"], "o", color=INK, markersize=4, label="observed")
    ax.set_xticks(at, [f"{name}\n{n:,}" for name, n in zip(units["frequency"], units["customers"], strict=True)])
    ax.set_xlabel("repeat purchases before as_of, and customers")
    ax.set_ylabel("purchases per customer after as_of")
    ax.set_ylim(bottom=0)
    ax.legend(frameon=False, fontsize=8.4, loc="upper left")
    table = found.fit.table
    heading(ax, "What customers bought later, by what they bought before", f"{table.as_of} to {table.until}")
    return figure
