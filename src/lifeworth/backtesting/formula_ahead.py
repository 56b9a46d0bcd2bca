"""What a formula forecasts when it is taken at its word: the accounts and the money that its path leaves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from lifeworth.backtesting.closed_book import ClosedBook
from lifeworth.backtesting.scores import Draws
from lifeworth.comparison import Inputs, Method
from lifeworth.comparison.inputs import trailing
from lifeworth.errors import LifeworthError
from lifeworth.forecasting.groups import Floats, State
from lifeworth.indexing import segment_labels
from lifeworth.ledger import CohortTable

_RATES_ONLY = Inputs(
    arpa=1.0,
    gross_margin=1.0,
    churn=np.nan,
    expansion=np.nan,
    service_cost=0.0,
    discount_rate_annual=0.1,
    horizon_years=5.0,
    timing="end",
    months_per_period=1,
)
"""What a forecast of shares does not depend on, at any value."""


def formula_ahead(
    method: Method, table: CohortTable, held: pd.DataFrame, book: ClosedBook
) -> tuple[Draws, Draws] | None:
    """A formula's point forecast of held-out cells and of the rest of a book; None where it has none.

    The inputs are those of each segment at the origin, as practised. A cell of tenure t keeps the share
    S(t + 1) / S(t) of its accounts, and its money that times G(t + 1) / G(t), of the formula's survival S and growth G;
    revenue retained counts a growth below one only.

    Parameters
    ----------
    method : Method
    table : CohortTable
        What was known at the origin.
    held : DataFrame
        From `ahead.held_out_cells`.
    book : ClosedBook

    Returns
    -------
    (shares (1, cells) by measure, rest (buckets, 1, labels) by measure), or None where the formula lacks an input, or
    is undefined, in some segment.
    """
    inputs = _inputs(table)
    try:
        tenure = held["tenure"].to_numpy()
        logo, growth = _ahead(method, inputs, segment_labels(held, table.by), tenure, 1)
        states = [
            State(step, left[None], (left * grown)[None], (left * np.minimum(grown, 1.0))[None])
            for step in range(book.steps + 1)
            for left, grown in [_book_ahead(method, inputs, book, step)]
        ]
    except (LifeworthError, KeyError, ZeroDivisionError, OverflowError):
        return None
    shares = {"logo_retention": logo[None]}
    if table.has_money:
        shares |= {"revenue_retained": (logo * np.minimum(growth, 1.0))[None], "nrr": (logo * growth)[None]}
    return shares, book.remaining(states)


def _book_ahead(
    method: Method, inputs: dict[tuple[str, ...], Inputs], book: ClosedBook, step: int
) -> tuple[Floats, Floats]:
    groups = book.groups
    return _ahead(method, inputs, segment_labels(groups, book.by), groups["tenure"].to_numpy(), step)


def _inputs(table: CohortTable) -> dict[tuple[str, ...], Inputs]:
    """The inputs of each segment, and of the whole for a segment that lacks them."""
    base = replace(_RATES_ONLY, months_per_period=table.months_per_period)
    labels, in_force = (segment_labels(frame, table.by) for frame in (table.frame, table.in_force))
    whole = trailing(table.frame, table.in_force, base, table.months_per_bucket)
    found: dict[tuple[str, ...], Inputs] = {}
    for segment in sorted(set(labels) | set(in_force)):
        own = (table.frame[_same(labels, segment)], table.in_force[_same(in_force, segment)])
        try:
            found[segment] = trailing(*own, base, table.months_per_bucket)
        except LifeworthError:
            found[segment] = whole
    return found


def _same(labels: list[tuple[str, ...]], segment: tuple[str, ...]) -> np.ndarray:
    return np.array([label == segment for label in labels], dtype=bool)


def _ahead(
    method: Method, inputs: dict[tuple[str, ...], Inputs], labels: list[tuple[str, ...]], tenure: np.ndarray, steps: int
) -> tuple[Floats, Floats]:
    """Shares of accounts left after so many steps, and growth of the money of those left; (cells,) each."""
    left, grown = np.empty(len(tenure)), np.empty(len(tenure))
    for segment in set(labels):
        x, at = inputs[segment], np.array([label == segment for label in labels], dtype=bool)
        if method.missing(x):
            raise KeyError(method.name)
        t = np.arange(int(tenure[at].max()) + steps + 1, dtype=np.float64)
        survival, growth = method.survival(t, x), method.grown(t, x)
        now = tenure[at]
        left[at] = np.divide(survival[now + steps], survival[now], out=np.zeros(len(now)), where=survival[now] > 0)
        grown[at] = growth[now + steps] / growth[now]
    return left, grown
