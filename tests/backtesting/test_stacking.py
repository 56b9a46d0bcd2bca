import numpy as np
import pytest
from scipy import stats

from lifeworth.backtesting.stacking import mixture_draws, stacking_weights
from lifeworth.errors import DataError


def test_a_candidate_that_is_always_better_gets_everything():
    log_density = np.random.default_rng(1).normal(size=(30, 1)) + np.array([[0.0, -2.0, -5.0]])
    assert stacking_weights(log_density) == pytest.approx([1, 0, 0], abs=1e-6)


def test_equal_candidates_share_a_sum_of_one():
    log_density = np.repeat(np.random.default_rng(1).normal(size=(30, 1)), 2, axis=1)
    weights = stacking_weights(log_density)
    assert weights.sum() == pytest.approx(1)
    assert (weights >= 0).all()


def test_a_known_mixture_is_recovered():
    """Data from 0.3 N(-2, 1) + 0.7 N(2, 1), candidates its two parts and a third that adds nothing."""
    rng = np.random.default_rng(2)
    y = np.where(rng.random(20_000) < 0.3, -2.0, 2.0) + rng.normal(size=20_000)
    log_density = np.stack([stats.norm.logpdf(y, m, s) for m, s in ((-2, 1), (2, 1), (0, 9))], axis=1)
    assert stacking_weights(log_density) == pytest.approx([0.3, 0.7, 0.0], abs=0.02)


def test_the_weights_are_at_the_maximum():
    rng = np.random.default_rng(3)
    log_density = rng.normal(size=(12, 4)) * 2
    weights = stacking_weights(log_density)
    score = np.log(np.exp(log_density) @ weights).mean()
    others = rng.dirichlet(np.ones(4), size=2000)
    assert (np.log(np.exp(log_density) @ others.T).mean(axis=0) <= score + 1e-9).all()


def test_tens_of_nats_apart_do_not_break_it():
    log_density = np.array([[-3000.0, -3040.0], [-2900.0, -2800.0], [-np.inf, -3100.0]])
    weights = stacking_weights(log_density)
    assert np.isfinite(weights).all()
    assert weights == pytest.approx([1 / 3, 2 / 3], abs=1e-3)


def test_one_candidate_has_it_all():
    assert stacking_weights(np.array([[-5.0], [-6.0]])).tolist() == [1.0]


@pytest.mark.parametrize("bad", [np.array([[-np.inf, -np.inf]]), np.array([[np.nan, 0.0]]), np.empty((0, 2))])
def test_what_nobody_foretold_is_refused(bad):
    with pytest.raises(DataError, match="nothing to weigh"):
        stacking_weights(bad)


def test_mixture_draws_add_up_and_repeat_none():
    weights = np.array([0.335, 0.335, 0.33])
    taken = mixture_draws(weights, 100, np.random.default_rng(1))
    assert sum(len(at) for at in taken) == 100
    for at, weight in zip(taken, weights, strict=True):
        assert len(set(at.tolist())) == len(at)
        assert abs(len(at) - 100 * weight) < 1
        assert (np.diff(at) > 0).all()
