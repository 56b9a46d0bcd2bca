"""What the posterior expects of groups of accounts, with its uncertainty and its future calendar switched off or on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import xarray as xr
from scipy import special

from lifeworth.comparison.inputs import Floats
from lifeworth.effects import CalendarWalk, Shock
from lifeworth.forecasting.forecaster import Forecaster
from lifeworth.forecasting.groups import Groups, State
from lifeworth.results import Fit


@dataclass(frozen=True, slots=True)
class Paths:
    """Expected shares of what the groups begin with, at the opening of each step; each (steps, groups).

    The mean over draws is that of the share times the draw's margin and size over their means, so that a sum of
    paths is the mean of the draws' sums.

    Parameters
    ----------
    logo : array
        Accounts, weighed by the service cost.
    money : dict of (bool, bool) to array
        Money, by whether its churn is that of money (else of accounts) and whether it expands and contracts.
    growth : array
        Money of an account that is still there, over its first, on average over the draws.
    """

    logo: Floats
    money: dict[tuple[bool, bool], Floats]
    growth: Floats


@dataclass(frozen=True, slots=True)
class Weights:
    """Draws of size times margin, and of service cost, over their means; (draws, groups) or ones."""

    unit: Floats
    service: Floats


def some_groups(groups: Groups, at: Any) -> Groups:
    """The groups at these positions."""
    return Groups(**{f.name: getattr(groups, f.name)[at] for f in fields(groups)})


def expected_paths(forecaster: Forecaster, groups: Groups, steps: int, weights: Weights) -> Paths:
    """Expected shares of the groups from step 0 to `steps`."""
    logo, growth = [], []
    money: dict[tuple[bool, bool], list[Floats]] = {(a, b): [] for a in (False, True) for b in (False, True)}
    for left, grown in _together(forecaster, groups, steps):
        factor = np.divide(grown, left.money, out=np.ones_like(grown), where=left.money > 0)
        logo.append((left.logo * weights.service).mean(axis=0))
        growth.append(factor.mean(axis=0))
        for by_money, share in ((False, left.logo), (True, left.money)):
            money[by_money, False].append((share * weights.unit).mean(axis=0))
            money[by_money, True].append((share * factor * weights.unit).mean(axis=0))
    return Paths(np.stack(logo), {key: np.stack(path) for key, path in money.items()}, np.stack(growth))


def _together(forecaster: Forecaster, groups: Groups, steps: int) -> Iterator[tuple[State, Floats]]:
    """The groups without growth, and their money with it, step by step."""
    still = forecaster.without_growth().walk(groups, steps, predictive=False, stream=0)
    if "expansion" not in forecaster.fit.draws:
        for state in still:
            yield state, state.money.copy()
        return
    both = zip(still, forecaster.walk(groups, steps, predictive=False, stream=0), strict=True)
    for left, grown in both:
        yield left, grown.money


def held(fit: Fit) -> Fit:
    """The same draws with a calendar that stays at its last level after as_of, and no shocks to come."""
    still = {"calendar_sd", "calendar_momentum", "shock_sd"}
    effects = tuple(replace(e, reaction=0.0) if isinstance(e, CalendarWalk) else e for e in fit.model.effects)
    draws = {part: _zeroed(dataset, still) for part, dataset in fit.draws.items()}
    return replace(fit, model=replace(fit.model, effects=effects), draws=draws)


def at_means(fit: Fit) -> Fit:
    """One draw: every parameter at its posterior mean on the scale it is sampled on, the calendar held.

    What was never observed, a new cohort or segment, is like the average of the observed. Under pooling "none" the
    new are like one of the observed, taken at random, so that the draws are as many as before and all alike.
    """
    link = {p.name: p.link for p in fit.parameters()}
    varied = {p.name for p in fit.parameters() if p.link == "half"} | _spreads(fit)
    draws = {part: _zeroed(_mean(d, link, fit.model.pooling == "none"), varied) for part, d in fit.draws.items()}
    return held(replace(fit, draws=draws))


def _spreads(fit: Fit) -> set[str]:
    """Names of the standard deviations from which the unseen is drawn: those of effects and of growth."""
    own = {p.name for p in fit.model.churn.parameters}
    return {p.scale for p in fit.parameters() if p.scale is not None and p.scale not in own}


def _mean(dataset: xr.Dataset, link: dict[str, str], keep: bool) -> xr.Dataset:
    into = {"logit": special.logit, "log": np.log}
    back = {"logit": special.expit, "log": np.exp}
    found = {}
    for name, values in dataset.data_vars.items():
        scale = link.get(str(name), "identity")
        moved = into.get(scale, np.asarray)(values.to_numpy())
        axes = tuple(values.dims.index(d) for d in ("chain", "draw"))
        mean = np.asarray(back.get(scale, np.asarray)(moved.mean(axis=axes, keepdims=True)))
        found[str(name)] = (values.dims, np.broadcast_to(mean, values.shape).copy() if keep else mean)
    return xr.Dataset(found)


def _zeroed(dataset: xr.Dataset, names: set[str]) -> xr.Dataset:
    return dataset.assign({name: xr.zeros_like(dataset[name]) for name in sorted(names & {*map(str, dataset)})})


def has_future(fit: Fit) -> bool:
    """Whether the fit has a calendar, or shocks, that go on after as_of."""
    logo = fit.draws["logo"]
    shocks = any(isinstance(e, Shock) for e in fit.model.effects) and "shock_sd" in logo
    return "calendar" in logo or shocks
