"""Backtesting: would the bands have held? Fit at past dates, forecast what is known by now, and score it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lifeworth._parameters import Priors
from lifeworth.baselines import BASELINES
from lifeworth.churn import ChurnCurve, Smooth
from lifeworth.effects import Effect
from lifeworth.errors import DataError, DefinitionError, LifeworthWarning
from lifeworth.expansion import Constant, ExpansionCurve
from lifeworth.fitting import fit
from lifeworth.forecast import Forecaster, Groups
from lifeworth.indexing import TableIndex
from lifeworth.ledger import CohortTable
from lifeworth.model import Pooling
from lifeworth.results import Fit, SamplerOptions
from lifeworth.scores import MEASURES, Draws, scored, unit_totals

_DRAWS = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Backtest:
    """Forecasts made at past dates, beside what happened.

    Parameters
    ----------
    units : DataFrame
        One row per origin, method, measure, segment and calendar bucket, and per bucket in total ("all"): observed,
        mean, p05, p10, p50, p90, p95, crps. Shares of what was at risk in the bucket.
    by : tuple of str
        The segment columns.
    fits : tuple of Fit
        The fits, one an origin.
    """

    units: pd.DataFrame
    by: tuple[str, ...]
    fits: tuple[Fit, ...]

    def table(self) -> pd.DataFrame:
        """Scores over segments and buckets, by origin, method and measure.

        Returns
        -------
        DataFrame
            origin (the date of the fit), method, measure, n (units), bias (mean forecast less observed), mae (of the
            median), crps, width_80, coverage_80, coverage_90. Shares, not percent. Units of one origin share one
            calendar: they are not independent.
        """
        return self._scores(["origin", "method", "measure"])

    def summary(self) -> pd.DataFrame:
        """The same scores over all origins, by measure and method, the smallest CRPS first."""
        scores = self._scores(["measure", "method"])
        return scores.sort_values(["measure", "crps"], ignore_index=True)

    def forecasts(self) -> pd.DataFrame:
        """Each forecast beside what happened, totals included."""
        return self.units

    def _scores(self, keys: list[str]) -> pd.DataFrame:
        units = self.units
        if self.by:
            units = units[~(units[list(self.by)] == "all").all(axis=1)]
        y = units["observed"]
        each = units[keys].assign(
            n=1,
            bias=units["mean"] - y,
            mae=(units["p50"] - y).abs(),
            crps=units["crps"],
            width_80=units["p90"] - units["p10"],
            coverage_80=((units["p10"] <= y) & (y <= units["p90"])).astype(float),
            coverage_90=((units["p05"] <= y) & (y <= units["p95"])).astype(float),
        )
        means = each.groupby(keys, sort=True).mean()
        return means.assign(n=each.groupby(keys, sort=True)["n"].sum()).reset_index()


def backtest(
    table: CohortTable,
    *,
    holdout: int,
    origins: int = 1,
    churn: ChurnCurve = Smooth(),
    expansion: ExpansionCurve = Constant(),
    effects: tuple[Effect, ...] | None = None,
    pooling: Pooling = "partial",
    priors: Priors | None = None,
    seed: int | None = None,
    sampler: SamplerOptions = SamplerOptions(),
) -> Backtest:
    """Fit the table as it stood before the last buckets, forecast those, and compare with baselines.

    Every forecast is of shares of what turned out to be at risk: accounts for logo retention, opening money for
    revenue retained and NRR.

    Parameters
    ----------
    table : CohortTable
        Built from a ledger; counts without a calendar cannot be cut.
    holdout : int
        Calendar buckets ahead.
    origins : int
        How many dates to forecast from, one bucket apart, the last one `holdout` buckets before as_of.
    churn, expansion, effects, pooling, priors, seed, sampler
        As in `fit`.

    Returns
    -------
    Backtest

    Raises
    ------
    DefinitionError
        holdout or origins is below 1.
    DataError
        The table is too short for so many buckets.
    """
    if holdout < 1 or origins < 1:
        raise DefinitionError(f"holdout={holdout}, origins={origins}: both are whole numbers from 1.")
    last = table.frame["bucket"].min() if table.has_calendar and len(table.frame) else 0
    if holdout + origins - 1 > -last:
        raise DataError(
            f"the table has {1 - int(last)} calendar buckets: {origins} origins with {holdout} held out need at least "
            f"{holdout + origins}. Hold out less, or use finer buckets."
        )
    seed = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed
    fits, parts = [], []
    for cut in range(holdout + origins - 1, holdout - 1, -1):
        past = table.cut(cut)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LifeworthWarning)
            fitted = fit(
                past,
                churn=churn,
                expansion=expansion,
                effects=effects,
                pooling=pooling,
                priors=priors,
                seed=seed,
                sampler=sampler,
            )
        fits.append(fitted)
        parts.append(_one_origin(table, fitted, cut, holdout))
    return Backtest(pd.concat(parts, ignore_index=True), table.by, tuple(fits))


def _one_origin(table: CohortTable, fitted: Fit, cut: int, holdout: int) -> pd.DataFrame:
    """Every method's forecast of the `holdout` buckets after a cut, scored."""
    ahead = table.frame["bucket"] + cut
    held = table.frame[(ahead > 0) & (ahead <= holdout)].reset_index(drop=True)
    held = held.assign(ahead=held["bucket"] + cut)
    if held.empty:
        raise DataError(f"no account was at risk in the {holdout} buckets after {fitted.table.as_of}.")
    totals = unit_totals(held, table.by)
    parts = [
        scored(draws, totals, table.by).assign(origin=fitted.table.as_of, method=method)
        for method, draws in _forecasts(fitted, held)
    ]
    keys = ["origin", "method", "measure"]
    found = pd.concat(parts, ignore_index=True)
    return found[[*keys, *(c for c in found.columns if c not in keys)]]


def _forecasts(fitted: Fit, held: pd.DataFrame) -> Iterator[tuple[str, Draws]]:
    yield "posterior", posterior_draws(fitted, held)
    for name, baseline in BASELINES.items():
        rng = np.random.default_rng([fitted.seed, 9, len(name)])
        yield name, baseline(fitted.table, held, rng, _DRAWS)


def posterior_draws(fitted: Fit, held: pd.DataFrame) -> Draws:
    """Predictive draws of each held-out cell's shares: logo retention, revenue retained and NRR."""
    index: TableIndex = fitted.index
    shape, at = index.shape, index.positions(held.drop(columns="bucket"), fitted.table.by)
    groups = Groups(
        segment=np.where(at["segment"] < 0, shape.segments, at["segment"]).astype(np.int64),
        cohort=np.where(at["cohort"] < 0, shape.cohorts, at["cohort"]).astype(np.int64),
        tenure=at["tenure"].to_numpy(),
        months=held["ahead"].to_numpy(dtype=np.int64) * shape.months_per_bucket,
        accounts=held["at_risk"].to_numpy(dtype=float),
        amount=held["opening"].to_numpy(dtype=float),
        amount_sq=held["opening_sq"].to_numpy(dtype=float),
    )
    sizes = fitted.draws["logo"].sizes
    forecaster = Forecaster(
        fit=fitted,
        thin=max(1, sizes["chain"] * sizes["draw"] // _DRAWS),
        seed=fitted.seed,
        buckets_ahead=int(held["ahead"].max()),
        tenures=int(held["tenure"].max()) + 1,
    )
    _, after = forecaster.walk(groups, 1, predictive=True, stream=2)
    shares = {"logo_retention": after.logo}
    if fitted.table.has_money:
        shares |= {"revenue_retained": after.kept, "nrr": after.money}
    return {name: shares[name] for name in MEASURES if name in shares}
