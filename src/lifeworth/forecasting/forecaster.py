"""Carrying a fit forward: groups of accounts, step by step, through calendar time that has not happened yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from lifeworth._ops import Array
from lifeworth.effects import CalendarWalk, CellIndex, Shock
from lifeworth.expansion.variation import DIRECTIONS, Direction, log_level, log_shift
from lifeworth.forecasting.future import Calendar, average_steps, future_shocks
from lifeworth.forecasting.groups import Floats, Groups, Ints, State
from lifeworth.forecasting.shares import Expected, Rates, Sampled, Shares
from lifeworth.forecasting.turning import Turning
from lifeworth.indexing import jump_size, merged
from lifeworth.results import Fit, Weight


@dataclass(frozen=True)
class Forecaster:
    """A fit, ready to be carried forward by steps of one period.

    Parameters
    ----------
    fit : Fit
    thin : int
        Every how many draws one is used.
    seed : int
        Of everything that has not happened yet.
    buckets_ahead : int
        Calendar buckets after as_of that can be reached.
    tenures : int
        Tenures that can be reached.
    """

    fit: Fit
    thin: int
    seed: int
    buckets_ahead: int
    tenures: int

    def rng(self, *stream: int) -> np.random.Generator:
        """A generator of its own for each use, so that no use disturbs another."""
        return np.random.default_rng([self.seed, *stream])

    @cached_property
    def draws(self) -> int:
        """How many draws are carried."""
        sizes = self.fit.draws["logo"].sizes
        return sizes["chain"] * len(range(0, sizes["draw"], self.thin))

    def without_growth(self) -> Forecaster:
        """The same fit, in which the money of those who stay remains what it is."""
        draws = {part: dataset for part, dataset in self.fit.draws.items() if part != "expansion"}
        return replace(self, fit=replace(self.fit, draws=draws))

    def theta(self, weight: Weight, unit: int | None = None) -> dict[str, Array]:
        """Draws of a hazard's parameters, with an unseen segment and an unseen cohort as last positions."""
        theta = self.fit.theta(weight if weight in self.fit.draws else "logo", unit=unit, thin=self.thin)
        columns = [f"by_{column}" for column, _ in self.fit.index.shape.columns]
        for stream, name in enumerate(("segment", "cohort", *columns)):
            if name in theta:
                unseen = theta[f"{name}_sd"] * self.rng(1, stream).normal(size=(self.draws, 1))
                theta[name] = np.concatenate([theta[name], unseen], axis=1)
        return theta

    def increments(self, weight: Weight) -> Floats:
        """The curve's log retention by unit and tenure, (draws, units, tenures).

        Under pooling "none" the units are cohorts x segments, each with an unseen one as the last; a draw of the
        unseen is that of one of the seen, taken at random.
        """
        churn, at = self.fit.model.churn, np.arange(self.tenures)
        if self.fit.model.pooling != "none":
            return churn.log_retention(at, self.theta(weight))[:, None, :]
        units = range(len(self.fit.units))
        every = np.stack([churn.log_retention(at, self.theta(weight, u)) for u in units], axis=1)
        cohorts, segments = len(self.fit.index.cohorts), self.fit.index.shape.segments
        every = every.reshape(self.draws, cohorts, segments, self.tenures)
        for axis in (2, 1):
            pick = self.rng(2, axis).integers(every.shape[axis], size=(self.draws, 1, 1, 1))
            every = np.concatenate([every, np.take_along_axis(every, pick, axis=axis)], axis=axis)
        return every.reshape(self.draws, -1, self.tenures)

    def unit(self, cohort: Ints, segment: Ints) -> Ints:
        """Unit in `increments` of each pair of positions."""
        if self.fit.model.pooling != "none":
            return np.zeros(len(segment), dtype=np.int64)
        return np.minimum(cohort, len(self.fit.index.cohorts)) * (self.fit.index.shape.segments + 1) + segment

    def growth_theta(self) -> dict[str, Array]:
        """Draws of the growth's parameters, with an unseen segment as last position."""
        theta = self.fit.theta("expansion", thin=self.thin)
        for stream, direction in enumerate(DIRECTIONS):
            if (name := f"{direction}_segment") in theta:
                unseen = theta[f"{name}_sd"] * self.rng(4, stream).normal(size=(self.draws, 1))
                theta[name] = np.concatenate([theta[name], unseen], axis=1)
        return theta

    def bucket(self, months: Ints) -> Ints:
        """Calendar position of a decision `months` from as_of; before the first observed bucket it is that."""
        ahead = -(-months // self.fit.index.shape.months_per_bucket)
        return np.clip(self.fit.index.shape.buckets - 1 + ahead, 0, None)

    @property
    def calendar(self) -> CalendarWalk | None:
        """The calendar walk of the fit."""
        return next((e for e in self.fit.model.effects if isinstance(e, CalendarWalk)), None)

    def future(self, theta: Mapping[str, Array], predictive: bool) -> Calendar | None:
        """The calendar of a hazard: random steps after as_of, alike for logo and money, or those to average over."""
        walk, index = self.calendar, self.fit.index
        if walk is None or "calendar" not in theta:
            return None
        if not predictive:
            return Calendar.of(walk, theta, index, average_steps(walk, theta, index.moves, self.buckets_ahead))
        z = self.rng(3).normal(size=(self.draws, self.buckets_ahead))
        return Calendar.of(walk, theta, index, walk.ahead(theta, z, index.moves)[None])

    def walk(self, groups: Groups, steps: int, *, predictive: bool, stream: int) -> Iterator[State]:
        """The state of the groups at the opening of each step, from the first to step number `steps`.

        Not predictive: expected shares, averaged over the future calendar. Predictive: one future for each draw,
        with the calendar, the shocks and the process noise of the accounts in the groups.
        """
        turning = Turning.of(self.fit, groups, self.draws, self.rng(12))
        every = turning.groups
        hazards = {w: _Hazard.of(self, every, w, predictive) for w in self.fit.weights}
        growth = _Growth.of(self, every, hazards["logo"].calendar)
        shares: Shares
        if predictive:
            jump = growth.jump if growth else {}
            shares = Sampled(self.rng(5, stream), every, jump, self.draws, turning.present)
        else:
            calendar = hazards["logo"].calendar
            shares = Expected(1 if calendar is None else len(calendar.factor), self.draws, turning.present)
        yield turning.together(shares.state(0))
        for step in range(steps):
            stay = {w: h.stay(step) for w, h in hazards.items()}
            rates = growth.rates(step, shocked=predictive) if growth else {}
            shares.advance(stay["logo"], stay.get("money", stay["logo"]), rates)
            if turning.into.size:
                shares.turn(turning.turned, turning.into, *turning.rates(step))
            yield turning.together(shares.state(step + 1))


@dataclass(frozen=True)
class _Hazard:
    """The hazard of the groups at each step, over the futures looked at."""

    forecaster: Forecaster
    groups: Groups
    theta: dict[str, Array]
    increments: Floats
    unit: Ints
    calendar: Calendar | None

    @classmethod
    def of(cls, forecaster: Forecaster, groups: Groups, weight: Weight, predictive: bool) -> _Hazard:
        theta = forecaster.theta(weight)
        calendar = forecaster.future(theta, predictive)
        segments, ahead = forecaster.fit.index.shape.segments, forecaster.buckets_ahead
        for shock in (e for e in forecaster.fit.model.effects if isinstance(e, Shock)):
            z = forecaster.rng(9).normal(size=(forecaster.draws, ahead, segments + 1)) if predictive else None
            theta["shock"] = future_shocks(shock, theta, segments, z, ahead)
        unit = forecaster.unit(groups.cohort, groups.segment)
        return cls(forecaster, groups, theta, forecaster.increments(weight), unit, calendar)

    def stay(self, step: int) -> Floats:
        """Probability of staying through this step, (futures, draws, groups)."""
        g, f = self.groups, self.forecaster
        tenure = np.minimum(g.tenure + step, f.tenures - 1)
        bucket = f.bucket(g.months + step * f.fit.index.shape.months_per_period)
        index = f.fit.index
        cells = CellIndex(
            tenure=tenure,
            segment=g.segment,
            cohort=g.cohort,
            bucket=bucket,
            calendar=None,
            segments=index.shape.segments + 1,
            levels=index.levels(g.segment),
            term=index.term(g.segment),
        )
        effects = [e for e in f.fit.model.effects if not isinstance(e, CalendarWalk)]
        eta = sum((e.eta(self.theta, cells) for e in effects), start=0.0)
        increment = np.exp(eta) * self.increments[:, self.unit, tenure]
        if self.calendar is None:
            return np.exp(increment)[None]
        log_stay = np.take(self.calendar.factor, bucket, axis=-1)
        log_stay *= increment
        return np.exp(log_stay, out=log_stay)


@dataclass(frozen=True)
class _Growth:
    """Rates of expansion and contraction of the groups, per period."""

    forecaster: Forecaster
    groups: Groups
    theta: dict[str, Array]
    jump: Mapping[Direction, Floats]
    moved: Mapping[Direction, Floats]
    """Factor on the rate by bucket that comes with the calendar of churn, (futures, draws, buckets)."""

    @classmethod
    def of(cls, forecaster: Forecaster, groups: Groups, calendar: Calendar | None) -> _Growth | None:
        fit = forecaster.fit
        if "expansion" not in fit.draws:
            return None
        theta = forecaster.growth_theta()
        cells = merged(fit.table, fit.index, frozenset({"segment"}))
        sizes = {d: jump_size(cells, d) for d in DIRECTIONS}
        jump = {d: np.array([s.get(int(i), max(s.values())) for i in groups.segment]) for d, s in sizes.items()}
        moved: dict[Direction, Floats] = {}
        if calendar is not None:
            moved = {d: np.exp(log_shift(d, theta, calendar.innovation)) for d in DIRECTIONS}
        return cls(forecaster, groups, theta, jump, moved)

    def rates(self, step: int, *, shocked: bool) -> Rates:
        """Shares of the survivors' money added and lost in this step, each (futures, draws, groups).

        Expected ones, or those under the shocks of a random future.
        """
        months = self.forecaster.fit.index.shape.months_per_period
        bucket = self.forecaster.bucket(self.groups.months + step * months)
        years = (self.groups.tenure + step) * months / 12
        annual = self.forecaster.fit.model.expansion.rates(years, self.theta)
        found: dict[Direction, Floats] = {}
        for direction, common in zip(DIRECTIONS, annual, strict=True):
            level = np.exp(log_level(direction, self.theta, self.groups.segment))
            moved = np.take(self.moved[direction], bucket, axis=-1) if direction in self.moved else 1.0
            rate = (common * level * months / 12)[None] * moved
            found[direction] = np.minimum(rate, 1.0) if direction == "contraction" else rate
            if shocked:
                found[direction] = found[direction] * self._shock(direction, bucket)
        return found

    def _shock(self, direction: Direction, bucket: Ints) -> Floats:
        """The bucket's shock to each group's segment, (draws, groups)."""
        f = self.forecaster
        keys, position = np.unique(np.stack([self.groups.segment, bucket]), axis=1, return_inverse=True)
        shape = np.ravel(self.theta[f"{direction}_shock_sd"]) ** -2
        columns = [f.rng(6, DIRECTIONS.index(direction), int(s), int(b)).gamma(shape) / shape for s, b in keys.T]
        return np.stack(columns, axis=1)[:, position.ravel()]


def stay_draws(forecaster: Forecaster, groups: Groups) -> Floats:
    """Probability that an account of each group stays through its first decision, in one future a draw."""
    return _Hazard.of(forecaster, groups, "logo", predictive=True).stay(0)[0]
