"""Whether the churn observed at each tenure, or in each calendar bucket, is one that the fit would bring forth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lifeworth._ops import Array
from lifeworth.errors import CalendarWarning, DefinitionError, LifeworthWarning, TenureWarning
from lifeworth.indexing import merged
from lifeworth.model import log_retention
from lifeworth.results import Fit

type Floats = NDArray[np.float64]

type Along = Literal["tenure", "bucket"]

REFUSED_BELOW = 0.01
"""Posterior predictive p-value below which a misfit is taken to be real."""
MISPLACED_FROM = 0.01
"""Share of the losses at the wrong tenure from which a real misfit is taken to matter."""
_DRAWS = 1000
_BLOCK = 100


@dataclass(frozen=True, slots=True, eq=False)
class TenureCheck:
    """Observed churn by tenure beside what the fit says would be seen again.

    Parameters
    ----------
    counts : DataFrame
        Index tenure, or bucket; accounts at_risk and churned, over all its cells.
    expected : array (draws, tenures)
        Expected number of churned accounts.
    replicated : array (draws, tenures)
        Churned accounts of one more history of the same accounts.
    p_value : float
        Share of draws in which that history lies as far from its expectation as the observed one.
    probability : float
        Of the central interval in `table()`.

    Examples
    --------
    30 of 100 left where two draws expect 20, and in the histories they bring forth 18 and 22 leave:

    >>> counts = pd.DataFrame({"at_risk": [100], "churned": [30]}, index=pd.Index([0], name="tenure"))
    >>> expected, replicated = np.array([[20.0], [20.0]]), np.array([[18.0], [22.0]])
    >>> check = TenureCheck(counts, expected, replicated, p_value=0.0, probability=0.9)
    >>> check.table()[["observed", "mean", "low", "high"]].round(3).to_numpy().tolist()
    [[0.3, 0.2, 0.182, 0.218]]
    >>> round(check.misplaced, 3), check.refused
    (0.167, True)
    """

    counts: pd.DataFrame
    expected: Floats
    replicated: Floats
    p_value: float
    probability: float

    @property
    def misplaced(self) -> float:
        """Share of the observed losses that the fit expects at other tenures: half the sum of all differences."""
        churned = self.counts["churned"].to_numpy(dtype=float)
        return float(np.abs(churned - self.expected.mean(axis=0)).sum() / 2 / max(churned.sum(), 1.0))

    @property
    def refused(self) -> bool:
        """Whether the curve cannot take the shape observed: p-value below 1%, and 1% of the losses misplaced."""
        return self.p_value < REFUSED_BELOW and self.misplaced >= MISPLACED_FROM

    def table(self) -> pd.DataFrame:
        """Each tenure, or bucket: at_risk, observed churn, predicted mean, low and high, and whether it lies inside.

        Churn is a share of those at risk. low and high enclose what would be seen again with the probability of the
        check, luck included.
        """
        n, tail = self.counts["at_risk"].to_numpy(), (1 - self.probability) / 2
        low, high = np.quantile(self.replicated, [tail, 1 - tail], axis=0) / n
        observed = self.counts["churned"].to_numpy() / n
        return pd.DataFrame(
            {
                str(self.counts.index.name): self.counts.index.to_numpy(),
                "at_risk": n.astype(np.int64),
                "observed": observed,
                "mean": self.expected.mean(axis=0) / n,
                "low": low,
                "high": high,
                "inside": (low <= observed) & (observed <= high),
            }
        )

    def __repr__(self) -> str:
        """The verdict, and how many tenures lie inside."""
        inside = self.table()["inside"]
        said = "refused" if self.refused else "not refused"
        return (
            f"TenureCheck({said}: p = {self.p_value:.3f}, {self.misplaced:.1%} of losses misplaced; "
            f"{inside.sum()} of {len(inside)} tenures inside)"
        )


def tenure_check(fit: Fit, *, probability: float = 0.9, along: Along = "tenure") -> TenureCheck:
    """Hold the churn of accounts by tenure, or by calendar bucket, against the posterior predictive of the fit.

    For every draw the same accounts live once more: each cell loses a binomial number at the draw's own hazard, with
    the effects and the calendar level of that cell, so that what the cells of a tenure share is shared. How far a
    history lies from its expectation is the sum over tenures of (churned - expected)^2 / variance at that draw, and
    the p-value is the share of replicated histories that lie as far as the observed one. The curve is refused where
    that is below 1% and at least 1% of the losses are `misplaced`: with millions of accounts a misfit is found that
    is too small to matter.

    Why this and not a count of the tenures inside their intervals: tenures are not independent of each other in the
    posterior, and the data that are checked were fitted. The p-value compares both histories at the same draw, which
    takes the first into account and most of the second: of 150 tables simulated from the curve fitted to them 2 had
    one below 1% and 11 below 5%. Thin late tenures add noise to the sum, so that a wrong curve may pass on few
    accounts. An effect may take a shape over: CohortDecay bends the first tenures of every cohort.

    Parameters
    ----------
    fit : Fit
    probability : float
        Of the central interval shown for each tenure.
    along : {"tenure", "bucket"}
        "bucket" asks the same of the calendar: a model without a walk is refused by a book whose churn drifts. Buckets
        are numbered as in the table, 0 the last.

    Returns
    -------
    TenureCheck

    Raises
    ------
    DefinitionError
        The probability is not between 0 and 1.

    Source: Gelman, Meng & Stern (1996), Statistica Sinica 6, 733-760: the realised chi-square discrepancy.
    """
    if not 0 < probability < 1:
        raise DefinitionError(f"probability is {probability}: give a share between 0 and 1, such as 0.9.")
    cells = merged(fit.table, fit.index, fit.model.uses | _units(fit) | {along})
    counts = cells.groupby(along)[["at_risk", "churned"]].sum()
    if along == "bucket":
        counts.index = counts.index - (fit.index.shape.buckets - 1)
    thin = max(1, fit.draws["logo"].sizes["chain"] * fit.draws["logo"].sizes["draw"] // _DRAWS)
    rng, parts = np.random.default_rng([fit.seed, 96]), []
    for expected, variance, again in _replicated(fit, cells, along, thin, rng):
        far = ((counts["churned"].to_numpy() - expected) ** 2 / variance).sum(axis=1)
        farther = ((again - expected) ** 2 / variance).sum(axis=1) >= far
        parts.append((expected, again, farther))
    expected, again, farther = (np.concatenate(part) for part in zip(*parts, strict=True))
    return TenureCheck(counts, expected, again, float(farther.mean()), probability)


def shape_notes(fit: Fit) -> Iterator[tuple[type[LifeworthWarning], str]]:
    """What `fit` says of a curve that cannot take the shape observed, and of a calendar it does not know."""
    by_tenure = tenure_check(fit)
    if by_tenure.refused:
        yield (
            TenureWarning,
            f"{type(fit.model.churn).__name__} is refused by its tenure check (p = {by_tenure.p_value:.3f}): it says "
            f"churn at {_worst(by_tenure)} observed. See lw.tenure_check(fit).table(); another curve, such as "
            "Smooth(), or an effect that tells the cells of a tenure apart may take this shape.",
        )
    if not fit.table.has_calendar or "bucket" in fit.model.uses:
        return
    by_bucket = tenure_check(fit, along="bucket")
    if by_bucket.refused:
        yield (
            CalendarWarning,
            f"churn moved over calendar time more than a model without it allows (p = {by_bucket.p_value:.3f}): it "
            f"says churn at {_worst(by_bucket)} observed. Its bands will not hold: add CalendarWalk() to effects.",
        )


def _worst(check: TenureCheck) -> str:
    """The three tenures or buckets that lie farthest outside."""
    table, name = check.table(), str(check.counts.index.name)
    spread = np.maximum(check.replicated.std(axis=0) / table["at_risk"], 1e-12)
    worst = ((table["observed"] - table["mean"]).abs() / spread).nlargest(3).index.sort_values()
    rows = table.loc[worst, [name, "mean", "observed"]].itertuples(index=False)
    return ", ".join(f"{name} {at} {mean:.1%} for {observed:.1%}" for at, mean, observed in rows)


def _units(fit: Fit) -> frozenset[str]:
    return frozenset({"segment", "cohort"}) if fit.model.pooling == "none" else frozenset()


def _replicated(
    fit: Fit, cells: pd.DataFrame, along: Along, thin: int, rng: np.random.Generator
) -> Iterator[tuple[Floats, Floats, Floats]]:
    """Expectation, variance and one replication of the churned accounts by tenure, (draws, tenures), block by block."""
    cells = cells.sort_values(along, kind="stable")
    starts = np.flatnonzero(np.diff(cells[along].to_numpy(), prepend=-1))
    at_risk = cells["at_risk"].to_numpy()
    thetas = [fit.theta("logo", unit=unit, thin=thin) for unit in range(len(fit.units))]
    draws = len(next(iter(thetas[0].values())))
    for begin in range(0, draws, _BLOCK):
        hazard = _hazards(fit, cells, [{k: v[begin : begin + _BLOCK] for k, v in theta.items()} for theta in thetas])
        again = rng.binomial(at_risk.astype(np.int64), hazard)
        by_cell = at_risk * hazard, at_risk * hazard * (1 - hazard), again.astype(float)
        expected, variance, replicated = (np.add.reduceat(part, starts, axis=1) for part in by_cell)
        yield expected, np.maximum(variance, 1e-9), replicated


def _hazards(fit: Fit, cells: pd.DataFrame, thetas: list[dict[str, Array]]) -> Floats:
    """Hazard of each cell, (draws, cells); of each unit by its own draws where they were fitted alone."""
    tenures = fit.index.shape.tenures
    if fit.model.pooling != "none":
        stay = log_retention(fit.model.churn, fit.model.effects, thetas[0], fit.index.cells(cells), tenures)
        return np.asarray(np.clip(-np.expm1(stay), 0.0, 1.0))
    alone, unit = fit.index.alone(), cells["cohort"] * fit.index.shape.segments + cells["segment"]
    at = alone.cells(cells.assign(cohort=0, segment=0, bucket=0))
    hazard = np.zeros((len(next(iter(thetas[0].values()))), len(cells)))
    for i, theta in enumerate(thetas):
        own = (unit == i).to_numpy()
        stay = log_retention(fit.model.churn, fit.model.effects, theta, at, tenures)
        hazard[:, own] = -np.expm1(stay[:, own])
    return np.clip(hazard, 0.0, 1.0)
