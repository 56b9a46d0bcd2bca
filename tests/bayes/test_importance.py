"""Importance draws of a few scalars: against posteriors that are known exactly."""

import numpy as np
import pytest
from scipy import stats

from lifeworth._parameters import Z90, Parameter
from lifeworth.bayes.importance import importance_draws

STANDARD = tuple(Parameter(name, "identity", (-Z90, Z90), "standard normal") for name in "ab")


def test_a_conjugate_posterior_is_found():
    """Prior N(0, 1), one observation 3 with sd 0.5: N(2.4, 0.2)."""
    theta, worth = importance_draws(
        STANDARD[:1], lambda t: stats.norm.logpdf(3.0, t["a"][:, 0], 0.5), 4000, np.random.default_rng(1)
    )
    assert theta["a"].shape == (4000, 1)
    assert theta["a"].mean() == pytest.approx(2.4, abs=0.03)
    assert theta["a"].var() == pytest.approx(0.2, rel=0.05)
    assert 1500 < worth <= 4000


def test_both_modes_keep_their_mass():
    """Likelihood of two narrow modes, three times as heavy on the right; the prior is equal at both."""

    def two(t):
        left, right = (stats.norm.logpdf(t["a"][:, 0], m, 0.1) for m in (-1.0, 1.0))
        return np.logaddexp(np.log(0.25) + left, np.log(0.75) + right)

    theta, _ = importance_draws(STANDARD, two, 4000, np.random.default_rng(2))
    assert (theta["a"] > 0).mean() == pytest.approx(0.75, abs=0.03)
    assert theta["b"].std() == pytest.approx(1.0, rel=0.05)


def test_a_narrow_ridge_far_in_the_tail_is_found():
    """Sum of both 5 with sd 0.05: each is N(2.5, 1/2), and they are correlated by -1 nearly."""
    theta, worth = importance_draws(
        STANDARD,
        lambda t: stats.norm.logpdf(5.0, t["a"][:, 0] + t["b"][:, 0], 0.05),
        4000,
        np.random.default_rng(3),
    )
    assert theta["a"].mean() == pytest.approx(2.5, abs=0.06)
    assert theta["a"].var() == pytest.approx(0.5, rel=0.08)
    assert np.corrcoef(theta["a"][:, 0], theta["b"][:, 0])[0, 1] < -0.98
    assert worth > 800


def test_values_are_in_natural_units_and_of_the_prior_where_nothing_is_known():
    p = Parameter("share", "logit", (0.1, 0.6), "a share")
    theta, worth = importance_draws((p,), lambda t: np.zeros(len(t["share"])), 4000, np.random.default_rng(4))
    assert np.mean((theta["share"] > 0.1) & (theta["share"] < 0.6)) == pytest.approx(0.9, abs=0.01)
    assert worth > 2500


def test_the_same_seed_gives_the_same_draws():
    one, other = (
        importance_draws(STANDARD[:1], lambda t: -(t["a"][:, 0] ** 2), 10, np.random.default_rng(5))[0]["a"]
        for _ in range(2)
    )
    np.testing.assert_array_equal(one, other)
