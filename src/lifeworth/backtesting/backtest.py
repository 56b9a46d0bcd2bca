"""Backtesting: would the bands have held? Fit at past dates, forecast what is known by now, and score it."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from lifeworth._parameters import Priors
from lifeworth.backtesting.ahead import cuts, held_out_cells, posterior_ahead
from lifeworth.backtesting.baselines import BASELINES, carried_on, held_out
from lifeworth.backtesting.closed_book import ClosedBook, book_scored
from lifeworth.backtesting.scores import Draws, clustered_error, clustered_share, inside, scored, unit_totals
from lifeworth.churn import ChurnCurve, Smooth
from lifeworth.effects import Effect
from lifeworth.errors import DefinitionError, LifeworthWarning
from lifeworth.expansion import Constant, ExpansionCurve
from lifeworth.fitting import fit_at, sized_alike
from lifeworth.ledger import CohortTable
from lifeworth.ledger.months import shift_months
from lifeworth.model import Pooling
from lifeworth.results import Fit, SamplerOptions

DRAWS = 1000
"""Of each forecast."""

type Forecast = tuple[str, Draws, Draws]
"""A method by name, with its draws of the shares of held-out cells and of what is left of a book."""


@dataclass(frozen=True, slots=True, eq=False)
class Backtest:
    """Forecasts made at past dates, beside what happened.

    Measures `logo_retention`, `revenue_retained` and `nrr` are shares of what turned out to be at risk in the bucket.
    `customers` and `revenue` (per `amount_per`) are amounts: what is left at the bucket's end of the book that was in
    force at the origin, foretold without knowing who came to be at risk; `ClosedBook` says exactly what is counted.

    Parameters
    ----------
    units : DataFrame
        One row per origin, method, measure, segment and calendar bucket ahead, and per bucket in total ("all"):
        bucket_end (its last day), at_risk (the base: accounts or money at risk, or in the book at the origin),
        observed, mean, p025, p05, p10, p25, p50, p75, p90, p95, p975, crps, pit, and left_out (share of the base at
        the origin that the closed book leaves out; nan for the shares).
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
            median), crps, width_80, coverage_80, coverage_90, coverage_50, coverage_95. Shares, not percent; accounts
            and money for `customers` and `revenue`. Units of one origin share one calendar: they are not independent,
            see `coverage`.
        """
        return self._scores(["origin", "method", "measure"])

    def summary(self) -> pd.DataFrame:
        """The same scores over all origins, by measure and method, the smallest CRPS first."""
        scores = self._scores(["measure", "method"])
        return scores.sort_values(["measure", "crps"], ignore_index=True)

    def forecasts(self) -> pd.DataFrame:
        """Each forecast beside what happened, totals included."""
        return self.units

    def coverage(self, probability: float = 0.8) -> pd.DataFrame:
        """How often the bands held what happened, and how sure that is when units share a calendar.

        All segments of a calendar bucket live in the same months, and origins that overlap forecast the same bucket:
        they are hit or missed together. So the standard error is clustered by target bucket, whichever the origin,
        and the interval is that of as many independent units as would have this error (`scores.clustered_share`).
        Buckets next to each other are missed together too, as a walk is, and that is not in the error: with few
        targets the interval is rather too narrow than too wide.

        Parameters
        ----------
        probability : float
            Of the central band: 0.5, 0.8, 0.9 or 0.95.

        Returns
        -------
        DataFrame
            method, measure, n (units: segments x buckets ahead x origins), coverage (share of them inside), se, low,
            high (95% interval), periods (distinct origins and buckets ahead), targets (distinct calendar buckets),
            origins, and coverage_total, the share of the totals over segments inside, out of `periods`.

        Raises
        ------
        DefinitionError
            There is no band of that probability.
        """
        held, total = inside(self.units, probability), self._is_total()
        rows = []
        for (method, measure), units in self.units.groupby(["method", "measure"], sort=True):
            each = units if not self.by else units[~total[units.index]]
            clusters = each["bucket_end"].astype(str).to_numpy(dtype=object)
            share, se, low, high = clustered_share(held[each.index].to_numpy(dtype=bool), clusters)
            rows.append(
                {
                    "method": method,
                    "measure": measure,
                    "n": len(each),
                    "coverage": share,
                    "se": se,
                    "low": low,
                    "high": high,
                    "periods": len(each[["origin", "bucket"]].drop_duplicates()),
                    "targets": each["bucket_end"].nunique(),
                    "origins": each["origin"].nunique(),
                    "coverage_total": float(held[units.index][total[units.index]].mean()),
                }
            )
        return pd.DataFrame(rows)

    def differences(self, against: str = "posterior") -> pd.DataFrame:
        """CRPS of each method less that of one of them, paired: on the same units, segments or else totals.

        Parameters
        ----------
        against : str
            A method.

        Returns
        -------
        DataFrame
            measure, method, n (units that both forecast), crps (mean), against (mean CRPS of the other), difference,
            se (clustered by target bucket, as in `coverage`; nan with one), ratio (difference over se), share_better
            (of the units in which the method is nearer).

        Raises
        ------
        DefinitionError
            There is no such method.
        """
        if against not in set(self.units["method"]):
            known = ", ".join(map(repr, self.units["method"].unique()))
            raise DefinitionError(f"there is no forecast by {against!r}: there are {known}.")
        units = self.units[~self._is_total()] if self.by else self.units
        wide = units.pivot_table(
            index=["measure", *self.by, "origin", "bucket", "bucket_end"], columns="method", values="crps"
        )
        rows = []
        for measure, part in wide.groupby("measure", sort=True):
            for method in wide.columns.drop(against):
                both = part[[method, against]].dropna()
                if both.empty:
                    continue
                gap = both[method] - both[against]
                se = clustered_error(gap.to_numpy(), both.index.get_level_values("bucket_end").astype(str).to_numpy())
                rows.append(
                    {
                        "measure": measure,
                        "method": method,
                        "n": len(both),
                        "crps": both[method].mean(),
                        "against": both[against].mean(),
                        "difference": gap.mean(),
                        "se": se,
                        "ratio": gap.mean() / se if se > 0 else np.nan,
                        "share_better": (gap < 0).mean(),
                    }
                )
        return pd.DataFrame(rows).sort_values(["measure", "difference"], ignore_index=True)

    def _is_total(self) -> pd.Series:
        if not self.by:
            return pd.Series(data=True, index=self.units.index)
        return (self.units[list(self.by)] == "all").all(axis=1)

    def _scores(self, keys: list[str]) -> pd.DataFrame:
        units = self.units[~self._is_total()] if self.by else self.units
        each = units[keys].assign(
            n=1,
            bias=units["mean"] - units["observed"],
            mae=(units["p50"] - units["observed"]).abs(),
            crps=units["crps"],
            width_80=units["p90"] - units["p10"],
        )
        for probability in (0.8, 0.9, 0.5, 0.95):
            each[f"coverage_{probability * 100:.0f}"] = inside(units, probability).astype(float)
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

    Forecast are shares of what turned out to be at risk (accounts for logo retention, opening money for revenue
    retained and NRR), and how many customers and how much recurring revenue will be left of the book in force at the
    origin. Beside the posterior stand the baselines of `baselines.BASELINES`. The fits share one compilation: each
    has the sizes of the largest, and what is beyond its own data keeps its prior.

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
    seed = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed
    at = list(cuts(table, holdout, origins))
    past = [table.cut(cut) for cut in at]
    model = {"churn": churn, "expansion": expansion, "effects": effects, "pooling": pooling, "priors": priors}
    fits, parts = [], []
    for cut, known, index in zip(at, past, sized_alike(past), strict=True):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LifeworthWarning)
            fitted = fit_at(known, index, **model, seed=seed, sampler=sampler)  # type: ignore[arg-type]
        fits.append(fitted)
        origin = Origin.of(table, cut, holdout)
        posterior = ("posterior", *posterior_ahead(fitted, origin.held, origin.book, DRAWS))
        parts.append(origin.scored([posterior, *origin.baselines(seed)]))
    return Backtest(pd.concat(parts, ignore_index=True), table.by, tuple(fits))


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """A past date of a table: what was known then, and what came of it in the buckets after it.

    Parameters
    ----------
    table : CohortTable
        All that is known now.
    known : CohortTable
        What was known then.
    cut, holdout : int
        Buckets before as_of, and buckets ahead.
    held : DataFrame
        The cells after it.
    book : ClosedBook
        The accounts in force then, and what is left of them.
    """

    table: CohortTable
    known: CohortTable
    cut: int
    holdout: int
    held: pd.DataFrame
    book: ClosedBook

    @classmethod
    def of(cls, table: CohortTable, cut: int, holdout: int) -> Self:
        """The date `cut` buckets before as_of."""
        known, held = table.cut(cut), held_out_cells(table.frame, cut, holdout)
        return cls(table, known, cut, holdout, held, ClosedBook.of(table, known, cut, holdout))

    def baselines(self, seed: int) -> Iterator[Forecast]:
        """The forecasts of every baseline."""
        for name, baseline in BASELINES.items():
            one, two = (np.random.default_rng([seed, stream, len(name)]) for stream in (9, 10))
            shares = held_out(baseline, self.known, self.held, one, DRAWS)
            states = carried_on(baseline, self.known, self.book.groups, self.book.steps, two, DRAWS)
            yield name, shares, self.book.remaining(states)

    def scored(self, forecasts: Iterable[Forecast]) -> pd.DataFrame:
        """Forecasts beside what happened, by unit: the rows of `Backtest.units`."""
        totals, table = unit_totals(self.held, self.table.by), self.table
        parts = []
        for method, shares, rest in forecasts:
            parts.append(scored(shares, totals).assign(origin=self.known.as_of, method=method))
            parts.append(book_scored(rest, self.book).assign(origin=self.known.as_of, method=method))
        found = pd.concat([part for part in parts if len(part)], ignore_index=True)
        if table.as_of is not None:
            months = table.months_per_bucket
            ends = {b: shift_months(table.as_of, (b - self.cut) * months) for b in range(1, self.holdout + 1)}
            found["bucket_end"] = found["bucket"].map(ends)
        keys = ["origin", "method", "measure", *table.by, "bucket", "bucket_end"]
        return found[[*keys, *(c for c in found.columns if c not in keys)]]
