"""The likelihood of cells against published maxima, and the one formula of the hazard against plain loops."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, special

from lifeworth.churn import Geometric, ShiftedBetaGeometric, Smooth
from lifeworth.effects import CalendarWalk, CellIndex, CohortDecay, Renewal, Segments, Shape, calendar_loading
from lifeworth.errors import DefinitionError
from lifeworth.expansion import Constant, Flat
from lifeworth.model import DEFAULT_EFFECTS, Model, freeze_priors, identified, log_likelihood, log_retention

FADER_HARDIE = pd.read_csv(Path(__file__).parent / "reference" / "fader_hardie_2007.csv", comment="#")
PUBLISHED = {"high_end": (0.668, 3.806, -1611.158), "regular": (0.704, 1.182, -1680.265)}
SHAPE = Shape(segments=2, cohorts=3, buckets=4, tenures=12, months_per_period=1, months_per_bucket=3)


def cells_of(segment, years=7):
    active = FADER_HARDIE[segment].to_numpy(dtype=float)[: years + 1]
    return active[:-1], active[:-1] - active[1:]


def log_likelihood_of_cells(parameters, segment):
    """Sum over the cells at alpha and beta given by their logarithms."""
    at_risk, churned = cells_of(segment)
    theta = ShiftedBetaGeometric.from_alpha_beta(*np.exp(parameters))
    stay = ShiftedBetaGeometric().log_retention(np.arange(len(at_risk)), theta)
    return float(log_likelihood(stay, at_risk, churned).sum())


def published_log_likelihood(parameters, segment):
    """Equation B1 of the paper: sum of lost x log P(T = t), and those left x log S(7)."""
    alpha, beta = np.exp(parameters)
    at_risk, churned = cells_of(segment)
    survival = np.exp(special.betaln(alpha, beta + np.arange(8)) - special.betaln(alpha, beta))
    left = at_risk[-1] - churned[-1]
    return float(churned @ np.log(survival[:-1] - survival[1:]) + left * np.log(survival[-1]))


@pytest.mark.parametrize("segment", PUBLISHED)
def test_the_maximum_over_the_cells_is_that_of_fader_hardie_2007(segment):
    best = optimize.minimize(lambda x: -log_likelihood_of_cells(x, segment), [0.0, 0.0], method="BFGS")
    alpha, beta, height = PUBLISHED[segment]
    assert np.exp(best.x) == pytest.approx((alpha, beta), abs=5e-4)
    assert -best.fun == pytest.approx(height, abs=5e-4)


@pytest.mark.parametrize("segment", PUBLISHED)
@pytest.mark.parametrize("at", [(0.0, 0.0), (-1.0, 2.0), (2.0, 1.0)])
def test_the_cells_give_the_published_likelihood_at_any_parameters(segment, at):
    """The multinomial of the paper factorises into the binomials of the cells, with no constant left over."""
    ours = log_likelihood_of_cells(at, segment)
    assert ours == pytest.approx(published_log_likelihood(at, segment), rel=1e-12)


def test_the_worksheet_of_the_paper_at_its_starting_values():
    """Figure B1: -2115.5 at alpha = beta = 1, -2741.7 at 0.01, for the high end."""
    assert log_likelihood_of_cells((0.0, 0.0), "high_end") == pytest.approx(-2115.5455, abs=1e-3)
    assert log_likelihood_of_cells(np.log((0.01, 0.01)), "high_end") == pytest.approx(-2741.7009, abs=1e-3)


def test_the_likelihood_is_the_binomial_without_its_constant():
    from scipy import stats

    stay, at_risk, churned = np.log([0.9, 0.4]), np.array([10.0, 7.0]), np.array([3.0, 0.0])
    constant = np.log(special.binom(at_risk, churned))
    expected = stats.binom.logpmf(churned, at_risk, 1 - np.exp(stay))
    np.testing.assert_allclose(log_likelihood(stay, at_risk, churned) + constant, expected, rtol=1e-12)


def test_cells_split_and_merged_have_the_same_likelihood():
    stay = np.log(0.8)
    whole = log_likelihood(stay, 100.0, 17.0)
    assert log_likelihood(stay, 60.0, 9.0) + log_likelihood(stay, 40.0, 8.0) == pytest.approx(whole)


def test_retention_of_a_cell_is_the_curve_raised_to_the_exponential_of_its_effects():
    churn, effects = Geometric(), (Segments(), CalendarWalk(), CohortDecay())
    theta = {
        "first_churn": 0.1,
        "segment": np.array([0.3, -0.3]),
        "calendar": np.array([0.1, 0.2, -0.4]),
        "cohort": np.array([0.2, 0.1, -0.3]),
        "cohort_half_life": 2.0,
    }
    weights = np.array([0.1, 0.2, 0.3, 0.4])
    cells = CellIndex(
        tenure=np.array([0, 4, 2]),
        segment=np.array([0, 1, 1]),
        cohort=np.array([2, 0, 1]),
        bucket=np.array([3, 0, 1]),
        calendar=calendar_loading(weights),
    )
    level = np.array([0.0, 0.1, 0.3, -0.1])
    level = level - level @ weights
    eta = [0.3 + level[3] - 0.3, -0.3 + level[0] + 0.2 / 4, -0.3 + level[1] + 0.1 / 2]
    ours = log_retention(churn, effects, theta, cells, 12)
    np.testing.assert_allclose(ours, np.exp(eta) * np.log(0.9), rtol=1e-12)


def test_without_effects_retention_is_the_curve():
    cells = CellIndex(*(np.array([5, 0, 3]),) * 4, calendar=None)
    theta = ShiftedBetaGeometric.from_alpha_beta(0.7, 3.0)
    expected = ShiftedBetaGeometric().log_retention(np.array([5, 0, 3]), theta)
    np.testing.assert_allclose(log_retention(ShiftedBetaGeometric(), (), theta, cells, 6), expected, rtol=1e-12)


def model(**changes):
    return Model(**{"churn": Smooth(), "effects": (Segments(), CalendarWalk()), "expansion": Constant()} | changes)


def test_a_model_uses_what_its_effects_read():
    assert model().uses == {"tenure", "segment", "bucket"}
    assert model(effects=()).uses == {"tenure"}


def test_the_recommended_effects_are_those_the_table_can_tell_apart():
    """Renewals only where a contract is longer than a period."""
    without = (Segments(), CalendarWalk(), CohortDecay())
    assert identified(DEFAULT_EFFECTS["partial"], SHAPE) == without
    with_terms = replace(SHAPE, longest_term=12)
    assert identified(DEFAULT_EFFECTS["partial"], with_terms) == (*without, Renewal())
    assert identified(DEFAULT_EFFECTS["complete"], with_terms) == (CalendarWalk(), Renewal())
    assert identified(DEFAULT_EFFECTS["complete"], SHAPE) == (CalendarWalk(),)
    assert identified(DEFAULT_EFFECTS["none"], with_terms) == ()


def test_models_are_equal_when_they_would_be_fitted_alike():
    assert model() == model()
    assert hash(model()) == hash(model())
    assert model() != model(priors=freeze_priors({"first_churn": (0.1, 0.2)}))
    assert model() != model(churn=Geometric())
    assert freeze_priors({"b": (1, 2), "a": (0, 1)}) == freeze_priors({"a": (0.0, 1.0), "b": (1.0, 2.0)})


def test_priors_reach_the_part_that_owns_them():
    given = model(priors=freeze_priors({"first_churn": (0.1, 0.2), "expansion_annual": (0.01, 0.1)}))
    given.check(SHAPE)
    assert {p.name: p.plausible for p in given.hazard_parameters(SHAPE)}["first_churn"] == (0.1, 0.2)
    assert {p.name: p.plausible for p in given.expansion_parameters(SHAPE)}["expansion_annual"] == (0.01, 0.1)


def test_flat_expansion_has_nothing_to_fit():
    assert model(expansion=Flat()).expansion_parameters(SHAPE) == ()


def test_refuses_a_prior_that_no_part_has():
    with pytest.raises(DefinitionError, match="polarization"):
        model(priors=freeze_priors({"polarization": (0.1, 0.2)})).check(SHAPE)


def test_refuses_a_prior_on_an_effect_the_table_cannot_have():
    one = Shape(1, 3, 4, 12, 1, 3)
    model(priors=freeze_priors({"segment_sd": (0.1, 0.2)})).check(SHAPE)
    with pytest.raises(DefinitionError, match="segment_sd"):
        model(priors=freeze_priors({"segment_sd": (0.1, 0.2)})).check(one)


@pytest.mark.parametrize("priors", [{"first_churn": 0.1}, {"first_churn": (0.1, 0.2, 0.3)}, {"first_churn": "ab"}])
def test_refuses_priors_that_are_no_intervals(priors):
    with pytest.raises(DefinitionError, match="90% intervals"):
        freeze_priors(priors)


def test_refuses_a_pooling_it_does_not_know():
    with pytest.raises(DefinitionError, match="'some'"):
        model(pooling="some")
