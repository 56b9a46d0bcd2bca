"""What every registered expansion curve must hold; a new one is tested here without a line added."""

import numpy as np
import pytest

from lifeworth._ops import NUMPY
from lifeworth._parameters import draw_prior
from lifeworth.bayes.ops import PYTENSOR
from lifeworth.expansion import EXPANSIONS

YEARS = np.arange(40) / 4
DRAWS = 30

every_curve = pytest.mark.parametrize("curve", [made() for made in EXPANSIONS.values()], ids=list(EXPANSIONS))


def prior_theta(curve):
    return draw_prior(curve.parameters, np.random.default_rng(1), DRAWS)


def one_of(theta, i):
    return {name: value[i] if value.shape[1] > 1 else float(value[i, 0]) for name, value in theta.items()}


def test_the_registry_knows_the_curves_of_the_package():
    assert {"Flat", "Constant"} <= set(EXPANSIONS)


@every_curve
def test_rates_are_finite_and_not_negative(curve):
    for rate in curve.rates(YEARS, prior_theta(curve)):
        assert np.isfinite(rate).all()
        assert np.min(rate) >= 0


@every_curve
def test_draws_broadcast(curve):
    theta = prior_theta(curve)
    shape = (DRAWS, len(YEARS)) if theta else (len(YEARS),)
    for k, rate in enumerate(curve.rates(YEARS, theta)):
        assert rate.shape == shape
        alone = curve.rates(YEARS, one_of(theta, 0))[k]
        np.testing.assert_allclose(np.broadcast_to(rate, (DRAWS, len(YEARS)))[0], alone, rtol=1e-12)


@every_curve
def test_rates_differ_by_draw_where_anything_is_fitted(curve):
    theta = prior_theta(curve)
    if theta:
        assert all(rate.std(axis=0).min() > 0 for rate in curve.rates(YEARS, theta))


@every_curve
def test_numpy_and_pytensor_agree(curve):
    import pytensor.tensor as pt

    theta = one_of(prior_theta(curve), 0)
    symbolic = {name: pt.as_tensor_variable(value) for name, value in theta.items()}
    ours, theirs = curve.rates(YEARS, theta, NUMPY), curve.rates(YEARS, symbolic, PYTENSOR)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(pt.as_tensor_variable(b).eval(), a, rtol=1e-9, atol=1e-12)


@every_curve
def test_groups_of_different_age_are_read_one_by_one(curve):
    theta, order = prior_theta(curve), np.random.default_rng(0).permutation(len(YEARS))
    for sorted_, shuffled in zip(curve.rates(YEARS, theta), curve.rates(YEARS[order], theta), strict=True):
        np.testing.assert_allclose(shuffled, sorted_[..., order], rtol=1e-12)


@every_curve
def test_definitions_are_frozen_hashable_and_equal_by_settings(curve):
    same = type(curve)(**curve.settings())
    assert same == curve
    assert hash(same) == hash(curve)
    assert type(curve).__dataclass_params__.frozen
    assert curve.about
