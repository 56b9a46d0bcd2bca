"""Walks with momentum and a variance that follows the last moves, against a plain loop."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifeworth._walk import Stand, stand_after, walked

Z = np.random.default_rng(3).normal(size=(7, 12))


def by_hand(z, step, variance, momentum, reaction):
    """One walk, one number at a time: the steps, and the variance of the next innovation."""
    steps = []
    for one in z:
        innovation = math.sqrt(variance) * one
        step = momentum * step + innovation
        variance = (1 - reaction) * variance + reaction * innovation * innovation
        steps.append(step)
    return steps, variance


def start(sd, draws=None):
    at = np.asarray(sd, dtype=float) * np.ones(draws or ())
    return Stand(np.zeros_like(at), at**2)


numbers = st.floats(-3, 3)
shares = st.floats(0, 0.95)


@settings(max_examples=100, deadline=None)
@given(st.lists(numbers, min_size=1, max_size=15), numbers, st.floats(1e-3, 2), shares, shares)
def test_a_walk_is_the_loop(z, step, sd, momentum, reaction):
    steps, _ = by_hand(z, step, sd**2, momentum, reaction)
    found = walked(np.array(z), Stand(np.array(step), np.array(sd**2)), np.array(momentum), reaction)
    np.testing.assert_allclose(found, steps, rtol=1e-10, atol=1e-12)


def test_walks_broadcast_over_draws_and_nodes():
    rng = np.random.default_rng(4)
    z, sd, momentum = rng.normal(size=(4, 1, 9)), rng.uniform(0.1, 0.3, 6), rng.uniform(0, 0.9, 6)
    step = rng.normal(size=6)
    found = walked(z, Stand(step, sd**2), momentum, 0.4)
    assert found.shape == (4, 6, 9)
    for node in range(4):
        for draw in range(6):
            expected, _ = by_hand(z[node, 0], step[draw], sd[draw] ** 2, momentum[draw], 0.4)
            np.testing.assert_allclose(found[node, draw], expected, rtol=1e-10)


def test_without_momentum_and_reaction_it_is_a_random_walk():
    np.testing.assert_allclose(walked(Z, start(0.2, 7), np.zeros(7), 0.0), 0.2 * Z, rtol=1e-12)


def test_a_walk_of_no_steps_is_empty():
    assert walked(Z[:, :0], start(0.2, 7), np.zeros(7), 0.5).shape == (7, 0)


@pytest.mark.parametrize("reaction", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("momentum", [0.0, 0.4, 0.9])
@pytest.mark.parametrize("cut", [0, 1, 5, 12])
def test_it_goes_on_where_it_stands(momentum, reaction, cut):
    sd, share = np.linspace(0.05, 0.4, 7), np.full(7, momentum)
    whole = walked(Z, start(sd), share, reaction)
    stand = stand_after(whole[:, :cut], sd, share, reaction)
    on = walked(Z[:, cut:], stand, share, reaction)
    np.testing.assert_allclose(on, whole[:, cut:], rtol=1e-9, atol=1e-12)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(-1, 1), max_size=12), st.floats(0.01, 1), shares, shares)
def test_where_it_stands_is_the_last_step_and_the_weighted_squares(steps, sd, momentum, reaction):
    """The variance is the exponential average of the squared innovations, the first variance the oldest of them."""
    before = [0.0, *steps[:-1]]
    squares = [(now - momentum * last) ** 2 for now, last in zip(steps, before, strict=False)]
    n = len(steps)
    expected = (1 - reaction) ** n * sd**2
    expected += sum(reaction * (1 - reaction) ** (n - 1 - k) * square for k, square in enumerate(squares))
    stand = stand_after(np.array([steps]).reshape(1, n), np.array([sd]), np.array([momentum]), reaction)
    np.testing.assert_allclose(stand.variance, [expected], rtol=1e-9, atol=1e-15)
    assert stand.step.tolist() == [steps[-1] if steps else 0.0]


@pytest.mark.parametrize("reaction", [0.0, 0.3, 0.5])
def test_the_variance_of_an_innovation_is_kept_on_average(reaction):
    """Whatever the reaction: sd squared, 4 standard errors of 200,000 walks."""
    z = np.random.default_rng(5).normal(size=(200_000, 4))
    squares = walked(z, start(0.15, len(z)), np.zeros(len(z)), reaction) ** 2
    error = squares.std(axis=0) / np.sqrt(len(z))
    assert (error < 0.02 * 0.15**2).all()
    assert (np.abs(squares.mean(axis=0) - 0.15**2) < 4 * error).all()


def test_calm_times_narrow_the_next_step_and_restless_ones_widen_it():
    calm, restless = (stand_after(np.full((1, 8), size), np.array([0.1]), np.zeros(1), 0.5) for size in (0.01, 0.3))
    assert calm.variance[0] < 0.02**2
    assert restless.variance[0] == pytest.approx(0.3**2, rel=0.01)
