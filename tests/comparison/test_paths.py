"""What the posterior expects with its uncertainty and its future calendar switched off or on."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

import lifeworth as lw
from lifeworth.comparison import METHODS, STEPS, Revaluation, Setting
from lifeworth.comparison.paths import at_means, has_future, held
from lifeworth.effects import CalendarWalk, CohortDecay

pytestmark = pytest.mark.filterwarnings("ignore::lifeworth.errors.ExtrapolationWarning")

BASIC = "ARPA x margin / churn"
EVERYTHING = Setting(**dict.fromkeys(STEPS, True))


def terms(**changes):
    return lw.Economics(**{"gross_margin": 0.8, "discount_rate_annual": 0.1, "horizon_years": 5} | changes)


@pytest.fixture(scope="module")
def walking(even, build):
    """The calendar stood 0.4 above its mean in the last bucket and would go on rising by half of its last step."""
    fit = build.fit(even, {"first_churn": 0.2})
    steps = np.zeros(fit.index.shape.buckets - 1)
    steps[-1] = 0.4
    theta = {"first_churn": np.linspace(0.15, 0.25, 8), "calendar_sd": 0.2, "calendar_momentum": 0.5, "calendar": steps}
    cohorts = {"cohort_sd": 0.3, "cohort_half_life": 1.0, "cohort": np.zeros(fit.index.shape.cohorts)}
    return build.fit(even, theta | cohorts, effects=(CalendarWalk(), CohortDecay()))


def test_parameters_are_at_their_means_on_the_scale_they_are_sampled_on(walking):
    logo = at_means(walking).draws["logo"]
    odds = np.log(np.linspace(0.15, 0.25, 8) / (1 - np.linspace(0.15, 0.25, 8))).mean()
    assert logo["first_churn"].values == pytest.approx(1 / (1 + np.exp(-odds)))
    assert logo["cohort_half_life"].values == pytest.approx(1.0)
    assert dict(logo.sizes)["draw"] == dict(logo.sizes)["chain"] == 1
    for name in ("cohort_sd", "calendar_sd", "calendar_momentum"):
        assert not logo[name].values.any(), name
    assert walking.draws["logo"]["calendar_sd"].values.all()


def test_the_held_calendar_stays_at_its_last_level(walking, even):
    """At the last level the hazard is (1 - churn)^exp(level), year after year, whatever momentum there was."""
    still = replace(held(walking), model=replace(walking.model, effects=(CalendarWalk(reaction=0.0),)))
    value = lw.value(still, terms())
    steps = walking.draws["logo"]["calendar"].values[0, 0]
    level = float((steps @ walking.index.loading())[-1])
    assert level == pytest.approx(0.4 * (1 - walking.index.weights[-1]))
    churn = np.linspace(0.15, 0.25, 8)
    stay = (1 - churn) ** np.exp(level)
    by_hand = np.mean([sum(800 * s**t / 1.1 ** (t + 1) for t in range(5)) for s in stay])
    assert value.sample("cltv", cohort="new").mean() == pytest.approx(by_hand, rel=1e-9)
    assert has_future(walking)


def test_margins_given_as_distributions_are_in_the_engine_as_in_the_valuation(walking):
    economics = terms(gross_margin=stats.beta(80, 20), service_cost_annual=stats.uniform(20, 20))
    value = lw.value(walking, economics)
    for measure in ("cltv", "residual"):
        revaluation = Revaluation(value, measure)
        row = revaluation.subject.row(None, {})
        expected = value.sample(measure, cohort=row[0]).mean()
        revaluation._is_posterior = lambda setting: False
        assert revaluation.worth(METHODS[BASIC], EVERYTHING, row) == pytest.approx(expected, rel=1e-9)


def test_uncertain_arpa_of_new_accounts_is_in_the_engine_as_in_the_valuation(build):
    """New accounts pay 500 or 1,500: the mean of so many is uncertain."""
    table = build.table(
        build.world(625, lambda t: 0.8, range(2021, 2025), arpa=500.0),
        build.world(625, lambda t: 0.8, range(2021, 2025), segment="z", arpa=1500.0),
    )
    value = lw.value(build.fit(table, {"first_churn": np.linspace(0.15, 0.25, 8)}), terms())
    revaluation = Revaluation(value)
    row = revaluation.subject.row(None, {})
    assert value.sample("arpa", cohort="new").std() > 1
    revaluation._is_posterior = lambda setting: False
    expected = value.sample("cltv", cohort="new").mean()
    assert revaluation.worth(METHODS[BASIC], EVERYTHING, row) == pytest.approx(expected, rel=1e-9)


def test_units_fitted_alone_keep_their_draws(mixed, build):
    """Without pooling a new account is like one of the seen units, taken at random in every draw."""
    units = build.fit(mixed, {"first_churn": 0.3}, pooling="none")
    size = len(units.units)
    rates = np.random.default_rng(1).uniform(0.1, 0.5, (8, size))
    draws = units.draws["logo"].drop_vars("first_churn")
    draws["first_churn"] = (("chain", "draw", "unit"), np.stack([rates, rates]))
    fit = replace(units, draws={"logo": draws, "money": draws})
    mean = at_means(fit).draws["logo"]["first_churn"]
    assert mean.shape == (2, 8, size)
    assert np.ptp(mean.values, axis=(0, 1)).max() == pytest.approx(0, abs=1e-12)
    value = lw.value(fit, terms())
    gap = lw.compare(value).gap(BASIC)
    assert gap.end == value.sample("cltv", cohort="new").mean()
    assert gap.total == pytest.approx(gap.end - gap.start)
