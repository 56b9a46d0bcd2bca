"""The books that are simulated: their design, and what a model makes happen in them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special, stats

from lifeworth._parameters import Parameter, Theta, draw_prior
from lifeworth.effects import Shape
from lifeworth.errors import DefinitionError
from lifeworth.expansion.variation import DIRECTIONS, log_level, log_shift
from lifeworth.fitting import Job
from lifeworth.indexing import SUMS, TableIndex
from lifeworth.ledger import TERM_COLUMN, CohortTable
from lifeworth.ledger.counts import empty_acquisitions, empty_in_force
from lifeworth.ledger.months import MONTHS
from lifeworth.model import Model, log_retention
from lifeworth.results import SamplerOptions

type Part = Literal["logo", "expansion"]
type Values = dict[str, NDArray[np.float64]]
"""A quantity by name, one value a draw."""

_UNITS = {months: unit for unit, months in MONTHS.items()}


@dataclass(frozen=True, slots=True)
class Design:
    """The book that is simulated: cohorts that start one calendar bucket apart, the same number in every segment.

    The last cohort is seen for at least one tenure and the first for all of `tenures`, unless later cohorts need
    longer: cells form a triangle, as in a ledger.

    Parameters
    ----------
    segments, cohorts : int
    terms : tuple of int
        Contract terms in months; more than one, or longer than a period, make a second segment column `term_months`,
        crossed with the first.
    tenures : int
        Tenures after which an account is followed no further.
    accounts : int
        Accounts that each segment of each cohort starts with.
    months_per_period, months_per_bucket : {1, 3, 12}
        Months in a tenure and in a calendar bucket.

    Examples
    --------
    Two cohorts a quarter apart, monthly tenures: the first is seen for six months, the second for three.

    >>> Design(segments=1, cohorts=2, tenures=6).cells()["tenure"].tolist()
    [0, 1, 2, 3, 4, 5, 0, 1, 2]
    """

    segments: int = 3
    cohorts: int = 8
    terms: tuple[int, ...] = (1,)
    tenures: int = 12
    accounts: int = 400
    months_per_period: int = 1
    months_per_bucket: int = 3

    def __post_init__(self) -> None:
        sizes = [getattr(self, f.name) for f in fields(self) if f.name != "terms"]
        known = {self.months_per_period, self.months_per_bucket} <= set(_UNITS)
        if not known or not self.terms or min(*sizes, *self.terms) < 1 or len(set(self.terms)) < len(self.terms):
            raise DefinitionError(f"{self}: sizes are at least 1, terms differ, units are of 1, 3 or 12 months.")

    @property
    def buckets(self) -> int:
        """Calendar buckets from the start of the first cohort to the last cell."""
        first = -(-self.tenures * self.months_per_period // self.months_per_bucket)
        last = self.cohorts - 1 + -(-self.months_per_period // self.months_per_bucket)
        return max(first, last)

    @property
    def by(self) -> tuple[str, ...]:
        """The segment columns that tell something apart."""
        term = (TERM_COLUMN,) if len(self.terms) > 1 or self.terms[0] > self.months_per_period else ()
        return (*(("segment",) if self.segments > 1 else ()), *term)

    def cells(self) -> pd.DataFrame:
        """One row per cell that is observed: cohort, segment, term_months, tenure and bucket (0 is the last)."""
        at = np.indices((self.cohorts, self.segments, len(self.terms), self.tenures)).reshape(4, -1)
        cells = pd.DataFrame(dict(zip(("cohort", "segment", TERM_COLUMN, "tenure"), at, strict=True)))
        cells[TERM_COLUMN] = np.take(self.terms, cells[TERM_COLUMN])
        elapsed = (cells["tenure"] + 1) * self.months_per_period
        cells["bucket"] = cells["cohort"] - (-elapsed // self.months_per_bucket) - self.buckets
        return cells[cells["bucket"] <= 0].reset_index(drop=True)


def book(design: Design) -> CohortTable:
    """The table of a design in which nobody has left yet and nothing has grown."""
    cells = design.cells()
    labels = {name: cells[name].map("{:04d}".format) for name in ("cohort", "segment")}
    frame = cells.assign(**labels, **dict.fromkeys(SUMS, 0)).assign(at_risk=design.accounts)
    return CohortTable(
        frame=frame,
        in_force=empty_in_force(["cohort", *design.by]),
        acquisitions=empty_acquisitions(["cohort", *design.by]),
        period=_UNITS[design.months_per_period],
        cohort_by="given",
        calendar=_UNITS[design.months_per_bucket],
        by=design.by,
        as_of=date(2025, 12, 31),
        amount_per="month",
        has_money=False,
    )


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """A model that makes data: the table of a design, where its cells stand, and what happens in them."""

    table: CohortTable
    index: TableIndex
    model: Model

    @classmethod
    def of(cls, table: CohortTable, model: Model) -> Self:
        """A world of the table's own sizes: not rounded up, as what nobody stands for has no true value."""
        index = TableIndex.of(table)
        buckets = 1 - int(table.frame["bucket"].min())
        shape = replace(index.shape, cohorts=len(index.cohorts), buckets=buckets)
        return cls(table, replace(index, weights=index.weights[-buckets:], shape=shape), model)

    @property
    def parts(self) -> tuple[Part, ...]:
        """What is simulated and fitted, in order: who stays decides what can grow."""
        return ("logo", "expansion") if self.model.expansion.parameters else ("logo",)

    def shape(self, part: Part) -> Shape:
        """The shape that the part is fitted with."""
        if part == "expansion":
            return Job(self.table, self.index, self.model, 0, SamplerOptions()).expansion_shape()
        return self.index.alone().shape if self.model.pooling == "none" else self.index.shape

    def parameters(self, part: Part) -> tuple[Parameter, ...]:
        """What is drawn from the prior and ranked."""
        shape = self.shape(part)
        return self.model.hazard_parameters(shape) if part == "logo" else self.model.expansion_parameters(shape)

    def happen(self, part: Part, theta: Theta, table: CohortTable, rng: np.random.Generator) -> CohortTable:
        """The table after accounts have left, or after those that stayed have grown, by chance."""
        make = self._leave if part == "logo" else self._grow
        return replace(table, frame=make(theta, table.frame, rng))

    @property
    def innovations(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What is taken to be known of the innovations of churn: means and standard errors by bucket."""
        buckets = self.shape("expansion").buckets
        mean = np.random.default_rng(0).normal(size=buckets) * 0.1
        return mean, np.full(buckets, 0.03)

    def values(self, part: Part, theta: Theta, table: CohortTable) -> Values:
        """What is ranked: every element of `theta`, and what follows from it and the data; (draws,) each."""
        own: Values = {}
        for p in self.parameters(part):
            columns = np.asarray(theta[p.name], dtype=float).T
            own |= dict(zip(_names(p), columns, strict=True))
        return own | (self._hazard_values(theta, table) if part == "logo" else self._growth_values(theta, table))

    def blind(self, part: Part) -> list[str]:
        """Elements of vectors that no cell depends on: their posterior is their prior."""
        every = self.parameters(part)
        prior = draw_prior(every, np.random.default_rng(0), 101)
        middle = {name: np.median(value, axis=0, keepdims=True) for name, value in prior.items()}
        found: list[str] = []
        for p in every:
            if p.size is None:
                continue
            rows = {name: np.repeat(value, p.size + 1, axis=0) for name, value in middle.items()}
            rows[p.name][1:] += 1e-3 * np.eye(p.size)
            rates = self._log_hazard(rows) if part == "logo" else np.hstack(self._log_growth(rows))
            moved = np.abs(rates[1:] - rates[:1]).max(axis=1) > 1e-12
            found += [name for name, seen in zip(_names(p), moved, strict=True) if not seen]
        return found

    def _positions(self) -> pd.DataFrame:
        return self.index.positions(self.table.frame, self.table.by)

    def _log_stay(self, theta: Theta) -> NDArray[np.float64]:
        cells, tenures = self.index.cells(self._positions()), self.index.shape.tenures
        return np.asarray(log_retention(self.model.churn, self.model.effects, theta, cells, tenures))

    def _log_hazard(self, theta: Theta) -> NDArray[np.float64]:
        return np.log(-self._log_stay(theta))

    def _leave(self, theta: Theta, frame: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
        leaving = -np.expm1(self._log_stay(theta)[0])
        unit = frame.groupby(["cohort", *self.table.by]).ngroup().to_numpy()
        at_risk, tenure = frame["at_risk"].to_numpy().copy(), frame["tenure"].to_numpy()
        left, churned = np.full(unit.max() + 1, at_risk.max()), np.zeros_like(at_risk)
        for t in range(tenure.max() + 1):
            now = np.flatnonzero(tenure == t)
            at_risk[now] = left[unit[now]]
            churned[now] = rng.binomial(at_risk[now], leaving[now])
            left[unit[now]] -= churned[now]
        money = {"opening": at_risk, "opening_sq": at_risk, "churned_amount": churned, "churned_sq": churned}
        return frame.assign(at_risk=at_risk, churned=churned, **money)

    def _hazard_values(self, theta: Theta, table: CohortTable) -> Values:
        """The log likelihood, the retention of the first segment in the last bucket, and a CLTV."""
        stay, frame = self._log_stay(theta), table.frame
        n, d = frame["at_risk"].to_numpy(), frame["churned"].to_numpy()
        likely = (special.xlogy(d, -np.expm1(stay)) + (n - d) * stay).sum(axis=1)
        last = (self._positions()["segment"] == 0) & (frame["bucket"] == 0)
        retention = np.exp(stay[:, last]).mean(axis=1)
        return {"log_likelihood": likely, "last_retention": retention, "cltv": self._cltv(theta)}

    def _cltv(self, theta: Theta) -> NDArray[np.float64]:
        """Present value, at 10% a year over five years, of one a period from an account of the first cohort.

        Of the first segment, at the last calendar level; the payment of a period falls at its end.
        """
        years = self.index.shape.months_per_period / 12
        tenure = np.arange(round(5 / years))
        at = pd.DataFrame({"tenure": tenure, "segment": 0, "cohort": 0, "bucket": self.index.shape.buckets - 1})
        stay = log_retention(self.model.churn, self.model.effects, theta, self.index.cells(at), len(tenure))
        lived = np.exp(np.cumsum(stay, axis=1) - stay)
        return np.asarray(lived @ 1.1 ** (-years * (tenure + 1.0)))

    def _growth_cells(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Tenure, segment, and the number of the group that shares a shock, of each cell."""
        shape, at = self.shape("expansion"), self._positions()
        segment = at["segment"].to_numpy() * (shape.segments > 1)
        return at["tenure"].to_numpy(), segment, segment * shape.buckets + at["bucket"].to_numpy()

    def _log_growth(self, theta: Theta) -> list[NDArray[np.float64]]:
        """Log rate a year by direction, (draws, cells) each."""
        tenure, segment, _ = self._growth_cells()
        years = np.arange(self.index.shape.tenures) * self.index.shape.months_per_period / 12
        innovation = np.zeros((1, len(tenure)))
        if "innovation_error" in theta:
            mean, error = self.innovations
            innovation = (mean + error * theta["innovation_error"])[:, self._positions()["bucket"].to_numpy()]
        rates = zip(DIRECTIONS, self.model.expansion.rates(years, theta), strict=True)
        return [
            np.log(annual[:, tenure]) + log_level(direction, theta, segment) + log_shift(direction, theta, innovation)
            for direction, annual in rates
        ]

    def _exposure(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        return (frame["at_risk"] - frame["churned"]).to_numpy(dtype=float) * self.index.shape.months_per_period / 12

    def _grow(self, theta: Theta, frame: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
        *_, group = self._growth_cells()
        columns: dict[str, NDArray[np.int64]] = {}
        for direction, log_rate in zip(DIRECTIONS, self._log_growth(theta), strict=True):
            variance = theta[f"{direction}_shock_sd"][0, 0] ** 2
            shock = rng.gamma(1 / variance, variance, size=group.max() + 1)[group]
            events = rng.poisson(self._exposure(frame) * np.exp(log_rate[0]) * shock)
            columns |= {direction: events, f"{direction}_sq": events}
        return frame.assign(**columns)

    def _growth_values(self, theta: Theta, table: CohortTable) -> Values:
        """The log likelihood, less what does not depend on `theta`."""
        *_, group = self._growth_cells()
        within = np.eye(group.max() + 1)[group]
        likely: NDArray[np.float64] = np.zeros(1)
        for direction, log_rate in zip(DIRECTIONS, self._log_growth(theta), strict=True):
            events, shape = table.frame[direction].to_numpy(dtype=float), theta[f"{direction}_shock_sd"] ** -2
            seen, expected = events @ within, (self._exposure(table.frame) * np.exp(log_rate)) @ within
            shocked = stats.nbinom.logpmf(seen, shape, shape / (shape + expected)) - special.xlogy(seen, expected)
            likely = likely + shocked.sum(axis=1) + log_rate @ events
        return {"log_likelihood": likely}


def _names(p: Parameter) -> list[str]:
    return [p.name] if p.size is None else [f"{p.name}[{i}]" for i in range(p.size)]
