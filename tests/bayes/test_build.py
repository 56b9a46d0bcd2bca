"""The PyMC models have the density and the prior that the definitions state."""

import numpy as np
import pymc as pm
import pytest
from scipy import integrate, special, stats

from lifeworth._parameters import draw_prior
from lifeworth.bayes.build import expansion_model, hazard_model
from lifeworth.churn import ShiftedBetaGeometric
from lifeworth.effects import CalendarWalk, CellIndex, CohortDecay, Segments, Shape, calendar_loading
from lifeworth.expansion import Constant
from lifeworth.model import Model, log_likelihood, log_retention

SHAPE = Shape(segments=3, cohorts=4, buckets=3, tenures=12, months_per_period=1, months_per_bucket=3)
MODEL = Model(ShiftedBetaGeometric(), (Segments(), CalendarWalk(), CohortDecay()), Constant())
DRAWS = 8000


@pytest.fixture(scope="module")
def hazard():
    return hazard_model(MODEL, SHAPE)


@pytest.fixture(scope="module")
def expansion():
    return expansion_model(MODEL, SHAPE)


def prior_of(model, parameters, seed):
    names = [p.name for p in parameters]
    drawn = pm.draw([model[name] for name in names], draws=DRAWS, random_seed=seed)
    return {name: values.reshape(DRAWS, -1) for name, values in zip(names, drawn, strict=True)}


def assert_same_law(first, second):
    """Kolmogorov-Smirnov at one in 10,000 for each element, and for the spread between elements."""
    assert first.keys() == second.keys()
    for name in first:
        for column in range(first[name].shape[1]):
            test = stats.ks_2samp(first[name][:, column], second[name][:, column])
            assert test.pvalue > 1e-4, (name, column, test)
        spread = stats.ks_2samp(np.ptp(first[name], axis=1), np.ptp(second[name], axis=1))
        assert spread.pvalue > 1e-4, (name, "spread")


@pytest.mark.parametrize("centred", [0.0, 1.0], ids=["non-centred", "centred"])
def test_the_prior_of_the_hazard_model_is_the_stated_one(hazard, centred):
    """Whatever the centring: it changes how the sampler moves, not what is believed."""
    with hazard:
        pm.set_data(
            {
                "segment_centred": np.full(1, centred),
                "cohort_centred": np.full(1, centred),
                "calendar_centred": np.full(2, centred),
            }
        )
    parameters = MODEL.hazard_parameters(SHAPE)
    ours = draw_prior(parameters, np.random.default_rng(1), DRAWS)
    assert_same_law(prior_of(hazard, parameters, 2), ours)


@pytest.mark.parametrize("centred", [0.0, 1.0], ids=["non-centred", "centred"])
def test_the_prior_of_the_expansion_model_is_the_stated_one(expansion, centred):
    with expansion:
        pm.set_data({f"{d}_segment_centred": np.full(1, centred) for d in ("expansion", "contraction")})
    parameters = MODEL.expansion_parameters(SHAPE)
    ours = draw_prior(parameters, np.random.default_rng(3), DRAWS)
    assert_same_law(prior_of(expansion, parameters, 4), ours)


def test_zero_sum_segments_have_the_variance_of_deviations_from_their_mean(hazard):
    drawn = prior_of(hazard, MODEL.hazard_parameters(SHAPE), 5)
    at_one = drawn["segment"] / drawn["segment_sd"]
    np.testing.assert_allclose(at_one.sum(axis=1), 0, atol=1e-9)
    expected = np.eye(3) - 1 / 3
    np.testing.assert_allclose(np.cov(at_one.T), expected, atol=4 * np.sqrt(2 / DRAWS))


def potentials(model, values):
    """The log densities that the data add, at values of the parameters in natural units."""
    named = [model[name] for name in values]
    fn = pm.compile(named, model.potentials, on_unused_input="ignore")
    return [float(v) for v in fn(*values.values())]


def test_the_hazard_model_has_the_likelihood_of_the_definitions(hazard):
    rng = np.random.default_rng(6)
    positions = {
        "tenure": rng.integers(12, size=40),
        "segment": rng.integers(3, size=40),
        "cohort": rng.integers(4, size=40),
        "bucket": rng.integers(3, size=40),
    }
    loading = calendar_loading(np.array([0.2, 0.3, 0.5]))
    at_risk = rng.integers(1, 500, size=40).astype(float)
    churned = np.floor(at_risk * rng.random(40) * 0.3)
    theta = {name: v[0] for name, v in draw_prior(MODEL.hazard_parameters(SHAPE), rng, 1).items()}
    theta = {name: v if len(v) > 1 else v[0] for name, v in theta.items()}
    with hazard:
        pm.set_data({f"{name}_position": at for name, at in positions.items()})
        pm.set_data({"calendar_loading": loading, "at_risk": at_risk, "churned": churned})
    cells = CellIndex(**positions, calendar=loading)
    stay = log_retention(MODEL.churn, MODEL.effects, theta, cells, SHAPE.tenures)
    expected = log_likelihood(stay, at_risk, churned).sum()
    assert potentials(hazard, theta)[0] == pytest.approx(expected, rel=1e-10)


def shock_integrated(exposure, events, rate, shock_sd):
    """Log of the integral over the bucket's Gamma shock of the product of Poisson terms, by quadrature."""
    prior = stats.gamma(shock_sd**-2, scale=shock_sd**2)

    def given(shock):
        return np.exp(stats.poisson.logpmf(events, exposure * rate * shock).sum()) * prior.pdf(shock)

    return np.log(integrate.quad(given, 0, prior.ppf(1 - 1e-13), limit=500, epsabs=0, epsrel=1e-11)[0])


@pytest.mark.parametrize("shock_sd", [0.1, 0.6, 1.5])
def test_the_expansion_model_sums_its_shock_out_exactly(expansion, shock_sd):
    segment = np.array([0, 0, 1, 2, 2, 2])
    bucket = np.array([0, 0, 1, 2, 2, 0])
    group, tenure = segment * SHAPE.buckets + bucket, np.array([0, 3, 11, 5, 5, 1])
    data = {"tenure_position": tenure, "segment_position": segment, "group_position": group}
    exposure = {"expansion": np.array([3.0, 8.0, 20.0, 1.5, 4.0, 6.0])}
    events = {"expansion": np.array([1.0, 4.0, 2.0, 0.0, 3.0, 0.0])}
    exposure["contraction"], events["contraction"] = exposure["expansion"][::-1], events["expansion"][::-1]
    data |= {f"{direction}_exposure": values for direction, values in exposure.items()}
    data |= {f"{direction}_events": values for direction, values in events.items()}
    with expansion:
        pm.set_data(data)
    level = np.array([0.3, -0.4, 0.1])
    theta = {}
    for direction, annual in (("expansion", 0.35), ("contraction", 0.12)):
        theta |= {f"{direction}_annual": annual, f"{direction}_segment": level, f"{direction}_shock_sd": shock_sd}
    found = potentials(expansion, theta)
    for direction, annual, log_density in zip(exposure, (0.35, 0.12), found, strict=True):
        rate, e, y = annual * np.exp(level[segment]), exposure[direction], events[direction]
        parts = (shock_integrated(e[g], y[g], rate[g], shock_sd) for g in (group == k for k in np.unique(group)))
        left_out = (y * np.log(e) - special.gammaln(y + 1)).sum()
        assert log_density + left_out == pytest.approx(sum(parts), rel=1e-8)
