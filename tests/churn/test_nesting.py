"""Each curve where it must become another one, or a published closed form."""

import numpy as np
import pytest

from lifeworth import formulas
from lifeworth.churn import Geometric, ShiftedBetaGeometric, Smooth

TENURES = np.arange(40)


def smooth_theta(steps, first_churn=0.1):
    return {"first_churn": first_churn, "roughness": 0.3, "steps": np.asarray(steps, dtype=float)}


def test_geometric_is_a_power_of_retention():
    survival = Geometric().survival(TENURES, {"first_churn": 0.13})
    np.testing.assert_allclose(survival, 0.87**TENURES, rtol=1e-12)


@pytest.mark.parametrize("polarization", [1e-4, 1e-7, 1e-10])
def test_sbg_with_like_accounts_is_geometric(polarization):
    """The gap closes in proportion to polarization: log S differs by about -p h t(t-1)/2 (1 - h)^-1."""
    theta = {"first_churn": 0.2, "polarization": polarization}
    gap = ShiftedBetaGeometric().log_survival(TENURES, theta) - Geometric().log_survival(TENURES, theta)
    first_order = polarization * 0.2 / 0.8 * TENURES * (TENURES - 1) / 2
    np.testing.assert_allclose(gap, first_order, rtol=40 * polarization + 1e-4, atol=1e-13)


def test_sbg_without_polarization_is_geometric_exactly():
    theta = {"first_churn": 0.2, "polarization": 0.0}
    np.testing.assert_allclose(
        ShiftedBetaGeometric().log_survival(TENURES, theta),
        Geometric().log_survival(TENURES, theta),
        rtol=1e-12,
    )


def test_smooth_without_steps_is_geometric():
    theta = smooth_theta(np.zeros(18), first_churn=0.07)
    np.testing.assert_allclose(
        Smooth().log_survival(np.arange(300), theta),
        Geometric().log_survival(np.arange(300), theta),
        rtol=1e-12,
    )


@pytest.mark.parametrize(("alpha", "beta"), [(0.668, 3.806), (0.704, 1.182), (5.0, 80.0), (0.05, 0.05)])
def test_sbg_equals_the_closed_form(alpha, beta):
    theta = ShiftedBetaGeometric.from_alpha_beta(alpha, beta)
    ours = ShiftedBetaGeometric().survival(TENURES, theta)
    np.testing.assert_allclose(ours, formulas.sbg_survival(TENURES, alpha, beta), rtol=1e-12)


def test_alpha_and_beta_survive_the_round_trip():
    alpha, beta = ShiftedBetaGeometric.to_alpha_beta(ShiftedBetaGeometric.from_alpha_beta(0.668, 3.806))
    assert (alpha, beta) == pytest.approx((0.668, 3.806), rel=1e-12)


def test_projects_years_8_to_12_of_the_high_end_as_fader_hardie_2007():
    theta = ShiftedBetaGeometric.from_alpha_beta(0.668, 3.806)
    survival = ShiftedBetaGeometric().survival(np.arange(8, 13), theta)
    np.testing.assert_allclose(survival, [0.460, 0.436, 0.414, 0.395, 0.378], atol=5e-4)


def test_smooth_walks_from_knot_to_knot_over_log_tenure():
    """Knots 0, 1, 3: one step over log 2, one over log 2; the middle of the second is at tenure sqrt(8) - 1."""
    curve, steps = Smooth(knots=(0, 1, 3)), [0.4, -0.3]
    level = np.log(-curve.log_retention(np.array([0, 1, 2, 3, 4, 50]), smooth_theta(steps)))
    width = np.log(2)
    part = (np.log(3) - np.log(2)) / width
    ends = np.array([0, 0.4, 0.4 - 0.3 * part, 0.1, 0.1, 0.1]) * np.sqrt(width)
    np.testing.assert_allclose(level - level[0], ends, rtol=1e-12, atol=1e-12)


def test_smooth_continues_from_its_last_level_beyond_the_last_knot():
    theta = smooth_theta(np.linspace(-1, 1, 18))
    hazard = Smooth().hazard(np.array([120, 121, 500]), theta)
    np.testing.assert_allclose(hazard, hazard[0], rtol=1e-12)


def test_smooth_gives_late_tenures_the_spread_that_roughness_promises():
    """Sd of the log increment's change while tenure + 1 grows e-fold, whatever the knots."""
    rng = np.random.default_rng(2)
    steps = 0.3 * rng.normal(size=(20_000, 18))
    theta = {"first_churn": np.full((20_000, 1), 0.05), "roughness": 0.3, "steps": steps}
    level = np.log(-Smooth().log_retention(np.array([0, 8, 120]), theta))
    for at, tenure in ((1, 8), (2, 120)):
        spread = (level[:, at] - level[:, 0]).std() / np.sqrt(np.log1p(tenure))
        assert spread == pytest.approx(0.3, abs=4 * 0.3 / np.sqrt(2 * 20_000))
