"""Growth that ends: closed forms against the equations they solve, their limits, and the steps of a forecast."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from lifeworth.expansion import Constant, Decaying, Saturating

GROWTH = {"expansion_annual": 0.25, "contraction_annual": 0.04}
SATURATING = GROWTH | {"headroom": 1.5}
DECAYING = GROWTH | {"expansion_half_life": 2.5}
ENDING = [(Saturating(), SATURATING, 2.5), (Decaying(), DECAYING, np.exp(0.25 * 2.5 / np.log(2)))]


def of_ode(rate_at, years):
    """Money that begins at one and grows at a rate of time and of itself."""
    solved = solve_ivp(lambda t, m: rate_at(t, m) * m, (0, years[-1]), [1.0], t_eval=years, rtol=1e-10, atol=1e-12)
    return solved.y[0]


def in_steps(curve, theta, months, years=60):
    """Multiple at the opening of each tenure as a forecast carries it, by expansion alone."""
    at = np.arange(0, years, months / 12)
    return at, np.concatenate([[1.0], np.cumprod(1 + curve.rates(at, theta)[0] * months / 12)])[:-1]


def test_saturating_solves_the_logistic_equation():
    years = np.linspace(0, 30, 61)
    pace = 0.25 * 2.5 / 1.5
    expected = of_ode(lambda t, m: pace * (1 - m / 2.5), years)
    np.testing.assert_allclose(Saturating().multiple(years, SATURATING), expected, rtol=1e-7)
    np.testing.assert_allclose(Saturating().rates(years, SATURATING)[0], pace * (1 - expected / 2.5), atol=1e-7)


def test_decaying_solves_its_equation():
    years = np.linspace(0, 30, 61)
    expected = of_ode(lambda t, m: 0.25 * 0.5 ** (t / 2.5), years)
    np.testing.assert_allclose(Decaying().multiple(years, DECAYING), expected, rtol=1e-7)


@pytest.mark.parametrize(("curve", "theta", "limit"), ENDING)
def test_money_ends_at_its_ceiling(curve, theta, limit):
    assert curve.multiple(0.0, theta) == 1
    assert curve.multiple(1000.0, theta) == pytest.approx(limit, rel=1e-12)
    assert curve.rates(np.array([1000.0]), theta)[0] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("curve", "theta", "limit"), ENDING)
@pytest.mark.parametrize(("months", "ahead"), [(1, 0.01), (3, 0.03), (12, 0.11)])
def test_steps_of_a_forecast_come_near_the_closed_form(curve, theta, limit, months, ahead):
    at, held = in_steps(curve, theta, months)
    np.testing.assert_allclose(held, curve.multiple(at, theta), rtol=ahead)
    assert limit <= held[-1] <= limit * (1 + ahead)


def test_the_steps_named_in_the_docstrings():
    """Saturating at 20% and a ceiling of 2: 0.5%, 1.5% and 6% above. Decaying at 20% and 2 years: 1.79 and 1.91."""
    double = GROWTH | {"expansion_annual": 0.2, "headroom": 1.0}
    ends = [in_steps(Saturating(), double, months)[1][-1] / 2 - 1 for months in (1, 3, 12)]
    assert ends == pytest.approx([0.005, 0.015, 0.060], abs=5e-4)
    slow = GROWTH | {"expansion_annual": 0.2, "expansion_half_life": 2.0}
    ends = [in_steps(Decaying(), slow, months)[1][-1] for months in (1, 12)]
    assert ends == pytest.approx([1.79, 1.91], abs=5e-3)


@pytest.mark.parametrize(
    ("curve", "without_end"), [(Saturating(), {"headroom": 1e9}), (Decaying(), {"expansion_half_life": 1e9})]
)
def test_without_an_end_it_is_constant_growth(curve, without_end):
    years = np.arange(40) / 4
    for found, expected in zip(curve.rates(years, GROWTH | without_end), Constant().rates(years, GROWTH), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-7)
    np.testing.assert_allclose(curve.multiple(years, GROWTH | without_end), np.exp(0.25 * years), rtol=1e-7)


@pytest.mark.parametrize(("curve", "theta", "limit"), ENDING)
def test_expansion_never_rises_and_contraction_stays(curve, theta, limit):
    added, lost = curve.rates(np.arange(200) / 4, theta)
    assert added[0] == pytest.approx(0.25)
    assert np.all(np.diff(added) < 0)
    np.testing.assert_array_equal(lost, 0.04)
