"""Survival by segment: what the posterior says beside what was observed, and where observation ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lifeworth.forecasting.groups import Floats
from lifeworth.indexing import merged
from lifeworth.model import log_retention
from lifeworth.plot._figures import GREY, LINES, axes, heading, new_figure, quiet, segment_name, spread

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from lifeworth.results import Fit

_TOGETHER = 4
_DRAWS = 1000
_FEW = 30


def survival(fit: Fit, *, ax: Axes | None = None, periods: int | None = None) -> Figure:
    """Posterior survival of accounts by segment with its 80% band, and the observed shares as dots.

    Where accounts were observed, the curve is that of the cells observed: their mixture of cohorts and calendar
    buckets, so that it can be held against the dots, products of 1 - churned / at_risk (open where a tenure in them
    had fewer than 30 accounts at risk). After that it goes on at the calendar level of the last bucket, for a cohort
    of average quality. The band is that of the expected share (`parameter`).

    Parameters
    ----------
    fit : Fit
    ax : Axes, optional
        Where to draw all segments together; otherwise more than four segments get a panel each.
    periods : int, optional
        How many periods are shown; None shows half as many again as were observed.

    Returns
    -------
    Figure
    """
    curves = [_Curve.of(fit, s, periods) for s in range(fit.index.shape.segments)]
    if ax is None and len(curves) > _TOGETHER:
        return _panels(fit, curves)
    figure, ax = axes(ax)
    for curve, colour in zip(curves, _colours(len(curves)), strict=True):
        _draw(ax, curve, colour)
    ends = [float(curve.middle[-1]) for curve in curves]
    for curve, place, colour in zip(curves, spread(ends, 0.05), _colours(len(curves)), strict=True):
        ax.text(curve.tenure[-1] * 1.015, place, curve.name, color=colour, fontsize=9, va="center")
    _mark_end(ax, max(curve.observed for curve in curves), labelled=True)
    heading(ax, "Share of accounts still there", _note(fit, curves))
    _label(ax, fit)
    return figure


@dataclass(frozen=True, slots=True)
class _Curve:
    name: str
    tenure: Floats
    low: Floats
    middle: Floats
    high: Floats
    dots: Floats
    solid: int
    """How many of the dots rest on enough accounts at risk in every tenure before them."""
    observed: int

    @classmethod
    def of(cls, fit: Fit, segment: int, periods: int | None) -> _Curve:
        cells = merged(fit.table, fit.index, frozenset({"segment", "cohort", "bucket"}))
        cells = cells[cells["segment"] == segment]
        counts = cells.groupby("tenure")[["at_risk", "churned"]].sum()
        counts = counts.reindex(range(int(counts.index.max()) + 1 if len(counts) else 0))
        seen = int(counts["at_risk"].isna().to_numpy().argmax()) if counts["at_risk"].isna().any() else len(counts)
        shown = periods or max(seen + max(seen // 2, 2), 3)
        observed = min(seen, shown)
        share = (1 - counts["churned"] / counts["at_risk"]).to_numpy(dtype=float)[:observed]
        log_survival = np.cumsum(np.log(_stay(fit, cells, segment, observed, shown)), axis=1)
        low, middle, high = np.quantile(np.exp(log_survival), (0.1, 0.5, 0.9), axis=0)
        return cls(
            name=segment_name(fit.index.segments[segment]),
            tenure=np.arange(shown + 1, dtype=float),
            low=_from_one(low),
            middle=_from_one(middle),
            high=_from_one(high),
            dots=_from_one(np.cumprod(share)),
            solid=1 + int((np.append(counts["at_risk"].to_numpy()[:observed], 0) < _FEW).argmax()),
            observed=observed,
        )


def _from_one(shares: Floats) -> Floats:
    """Shares left with those at acquisition before them."""
    return np.concatenate([[1.0], shares])


def _stay(fit: Fit, cells: pd.DataFrame, segment: int, observed: int, shown: int) -> Floats:
    """Probability of staying through each tenure, (draws, tenures): of the cells observed, then at the last level."""
    shape = fit.index.shape
    ahead = pd.DataFrame({"tenure": np.arange(observed, shown), "segment": segment, "cohort": -1, "at_risk": 1.0})
    cells = cells[(cells["tenure"] < observed) & (cells["at_risk"] > 0)]
    cells = pd.concat([cells, ahead.assign(bucket=shape.buckets - 1)], ignore_index=True)
    weight = np.zeros((len(cells), shown))
    weight[np.arange(len(cells)), cells["tenure"].to_numpy(dtype=int)] = cells["at_risk"]
    total: Floats | float = 0.0
    for unit, (cohort, of_segment) in enumerate(fit.units):
        rows = np.ones(len(cells), dtype=bool)
        if cohort:
            if of_segment != fit.index.segments[segment]:
                continue
            rows = cells["cohort"].isin([fit.index.cohorts.index(cohort), -1]).to_numpy()
        total = total + _cell_stay(fit, cells[rows], unit, shown) @ weight[rows]
    each = weight.sum(axis=0)
    if len(fit.units) > 1:  # beyond the observed tenures every cohort that stands alone counts the same
        each[observed:] = len(fit.index.cohorts)
    return np.asarray(total / each)


def _cell_stay(fit: Fit, cells: pd.DataFrame, unit: int, tenures: int) -> Floats:
    sizes = fit.draws["logo"].sizes
    theta = fit.theta("logo", unit=unit, thin=max(1, sizes["chain"] * sizes["draw"] // _DRAWS))
    average = 0
    if "cohort" in theta:  # the last position is a cohort of average quality
        average = theta["cohort"].shape[-1]
        theta["cohort"] = np.concatenate([theta["cohort"], np.zeros((len(theta["cohort"]), 1))], axis=1)
    cells = cells[["tenure", "segment", "cohort", "bucket"]].astype(int)
    index = fit.index.cells(cells.assign(cohort=cells["cohort"].where(cells["cohort"] >= 0, average)))
    return np.exp(log_retention(fit.model.churn, fit.model.effects, theta, index, tenures))


def _colours(count: int) -> list[str]:
    return [LINES[i % len(LINES)] for i in range(count)]


def _draw(ax: Axes, curve: _Curve, colour: str) -> None:
    ax.fill_between(curve.tenure, curve.low, curve.high, color=colour, alpha=0.22, linewidth=0)
    seen = curve.tenure <= curve.observed
    ahead = curve.tenure >= curve.observed
    ax.plot(curve.tenure[seen], curve.middle[seen], color=colour, linewidth=1.4)
    ax.plot(curve.tenure[ahead], curve.middle[ahead], color=colour, linewidth=1.4, linestyle=(0, (4, 2)))
    at = np.arange(len(curve.dots))
    ax.plot(at[: curve.solid], curve.dots[: curve.solid], "o", color=colour, markersize=2.8, markeredgewidth=0)
    few: dict[str, Any] = {"markersize": 2.8, "markerfacecolor": "white", "markeredgewidth": 0.6, "linestyle": "none"}
    ax.plot(at[curve.solid :], curve.dots[curve.solid :], marker="o", color=colour, **few)


def _mark_end(ax: Axes, observed: int, *, labelled: bool) -> None:
    ax.axvline(observed, color=GREY, linewidth=0.8, linestyle=":")
    if labelled:
        ax.text(observed, 0.985, "observation ends ", ha="right", va="top", fontsize=8, color=GREY)


def _note(fit: Fit, curves: list[_Curve]) -> str:
    note = "Dots: observed. Line and band: posterior median and 80% of the expected share."
    more = []
    if fit.table.has_calendar:
        more.append(f"Dashed: at the calendar level of the last {fit.table.calendar}.")
    if any(curve.solid < len(curve.dots) for curve in curves):
        more.append(f"Open dots: a tenure with fewer than {_FEW} at risk is in them.")
    return "\n".join([note, " ".join(more)] if more else [note])


def _label(ax: Axes, fit: Fit) -> None:
    ax.set_xlabel(f"completed {fit.table.period}s since acquisition")
    ax.set_ylabel("share of accounts")
    ax.set_ylim(0, 1.0)
    ax.set_xlim(left=0)
    ax.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")


def _panels(fit: Fit, curves: list[_Curve]) -> Figure:
    columns = 3
    rows = -(-len(curves) // columns)
    figure = new_figure(8.4, 1.2 + 2.1 * rows)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for panel, curve in zip(grid, curves, strict=False):
        _draw(quiet(panel), curve, LINES[0])
        _mark_end(panel, curve.observed, labelled=curve is curves[0])
        _label(panel, fit)
        panel.label_outer()
        panel.set_title(curve.name, loc="left", fontsize=9.5)
    for panel in grid[len(curves) :]:
        panel.set_visible(False)
    figure.suptitle(f"Share of accounts still there. {_note(fit, curves)}", fontsize=9, x=0.01, ha="left")
    return figure
