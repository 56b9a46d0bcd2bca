"""Planted growth that ends is found again, and valued: with NRR above 100% the value has an end."""

import numpy as np
import pandas as pd
import pytest

import lifeworth as lw
from lifeworth.calibration.study import Design
from lifeworth.calibration.world import World, book
from lifeworth.effects import CalendarWalk
from lifeworth.expansion import Constant, Decaying, Saturating
from lifeworth.fitting import Job
from lifeworth.model import Model
from lifeworth.results import SamplerOptions

MONTHS, A_MONTH, CHURN, JUMP = 48, 60, 0.005, 0.25
PLANTED = {
    Saturating(): {"expansion_annual": 0.45, "contraction_annual": 0.02, "headroom": 1.0},
    Decaying(): {"expansion_annual": 0.45, "contraction_annual": 0.02, "expansion_half_life": 1.5},
}


def snapshots(curve, theta, seed):
    """Monthly amounts of accounts that begin at 100 and move by jumps of about a quarter."""
    rng = np.random.default_rng(seed)
    month = np.repeat(np.arange(MONTHS), A_MONTH)
    amount, parts = np.zeros(month.size), []
    for now in range(MONTHS):
        amount[month == now] = 100.0
        here = np.flatnonzero(amount)
        paid = {"customer_id": here.astype(str), "period": pd.Timestamp("2022-07-01") + pd.DateOffset(months=now)}
        parts.append(pd.DataFrame(paid | {"amount": amount[here].round(2)}))
        added, lost = (rate / 12 / JUMP for rate in curve.rates((now - month[here]) / 12, theta))
        event, size = rng.random(here.size), JUMP * rng.uniform(0.5, 1.5, here.size)
        moved = np.where(event < added, size, np.where(event > 1 - lost, -size, 0.0))
        amount[here] *= (1 + moved) * (rng.random(here.size) > CHURN)
    return pd.concat(parts)


@pytest.fixture(scope="module", params=PLANTED, ids=lambda curve: type(curve).__name__)
def planted(request):
    curve, theta = request.param, PLANTED[request.param]
    ledger = lw.Ledger.from_snapshots(snapshots(curve, theta, 3), as_of="2026-06-30")
    table = ledger.cohort_table(period="month", cohort="year", calendar="quarter")
    options = SamplerOptions(draws=500, tune=500, chains=2, cores=2)
    return curve, theta, lw.fit(table, churn=lw.Geometric(), expansion=curve, effects=(), seed=4, sampler=options)


@pytest.mark.mcmc
def test_planted_growth_is_recovered(planted):
    _, theta, fit = planted
    found = fit.theta("expansion")
    for name, truth in theta.items():
        drawn = np.log(found[name])
        assert abs(drawn.mean() - np.log(truth)) < 3.5 * drawn.std(), name
        assert drawn.std() < 0.35, name


@pytest.mark.mcmc
def test_the_ceiling_is_narrower_than_its_prior(planted):
    curve, theta, fit = planted
    limit = curve.multiple(1e6, theta)
    low, high = np.quantile(curve.multiple(1e6, fit.theta("expansion")), [0.005, 0.995])
    assert low < limit < high
    assert high / low < 2


@pytest.mark.mcmc
@pytest.mark.filterwarnings("ignore::lifeworth.errors.ExtrapolationWarning")
def test_value_ends_although_money_grows(planted):
    """NRR is above 100%, and after fifty years another fifty add almost nothing."""
    _, _, fit = planted
    given = {"gross_margin": 0.8, "discount_rate_annual": 0.05}
    worth = {years: lw.value(fit, lw.Economics(horizon_years=years, **given), draws=100) for years in (50, 100)}
    assert worth[50].sample("nrr").mean() > 1.0
    half, whole = (value.sample("cltv", cohort="new").mean() for value in worth.values())
    assert np.isfinite(whole)
    assert whole == pytest.approx(half, rel=0.01)
    without_ceiling = worth[50].infinite().set_index("cohort")
    assert without_ceiling.loc["new", "discounted"] == 1.0


@pytest.mark.mcmc
def test_growth_that_moves_with_churn_is_found_to_do_so():
    """Sixteen quarters in which churn moves by about 10%, known to 3%; expansion moves the other way, by as much."""
    model = Model(lw.Geometric(), (CalendarWalk(),), Constant())
    design = Design(segments=1, cohorts=16, tenures=36, accounts=4000)
    world = World.of(book(design), model)
    truth = {
        "expansion_annual": 0.3,
        "contraction_annual": 0.1,
        "expansion_shock_sd": 0.03,
        "contraction_shock_sd": 0.03,
        "expansion_with_churn": -1.0,
        "contraction_with_churn": 0.5,
    }
    theta = {name: np.array([[value]]) for name, value in truth.items()}
    rng = np.random.default_rng(7)
    theta["innovation_error"] = rng.normal(size=(1, world.shape("expansion").buckets))
    still = {"first_churn": 0.01, "calendar": np.zeros(world.index.shape.buckets - 1)}
    left = world.happen("logo", {name: np.atleast_2d(value) for name, value in still.items()}, world.table, rng)
    table = world.happen("expansion", theta, left, rng)
    options = SamplerOptions(draws=500, tune=500, chains=2, cores=2)
    draws, _ = Job(table, world.index, model, 8, options).expansion(world.innovations)
    for name in ("expansion_with_churn", "contraction_with_churn"):
        found = draws[name].to_numpy().ravel()
        assert abs(found.mean() - truth[name]) < 3 * found.std(), name
        assert found.std() < 0.25, name
