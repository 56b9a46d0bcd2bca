"""What every registered churn curve must hold; a new curve is tested here without a line added."""

import numpy as np
import pytest

from lifeworth._ops import NUMPY
from lifeworth._parameters import draw_prior
from lifeworth.bayes.ops import PYTENSOR
from lifeworth.churn import CURVES

TENURES = np.arange(60)
DRAWS = 50

every_curve = pytest.mark.parametrize("curve", [made() for made in CURVES.values()], ids=list(CURVES))


def prior_theta(curve, seed=1, draws=DRAWS):
    return draw_prior(curve.parameters, np.random.default_rng(seed), draws)


def one_of(theta, i):
    """One draw as the likelihood sees it: scalars are numbers, vectors have their size."""
    return {name: value[i] if value.shape[1] > 1 else float(value[i, 0]) for name, value in theta.items()}


def medians(curve):
    """Every parameter at its prior median: a typical account."""
    theta = prior_theta(curve, draws=4001)
    return {name: np.median(value, axis=0)[None] for name, value in theta.items()}


def test_the_registry_knows_the_curves_of_the_package():
    assert {"Smooth", "Geometric", "ShiftedBetaGeometric"} <= set(CURVES)


@every_curve
def test_survival_starts_at_one(curve):
    np.testing.assert_array_equal(curve.survival(np.array([0]), prior_theta(curve)), 1.0)
    np.testing.assert_array_equal(curve.survival(TENURES, prior_theta(curve))[:, 0], 1.0)


@every_curve
def test_survival_never_rises_and_stays_a_probability(curve):
    survival = curve.survival(TENURES, prior_theta(curve, draws=500))
    assert np.isfinite(survival).all()
    assert (np.diff(survival, axis=1) <= 0).all()
    assert survival.min() >= 0
    assert survival.max() <= 1


@every_curve
def test_log_survival_is_finite_far_beyond_observation(curve):
    assert np.isfinite(curve.log_survival(np.array([600, 1200]), prior_theta(curve, draws=500))).all()


@every_curve
def test_between_whole_tenures_survival_does_not_rise(curve):
    survival = curve.survival(np.arange(0, 20, 0.25), prior_theta(curve))
    assert (np.diff(survival, axis=1) <= 0).all()


@every_curve
def test_hazards_lie_between_zero_and_one(curve):
    hazard = curve.hazard(TENURES, prior_theta(curve, draws=500))
    assert hazard.min() >= 0
    assert hazard.max() <= 1


@every_curve
def test_hazards_rebuild_survival(curve):
    theta = prior_theta(curve)
    rebuilt = np.cumprod(1 - curve.hazard(TENURES, theta), axis=1)
    np.testing.assert_allclose(rebuilt, curve.survival(TENURES + 1, theta), rtol=1e-9, atol=1e-14)


@every_curve
def test_the_first_hazard_is_first_churn(curve):
    theta = prior_theta(curve)
    np.testing.assert_allclose(curve.hazard(np.array([0]), theta), theta["first_churn"], rtol=1e-12)


@every_curve
def test_answers_do_not_depend_on_what_else_is_asked(curve):
    """A tenure has one survival, whether asked alone, out of order or with later ones."""
    theta = prior_theta(curve)
    shuffled = np.random.default_rng(0).permutation(TENURES)
    np.testing.assert_allclose(
        curve.log_survival(shuffled, theta), curve.log_survival(TENURES, theta)[:, shuffled], rtol=1e-12
    )
    alone = curve.log_survival(np.array([7]), theta)[:, 0]
    np.testing.assert_allclose(alone, curve.log_survival(TENURES, theta)[:, 7], rtol=1e-12)


@every_curve
def test_numpy_and_pytensor_agree(curve):
    import pytensor
    import pytensor.tensor as pt

    draws = [one_of(prior_theta(curve), i) for i in range(10)]
    symbols = {name: pt.dvector(name) if np.ndim(value) else pt.dscalar(name) for name, value in draws[0].items()}
    methods = (curve.log_survival, curve.log_retention, curve.hazard)
    outputs = [method(TENURES, symbols, PYTENSOR) for method in methods]
    theirs = pytensor.function(list(symbols.values()), outputs, mode="FAST_COMPILE", on_unused_input="ignore")
    for theta in draws:
        for method, found in zip(methods, theirs(*theta.values()), strict=True):
            np.testing.assert_allclose(found, method(TENURES, theta, NUMPY), rtol=1e-9, atol=1e-12)


@every_curve
def test_draws_broadcast(curve):
    theta = prior_theta(curve)
    together = curve.log_survival(TENURES, theta)
    assert together.shape == (DRAWS, len(TENURES))
    for i in (0, DRAWS - 1):
        np.testing.assert_allclose(together[i], curve.log_survival(TENURES, one_of(theta, i)), rtol=1e-12)


@every_curve
def test_accounts_simulated_by_the_hazard_survive_as_the_curve_says(curve):
    """20,000 accounts leave one tenure at a time; the share left lies within 5 standard errors."""
    theta, accounts = medians(curve), 20_000
    hazard = curve.hazard(TENURES[:24], theta)[0]
    left = np.random.default_rng(3).random((accounts, 24)) < hazard
    alive = 1 - np.maximum.accumulate(left, axis=1).mean(axis=0)
    survival = curve.survival(TENURES[1:25], theta)[0]
    error = np.sqrt(survival * (1 - survival) / accounts)
    assert (np.abs(alive - survival) < 5 * error).all()


@every_curve
def test_definitions_are_frozen_hashable_and_equal_by_settings(curve):
    same = type(curve)(**curve.settings())
    assert same == curve
    assert hash(same) == hash(curve)
    assert type(curve).__dataclass_params__.frozen


@every_curve
def test_every_parameter_has_a_name_of_its_own_and_says_what_it_is(curve):
    names = [p.name for p in curve.parameters]
    assert names[0] == "first_churn"
    assert len(set(names)) == len(names)
    assert all(p.about for p in curve.parameters)
    assert curve.source


@every_curve
def test_every_scale_is_a_parameter_declared_before_it_is_used(curve):
    seen = set()
    for p in curve.parameters:
        assert p.scale is None or p.scale in seen
        seen.add(p.name)
