"""The integrals against closed forms where those are safe."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from lifeworth.purchases.quadrature import purchases_until_dropout


def closed_form(a, b, shape, z):
    """(c / (a - 1)) (1 - (1 + z)^(1-a) 2F1(a - 1, c - shape; c; z / (1 + z))), c = a + b - 1 (Fader & Hardie 2005)."""
    c = a + b - 1
    series = special.hyp2f1(a - 1, c - shape, c, z / (1 + z))
    return c / (a - 1) * (1 - (1 + z) ** (1 - a) * series)


def found(a, b, shape, z):
    return purchases_until_dropout(*(np.array([float(v)]) for v in (a, b, shape)), np.array([[float(z)]]))[0, 0]


@pytest.mark.parametrize("a", [0.1, 0.8, 1.3, 2.5, 8.0])
@pytest.mark.parametrize("b", [0.4, 2.5, 30.0])
@pytest.mark.parametrize(("shape", "z"), [(0.25, 0.1), (0.25, 8.0), (3.0, 1.0), (12.0, 0.02)])
def test_against_the_closed_form(a, b, shape, z):
    assert found(a, b, shape, z) == pytest.approx(closed_form(a, b, shape, z), rel=1e-8)


@pytest.mark.parametrize(("b", "shape", "z"), [(2.5, 0.25, 3.0), (0.2, 4.0, 3.0), (0.5, 2000.0, 50.0)])
def test_nothing_happens_at_a_equal_to_one(b, shape, z):
    """The closed form is 0 / 0 there; the mean of its neighbours is off by the curvature only."""
    below, at, above = (found(a, b, shape, z) for a in (1 - 1e-5, 1.0, 1 + 1e-5))
    assert at == pytest.approx((below + above) / 2, rel=1e-8)
    assert found(1 + 1e-15, b, shape, z) == pytest.approx(at, rel=1e-9)


@pytest.mark.parametrize(
    ("a", "b", "shape", "z", "exact"),
    [
        (0.02, 0.05, 300.0, 500.0, 85312.161434),
        (0.02, 0.05, 3000.0, 500.0, 814745.193408),
        (0.3, 0.05, 3000.0, 500.0, 3933.404421),
        (0.8, 3002.5, 3000.25, 9.0, 8777.198961),
    ],
)
def test_the_far_corners(a, b, shape, z, exact):
    """By mpmath 1.3 with 120 digits, from the closed form; the last is a heavy buyer."""
    assert found(a, b, shape, z) == pytest.approx(exact, rel=1e-6)


def test_everybody_alike_and_no_dropout():
    """Beta at p = 0.2: (1 - (1 + 0.2 z)^-shape) / 0.2; at p = 0 shape z."""
    assert found(0.2e9, 0.8e9, 3.0, 2.0) == pytest.approx((1 - 1.4**-3) / 0.2, rel=1e-7)
    assert found(1e-6, 1.0, 3.0, 2.0) == pytest.approx(6.0, rel=1e-5)


@settings(max_examples=60, deadline=None)
@given(st.floats(0.01, 100), st.floats(0.01, 1000), st.floats(0.05, 1000), st.floats(1e-4, 300), st.floats(1.01, 3))
def test_more_time_means_more_purchases_but_never_more_than_without_dropout(a, b, shape, z, factor):
    values = [found(a, b, shape, z), found(a, b, shape, z * factor)]
    assert 0 < values[0] < values[1] * (1 + 1e-6)
    assert values[1] <= shape * z * factor * (1 + 1e-6)
    assert values[1] <= factor * values[0] * (1 + 1e-5)
