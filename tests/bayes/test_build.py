"""The PyMC models have the density and the prior that the definitions state."""

import numpy as np
import pymc as pm
import pytest
from scipy import integrate, special, stats

from lifeworth._parameters import draw_prior
from lifeworth.bayes.build import cell_data, expansion_model, hazard_model
from lifeworth.bayes.priors import zero_sum_basis
from lifeworth.churn import ShiftedBetaGeometric
from lifeworth.effects import (
    CalendarWalk,
    CellIndex,
    CohortDecay,
    Crossed,
    Renewal,
    Season,
    Segments,
    Shape,
    Shock,
    calendar_loading,
)
from lifeworth.expansion import Constant
from lifeworth.model import Model, log_likelihood, log_retention

SHAPE = Shape(segments=3, cohorts=4, buckets=3, tenures=12, months_per_period=1, months_per_bucket=3)
STILL = CalendarWalk(momentum=False, reaction=0.0)
"""A walk of independent steps, which PyMC can draw; the law of the others is in test_walks."""
MODEL = Model(ShiftedBetaGeometric(), (Segments(), STILL, CohortDecay()), Constant())
EVERY = (Segments(), Crossed(), CalendarWalk(), Season(), Shock(), CohortDecay(), Renewal())
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


HOW_FAR = {"non-centred": np.zeros(4), "centred": np.ones(4), "between": np.array([0.0, 0.3, 0.9, 1.0])}


@pytest.mark.parametrize("centred", HOW_FAR.values(), ids=list(HOW_FAR))
def test_the_prior_of_the_hazard_model_is_the_stated_one(hazard, centred):
    """Whatever the centring: it changes how the sampler moves, not what is believed."""
    sizes = {"segment": 3, "cohort": 4, "calendar": 2}
    with hazard:
        pm.set_data({f"{name}_centred": centred[:size] for name, size in sizes.items()})
    parameters = MODEL.hazard_parameters(SHAPE)
    ours = draw_prior(parameters, np.random.default_rng(1), DRAWS)
    assert_same_law(prior_of(hazard, parameters, 2), ours)


@pytest.mark.parametrize("centred", HOW_FAR.values(), ids=list(HOW_FAR))
def test_the_prior_of_the_expansion_model_is_the_stated_one(expansion, centred):
    with expansion:
        pm.set_data({f"{d}_segment_centred": centred[:3] for d in ("expansion", "contraction")})
    parameters = MODEL.expansion_parameters(SHAPE)
    ours = draw_prior(parameters, np.random.default_rng(3), DRAWS)
    assert_same_law(prior_of(expansion, parameters, 4), ours)


@pytest.mark.parametrize("counted", [[1, 1, 1, 1], [1, 0, 1, 1], [0, 1, 0, 1], [0, 0, 1, 0], [1]], ids=str)
def test_the_basis_gives_the_counted_the_law_of_deviations_and_leaves_the_others_alone(counted):
    counted = np.array(counted, dtype=bool)
    basis, n = zero_sum_basis(counted), counted.sum()
    expected = np.eye(len(counted)) - np.outer(counted, counted) / n
    np.testing.assert_allclose(basis @ basis.T, expected, atol=1e-12)
    np.testing.assert_allclose(counted @ basis, 0, atol=1e-12)


def test_a_cohort_that_does_not_count_is_free_of_the_sum(hazard):
    counted = np.array([True, True, False, True])
    with hazard:
        pm.set_data({"cohort_basis": zero_sum_basis(counted)})
    cohort, sd = pm.draw([hazard["cohort"], hazard["cohort_sd"]], draws=DRAWS, random_seed=7)
    with hazard:
        pm.set_data({"cohort_basis": zero_sum_basis(np.ones(4, dtype=bool))})
    np.testing.assert_allclose(cohort[:, counted].sum(axis=1), 0, atol=1e-9)
    expected = np.eye(4) - np.outer(counted, counted) / 3
    np.testing.assert_allclose(np.cov((cohort / sd[:, None]).T), expected, atol=4 * np.sqrt(2 / DRAWS))


def test_zero_sum_segments_have_the_variance_of_deviations_from_their_mean(hazard):
    drawn = prior_of(hazard, MODEL.hazard_parameters(SHAPE), 5)
    at_one = drawn["segment"] / drawn["segment_sd"]
    np.testing.assert_allclose(at_one.sum(axis=1), 0, atol=1e-9)
    expected = np.eye(3) - 1 / 3
    np.testing.assert_allclose(np.cov(at_one.T), expected, atol=4 * np.sqrt(2 / DRAWS))


def potentials(model, values):
    """The log densities that the data add, by name, at values of the parameters in natural units."""
    named, added = [model[name] for name in values], [p for p in model.potentials if not p.name.endswith("_prior")]
    fn = pm.compile(named, added, on_unused_input="ignore", mode="FAST_COMPILE")
    return {p.name: float(v) for p, v in zip(added, fn(*values.values()), strict=True)}


def cells_of(shape, n=40):
    """Cells anywhere in a shape; a segment has its own value in each column and its own term."""
    rng = np.random.default_rng(6)
    sizes = {"tenure": shape.tenures, "segment": shape.segments, "cohort": shape.cohorts, "bucket": shape.buckets}
    positions = {name: rng.integers(size, size=n) for name, size in sizes.items()}
    segment = positions["segment"]
    levels = {name: (segment + i) % size for i, (name, size) in enumerate(shape.columns)}
    loading = calendar_loading(rng.dirichlet(np.ones(shape.buckets)))
    term = np.where(segment % 2, shape.longest_term, 1)
    return CellIndex(**positions, calendar=loading, segments=shape.segments, levels=levels, term=term)


def assert_has_the_likelihood_of_the_definitions(built, model, shape):
    rng, cells = np.random.default_rng(8), cells_of(shape)
    at_risk = rng.integers(1, 500, size=40).astype(float)
    churned = np.floor(at_risk * rng.random(40) * 0.3)
    theta = {name: v[0] for name, v in draw_prior(model.hazard_parameters(shape), rng, 1).items()}
    theta = {name: v if len(v) > 1 else v[0] for name, v in theta.items()}
    with built:
        pm.set_data(cell_data(cells, model.uses) | {"at_risk": at_risk, "churned": churned})
    stay = log_retention(model.churn, model.effects, theta, cells, shape.tenures)
    expected = log_likelihood(stay, at_risk, churned).sum()
    assert potentials(built, theta) == {"churn": pytest.approx(expected, rel=1e-10)}


def test_the_hazard_model_has_the_likelihood_of_the_definitions(hazard):
    assert_has_the_likelihood_of_the_definitions(hazard, MODEL, SHAPE)


@pytest.mark.parametrize("effects", [(effect,) for effect in EVERY] + [EVERY], ids=lambda e: type(e[0]).__name__)
def test_every_effect_reaches_the_likelihood(effects):
    """Alone and together; a segment column may have any name, `segment` and `term` too."""
    shape = Shape(6, 4, 8, 12, 1, 3, columns=(("segment", 2), ("term", 3)), longest_term=12)
    model = Model(ShiftedBetaGeometric(), effects, Constant())
    assert_has_the_likelihood_of_the_definitions(hazard_model(model, shape), model, shape)


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
    mean, error, off = np.array([0.0, 0.2, -0.1]), np.array([0.0, 0.05, 0.02]), np.array([0.3, 1.0, -2.0])
    data |= {"innovation_mean": mean, "innovation_sd": error}
    with expansion:
        pm.set_data(data)
    level = np.array([0.3, -0.4, 0.1])
    theta, with_churn = {"innovation_error": off}, {"expansion": -0.7, "contraction": 0.4}
    for direction, annual in (("expansion", 0.35), ("contraction", 0.12)):
        theta |= {f"{direction}_annual": annual, f"{direction}_segment": level, f"{direction}_shock_sd": shock_sd}
        theta[f"{direction}_with_churn"] = with_churn[direction]
    found = potentials(expansion, theta)
    for direction, annual in (("expansion", 0.35), ("contraction", 0.12)):
        moved = with_churn[direction] * (mean + error * off)[bucket]
        rate, e, y = annual * np.exp(level[segment] + moved), exposure[direction], events[direction]
        parts = (shock_integrated(e[g], y[g], rate[g], shock_sd) for g in (group == k for k in np.unique(group)))
        left_out = (y * np.log(e) - special.gammaln(y + 1)).sum()
        assert found[direction] + left_out == pytest.approx(sum(parts), rel=1e-8)
