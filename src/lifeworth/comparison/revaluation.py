"""One engine for every value between a formula and the posterior: a method under a Setting of switches."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lifeworth.books import ALL, NEW
from lifeworth.comparison.curves import carried_on, life_table
from lifeworth.comparison.inputs import Floats, Inputs
from lifeworth.comparison.paths import Paths, Weights, at_means, expected_paths, has_future, held, some_groups
from lifeworth.comparison.registry import Method, practised
from lifeworth.comparison.subject import Label, Measure, Positions, Subject
from lifeworth.errors import AssumptionError
from lifeworth.valuation import Valuation

FAR = 1200
"""Periods that are summed before the rest of an infinite sum is taken as geometric, at the last ratio."""

STEPS: dict[str, str] = {
    "segments": "each segment's own numbers instead of blended ones",
    "arpa": "what the accounts themselves pay instead of the average of the book",
    "compounding": "expansion compounds on the accounts that stay",
    "horizon": "payments end at the horizon",
    "discounting": "payments discounted, at the posterior's dates",
    "censoring": "accounts still there count as long as they were seen",
    "tenure": "retention by tenure, of the trailing twelve months",
    "fitted": "the fitted hazard: all observations, thin tenures helped by the others, its course beyond the observed, "
    "today's calendar level",
    "money": "churn by money instead of by accounts",
    "growth": "expansion and contraction as fitted, with their ceiling",
    "cost": "cost to serve, and the price increase",
    "uncertainty": "the mean over all draws instead of the value at their means (Jensen)",
    "calendar": "the future calendar",
}
"""The steps from a formula to the posterior mean, in their order, in words."""
ON_FITTED = ("money", "uncertainty", "calendar")
"""Steps that change something only where the fitted hazard is in force."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Which of the formula's assumptions the posterior's have taken the place of, in the order of `STEPS`.

    `money`, `uncertainty` and `calendar` act on the fitted hazard: without `fitted` they change nothing.
    """

    segments: bool = False
    arpa: bool = False
    compounding: bool = False
    horizon: bool = False
    discounting: bool = False
    censoring: bool = False
    tenure: bool = False
    fitted: bool = False
    money: bool = False
    growth: bool = False
    cost: bool = False
    uncertainty: bool = False
    calendar: bool = False


PRACTISED = Setting()
ALIGNED = Setting(horizon=True, discounting=True, cost=True)
EVERYTHING = Setting(**dict.fromkeys(STEPS, True))


@dataclass(frozen=True, slots=True)
class _Flow:
    """What a payment of each step counts, (steps, groups), and whether payments go on after the last."""

    factor: Floats
    goes_on: bool


class Revaluation:
    """Values of the rows of a valuation under any Setting, from its own book, dates and prices."""

    def __init__(self, value: Valuation, measure: Measure = "cltv") -> None:
        self.subject = Subject(value, measure)
        self._value, self._job, self._book = value, self.subject.job, self.subject.book
        self._walks: dict[tuple[str, str], Paths] = {}

    def worth(self, method: Method, setting: Setting, row: Label, blended: Inputs | None = None) -> float:
        """Money per account of a row under a Setting.

        Parameters
        ----------
        method : Method
        setting : Setting
        row : (cohort, segment)
        blended : Inputs, optional
            In place of the row's own, as long as segments are not told apart.

        Raises
        ------
        AssumptionError
            The value is infinite or undefined.
        """
        if self._is_posterior(setting):
            name = "residual" if self.subject.residual else "cltv"
            return float(self.subject.draws(name, row, "parameter").mean())
        cells = self._cells(setting, row, blended)
        with np.errstate(over="ignore", invalid="ignore"):
            total = sum(self._cell(method, setting, at, x) for at, x in cells)
        if not np.isfinite(total):
            raise AssumptionError(f"{method.name}: the value is not finite.")
        return float(total / self.subject.accounts(row))

    def margins(self, method: Method, row: Label, blended: Inputs | None = None) -> Floats:
        """Aligned margin per account of each step within the horizon, not discounted; (steps,)."""
        total = np.zeros(self._job.steps() + 1)
        for at, given in self._cells(ALIGNED, row, blended):
            x, accounts = replace(given, discount_rate_annual=0.0), self._book.groups.accounts[at]
            flow = self._flow(method, ALIGNED, at, x)
            there, money = self._shares(method, ALIGNED, at, x, len(total))
            paid = x.margin * money * self._price(at, len(total)) - x.service_cost * there
            total += (accounts * paid * flow.factor).sum(axis=1)
        return np.asarray(total / self.subject.accounts(row))

    def beyond(self, row: Label) -> float:
        """Share of a row's value, at the parameters' means, at tenures nobody was observed at."""
        at, book = self.subject.positions(row), self._book
        steps = np.arange(self._job.steps() + 1)
        factor = self._posterior_flow(at, steps, True, self._value.economics.discount_rate_annual)
        paths = self._paths(PRACTISED, at)
        place = [self._job.segments.index(book.segments[i]) for i in at]
        margin = book.groups.amount[at] * self._job.per_period * self._job.margin.mean(axis=0)[place]
        cost = book.groups.accounts[at] * self._job.service.mean(axis=0)[place] * self._job.period / 12
        worth = (paths.money[True, True] * self._price(at, len(steps)) * margin - paths.logo * cost) * factor
        late = book.groups.tenure[at] + steps[:, None] > self._job.observed
        return float(worth[late].sum() / worth.sum()) if worth.sum() > 0 else 0.0

    def _is_posterior(self, setting: Setting) -> bool:
        """Whether the Setting is the posterior's; without a calendar there is no future one to wait for."""
        return replace(setting, calendar=setting.calendar or not has_future(self._value.fit)) == EVERYTHING

    def _cells(self, setting: Setting, row: Label, blended: Inputs | None) -> list[tuple[Positions, Inputs]]:
        """Positions and inputs of each part of a row that has inputs of its own."""
        at, groups = self.subject.positions(row), self._book.groups
        labels = [self._book.segments[i] if setting.segments else row[1] for i in at]
        cells = []
        for segment in sorted(set(labels)):
            own = at[[label == segment for label in labels]]
            x = blended if blended is not None and not setting.segments else self.subject.inputs((row[0], segment))
            if isinstance(x, str) and not setting.fitted:
                raise AssumptionError(f"{' / '.join(segment) or 'all accounts'}: {x}")
            if isinstance(x, str):
                x = replace(self.subject.base((row[0], segment)), arpa=np.nan)
            if setting.arpa:
                paid = float(groups.amount[own].sum() / groups.accounts[own].sum())
                x = replace(x, arpa=paid * self._job.per_period)
            cells.append((own, x))
        return cells

    def _cell(self, method: Method, s: Setting, at: Positions, x: Inputs) -> float:
        """Money of the groups of one cell."""
        accounts = self._book.groups.accounts[at]
        if self._is_form(method, s):
            estimate, reason = practised(method, x, residual=self.subject.residual)
            if reason:
                raise AssumptionError(reason)
            return estimate * float(accounts.sum())
        amount = self._book.groups.amount[at] * self._job.per_period if s.arpa else accounts * x.arpa
        flow = self._flow(method, s, at, x)
        there, money = self._shares(method, s, at, x, len(flow.factor))
        price = self._price(at, len(flow.factor)) if s.cost else np.ones((1, 1))
        paid = amount * x.gross_margin * _summed(money * flow.factor * price, flow.goes_on)
        if s.cost or method.costs:
            paid = paid - accounts * x.service_cost * _summed(there * flow.factor, flow.goes_on)
        return float(paid.sum())

    def _is_form(self, method: Method, s: Setting) -> bool:
        """Whether the formula as practised is still what the Setting says."""
        return not (
            (s.discounting or s.tenure or s.fitted or s.growth)
            or (s.compounding and not method.compounds)
            or (s.horizon and not method.when(self.subject.residual).finite)
            or (s.censoring and not method.censored)
            or (s.cost and self._cost_changes(method))
        )

    def _cost_changes(self, method: Method) -> bool:
        """Whether there is a cost or a price increase that the formula as practised leaves out."""
        left_out = not method.costs and bool(self._job.service.any())
        return left_out or self._value.economics.price_increase_annual != 0

    # dates and prices

    def _flow(self, method: Method, s: Setting, at: Positions, x: Inputs) -> _Flow:
        """What payments count, in the posterior's way or as the formula is practised."""
        when, last = method.when(self.subject.residual), self._job.steps() + 1
        ends = s.horizon or when.finite
        steps = np.arange(last if ends or s.fitted else FAR)
        if s.discounting:
            return _Flow(self._posterior_flow(at, steps, ends, x.discount_rate_annual), not ends)
        payments = int(np.floor(x.horizon_years * x.periods_per_year + 1e-9)) if ends else len(steps)
        counted = (steps >= when.first) & (steps < when.first + payments)
        factor = counted * (1 + x.discount_rate * when.discounted) ** -(steps + float(when.lag))
        return _Flow(np.repeat(factor[:, None], len(at), axis=1), not ends)

    def _posterior_flow(self, at: Positions, steps: np.ndarray, ends: bool, rate: float) -> Floats:
        """Discount factors of the payments, zero where they are not valued; (steps, groups)."""
        if not ends:
            years = self._book.first_payment[at] + steps[:, None] * self._job.period / 12
            return np.asarray((steps >= self._book.paid)[:, None] * (1 + rate) ** -years)
        both = [self._job.payment(self._book, int(k)) for k in steps]
        return np.stack([valued[at] * (1 + rate) ** -years[at] for years, valued in both])

    def _price(self, at: Positions, steps: int) -> Floats:
        since = np.maximum(self._book.opening[at] + np.arange(steps)[:, None] * self._job.period / 12, 0.0)
        return np.asarray((1 + self._value.economics.price_increase_annual) ** since)

    # shares

    def _shares(self, method: Method, s: Setting, at: Positions, x: Inputs, steps: int) -> tuple[Floats, Floats]:
        """Accounts and money at the opening of each step, over what the groups begin with; (steps, groups)."""
        t = np.arange(steps, dtype=np.float64)
        own = method.grown(t, x) if not s.compounding or method.compounds else (1 + x.expansion) ** t
        if s.fitted:
            paths = self._paths(s, at)
            money = paths.money[s.money, s.growth][:steps]
            return paths.logo[:steps], money if s.growth else money * own[:, None]
        there = self._there(method, s, at, x, t)
        if s.growth:
            return there, there * _further(self._paths(s, at).growth, steps)
        return there, there * own[:, None]

    def _there(self, method: Method, s: Setting, at: Positions, x: Inputs, t: Floats) -> Floats:
        """Accounts at the opening of each step by the method's own law, or by a life table; (steps, groups)."""
        observed = s.tenure or (s.censoring and not method.censored)
        if not observed and not method.by_tenure:
            return np.repeat(method.survival(t, x)[:, None], len(at), axis=1)
        tenure = self._book.groups.tenure[at]
        longest = np.arange(len(t) + tenure.max(), dtype=np.float64)
        whole = method.survival(longest, x) if not observed else carried_on(_observed(s, x), longest)
        path = whole[np.arange(len(t))[:, None] + tenure]
        return np.divide(path, path[:1], out=np.zeros_like(path), where=path[:1] > 0)

    def _paths(self, s: Setting, at: Positions) -> Paths:
        """What the posterior expects of the groups at these positions."""
        acts = s.fitted and s.uncertainty
        kind = ("full" if s.calendar or not has_future(self._value.fit) else "held") if acts else "means"
        cohorts = {self._book.cohorts[i] for i in at}
        cohort = cohorts.pop() if len(cohorts) == 1 else ALL
        every = self.subject.positions((cohort, tuple(ALL for _ in self._value.by)))
        if (cohort, kind) not in self._walks:
            self._walks[cohort, kind] = self._walked(every, kind)
        inside, found = np.searchsorted(every, at), self._walks[cohort, kind]
        money = {key: path[:, inside] for key, path in found.money.items()}
        return Paths(found.logo[:, inside], money, found.growth[:, inside])

    def _walked(self, at: Positions, kind: str) -> Paths:
        forecaster, groups = self._value.forecaster, some_groups(self._book.groups, at)
        if kind == "means":
            keep = forecaster.thin if self._value.fit.model.pooling == "none" else 1
            still, one = replace(forecaster, fit=at_means(self._value.fit), thin=keep), np.ones((1, 1))
            return expected_paths(still, groups, self._job.steps(), Weights(one, one))
        if kind == "held":
            forecaster = replace(forecaster, fit=held(self._value.fit))
        return expected_paths(forecaster, groups, self._job.steps(), self._weights(at))

    def _weights(self, at: Positions) -> Weights:
        """Draws of size and margin, and of cost, over their means."""
        place = [self._job.segments.index(self._book.segments[i]) for i in at]
        groups, sizes = self._book.groups, np.ones((self._value.forecaster.draws, len(at)))
        for j, i in enumerate(at):
            if self._book.cohorts[i] == NEW or self._job.arpa is not None:
                arpa = self.subject.draws("arpa", (self._book.cohorts[i], self._book.segments[i]), "parameter")
                sizes[:, j] = arpa / (groups.amount[i] / groups.accounts[i])
        return Weights(_over_mean(self._job.margin)[:, place] * sizes, _over_mean(self._job.service)[:, place])


def _over_mean(draws: Floats) -> Floats:
    mean = draws.mean(axis=0)
    return np.divide(draws, mean, out=np.ones_like(draws), where=mean != 0)


def _observed(s: Setting, x: Inputs) -> Floats:
    """Retention by tenure: of the trailing twelve months, or of everything observed."""
    return life_table(x.recent_at_risk, x.recent_churned) if s.tenure else life_table(x.at_risk, x.churned)


def _further(path: Floats, steps: int) -> Floats:
    """A path of shares over so many steps, carried on at its last ratio."""
    if steps <= len(path):
        return path[:steps]
    ratio = np.divide(path[-1], path[-2], out=np.zeros_like(path[-1]), where=path[-2] > 0)
    with np.errstate(over="ignore"):
        later = path[-1] * ratio ** np.arange(1, steps - len(path) + 1)[:, None]
    return np.concatenate([path, later])


def _summed(flow: Floats, goes_on: bool) -> Floats:
    """Sum over steps, with a geometric tail at the last ratio where payments go on; (groups,).

    Raises
    ------
    AssumptionError
        The tail does not fall.
    """
    total = flow.sum(axis=0)
    if not goes_on:
        return np.asarray(total)
    last, before = flow[-1], flow[-2]
    ratio = np.divide(last, before, out=np.zeros_like(last), where=before > 0)
    if np.any(~(ratio < 1 - 1e-12) & (last > 0)):
        raise AssumptionError("without a horizon the value is infinite: payments do not fall from one to the next.")
    return np.asarray(total + last * ratio / (1 - ratio))
