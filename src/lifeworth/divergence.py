"""Whether a value would have an end without its horizon: money that grows faster than it leaves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lifeworth.books import ALL, NEW
from lifeworth.economics import Economics
from lifeworth.effects import CalendarWalk, CellIndex, Effect, Shock
from lifeworth.expansion.variation import DIRECTIONS, log_level
from lifeworth.forecasting.forecaster import Forecaster
from lifeworth.forecasting.groups import Floats, Ints
from lifeworth.ledger import EXPANDED_COLUMN
from lifeworth.ledger.expanded import NOT_YET, SINCE
from lifeworth.results import Fit

type Bools = NDArray[np.bool_]


def infinite_shares(forecaster: Forecaster, economics: Economics, rows: pd.DataFrame) -> pd.DataFrame:
    """Share of draws in which the value of each row would be infinite, not discounted and discounted.

    Parameters
    ----------
    forecaster : Forecaster
    economics : Economics
        Its discount rate and price increase; margin and costs do not decide whether a sum ends.
    rows : DataFrame
        Cohort and segment of each row of a valuation.

    Returns
    -------
    DataFrame
        The rows of cohort "new" and "all", with undiscounted and discounted. An account that has not expanded yet
        counts as one that has: in the long run it does.
    """
    by, period = list(forecaster.fit.table.by), forecaster.fit.index.shape.months_per_period
    single = (rows[by] != ALL).all(axis=1) & (rows["cohort"] != ALL)
    in_the_end = rows[single].replace({EXPANDED_COLUMN: {NOT_YET: SINCE}})
    growth = long_run_growth(forecaster, in_the_end, economics.price_increase_annual)
    discount = np.log1p(economics.discount_rate_annual) * period / 12
    wanted = rows[rows["cohort"].isin([NEW, ALL])].reset_index(drop=True)
    shares = {"undiscounted": growth >= 0, "discounted": growth >= discount}
    parts = [_parts(rows[single], row, by) for _, row in wanted.iterrows()]
    return wanted.assign(**{name: [never[:, p].any(axis=1).mean() for p in parts] for name, never in shares.items()})


def long_run_growth(forecaster: Forecaster, rows: pd.DataFrame, price_increase_annual: float = 0.0) -> Floats:
    """Log growth of a group's money from one period to the next in the long run, (draws, rows).

    The hazard is that of the last tenures the forecast reaches, on average over a year or the longest term, at the
    last level of the calendar walk; the survivors' money grows at the rates of acquisition, as if no ceiling and no
    decay were to come.
    """
    index, by = forecaster.fit.index, forecaster.fit.table.by
    at = index.positions(rows.assign(tenure=0), by)
    segment = np.where(at["segment"] < 0, index.shape.segments, at["segment"])
    cohort = np.where(at["cohort"] < 0, index.shape.cohorts, at["cohort"])
    price = np.log1p(price_increase_annual) * index.shape.months_per_period / 12
    return np.asarray(_log_stay(forecaster, segment, cohort) + _log_growth(forecaster, segment) + price)


def _log_stay(forecaster: Forecaster, segment: Ints, cohort: Ints) -> Floats:
    """Mean log probability of staying through one of the last tenures reached, (draws, groups)."""
    fit, index = forecaster.fit, forecaster.fit.index
    theta, increments, unit = (
        forecaster.theta("money"),
        forecaster.increments("money"),
        forecaster.unit(cohort, segment),
    )
    cycle = int(np.lcm(max(12 // index.shape.months_per_period, 1), index.shape.longest_term))
    total = np.zeros((forecaster.draws, len(segment)))
    for ago in range(cycle):
        cells = _cells(forecaster, segment, cohort, ago)
        eta = sum((e.eta(theta, cells[type(e) is CalendarWalk]) for e in _lasting(fit)), start=0.0)
        total += np.exp(eta) * increments[:, unit, cells[False].tenure]
    return total / cycle


def _lasting(fit: Fit) -> list[Effect]:
    """The effects that do not average out in the long run."""
    return [effect for effect in fit.model.effects if not isinstance(effect, Shock)]


def _cells(forecaster: Forecaster, segment: Ints, cohort: Ints, ago: int) -> dict[bool, CellIndex]:
    """The groups so many periods before the last tenure reached: at that time of the year, and at the walk's end."""
    index = forecaster.fit.index
    here = CellIndex(
        tenure=np.full(len(segment), max(forecaster.tenures - 1 - ago, 0)),
        segment=segment,
        cohort=cohort,
        bucket=np.full(len(segment), index.shape.buckets - 1),
        calendar=index.loading(),
        segments=index.shape.segments + 1,
        levels=index.levels(segment),
        term=index.term(segment),
    )
    buckets_ago = (ago * index.shape.months_per_period % 12) // index.shape.months_per_bucket
    return {True: here, False: replace(here, bucket=np.maximum(here.bucket - buckets_ago, 0))}


def _log_growth(forecaster: Forecaster, segment: Ints) -> Floats:
    """Log of one plus what survivors add less what they lose in a period, at the rates of acquisition."""
    fit = forecaster.fit
    if "expansion" not in fit.draws:
        return np.zeros((1, len(segment)))
    theta, step = forecaster.growth_theta(), fit.index.shape.months_per_period / 12
    annual = fit.model.expansion.rates(np.zeros(len(segment)), theta)
    added, lost = (r * np.exp(log_level(d, theta, segment)) * step for d, r in zip(DIRECTIONS, annual, strict=True))
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(1 + added - np.minimum(lost, 1.0)))


def _parts(single: pd.DataFrame, row: pd.Series, by: list[str]) -> Bools:
    """Which single rows are summed in a row: it has no end where one of them has none."""
    in_cohort = (single["cohort"] == row["cohort"]) | ((row["cohort"] == ALL) & (single["cohort"] != NEW))
    in_segment = np.all([(single[name] == row[name]) | (row[name] == ALL) for name in by], axis=0)
    return np.asarray(in_cohort & in_segment)
