"""The parametric laws beyond sBG: nested limits, closed forms and published fits."""

import numpy as np
import pytest
from scipy import optimize, special, stats

from lifeworth.churn import (
    BetaDiscreteWeibull,
    Cure,
    DiscreteWeibull,
    Geometric,
    Gompertz,
    LogLogistic,
    Lomax,
    Piecewise,
    ShiftedBetaGeometric,
)
from lifeworth.errors import DefinitionError

T = np.arange(40)
GEOMETRIC = Geometric().log_survival(T, {"first_churn": 0.2})

# Fader & Hardie (2007), regular segment: survivors of 1,000 after each of the first four renewals
REGULAR = np.array([1000.0, 631, 468, 382, 326])


@pytest.mark.parametrize(
    ("curve", "extra"),
    [
        (DiscreteWeibull(), {"shape": 1.0}),
        (BetaDiscreteWeibull(), {"shape": 1.0, "polarization": 1e-13}),
        (Lomax(), {"scale": 1e12}),
        (Gompertz(), {"growth": 1.0}),
        (Cure(), {"loyal": 0.0}),
        (Piecewise((3, 12)), {"change": np.zeros(2)}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_geometric_is_a_special_case(curve, extra):
    np.testing.assert_allclose(curve.log_survival(T, {"first_churn": 0.2} | extra), GEOMETRIC, rtol=1e-9)


@pytest.mark.parametrize("polarization", [0.7, 0.1, 1e-3, 1e-6])
def test_bdw_of_shape_one_is_sbg(polarization):
    theta = {"first_churn": 0.2, "polarization": polarization}
    ours = BetaDiscreteWeibull().log_survival(T, theta | {"shape": 1.0})
    np.testing.assert_allclose(ours, ShiftedBetaGeometric().log_survival(T, theta), rtol=1e-11)


def test_bdw_of_like_accounts_is_discrete_weibull():
    theta = {"first_churn": 0.2, "shape": 0.7}
    ours = BetaDiscreteWeibull().log_survival(T, theta | {"polarization": 1e-12})
    np.testing.assert_allclose(ours, DiscreteWeibull().log_survival(T, theta), rtol=1e-9)


def test_bdw_equals_the_ratio_of_beta_functions():
    gamma, delta, shape = 0.5231, 0.8944, 1.1963
    theta = ShiftedBetaGeometric.from_alpha_beta(gamma, delta) | {"shape": shape}
    exact = special.betaln(gamma, delta + T**shape) - special.betaln(gamma, delta)
    np.testing.assert_allclose(BetaDiscreteWeibull().log_survival(T, theta), exact, rtol=1e-11, atol=1e-15)


def log_likelihood(curve, theta, survivors):
    survival = curve.survival(np.arange(len(survivors)), theta)
    lost = -np.diff(survivors)
    return float(lost @ np.log(-np.diff(survival)) + survivors[-1] * np.log(survival[-1]))


def test_bdw_fit_of_four_renewals_as_published():
    """Fader et al. (2018): gamma .5231, delta .8944, c 1.1963, LL -1401.3831 on the regular segment."""

    def negative(x):
        first, polarization = special.expit(x[:2])
        theta = {"first_churn": first, "polarization": polarization, "shape": np.exp(x[2])}
        return -log_likelihood(BetaDiscreteWeibull(), theta, REGULAR)

    best = optimize.minimize(negative, [-0.5, -0.5, 0.0], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-10})
    first, polarization = special.expit(best.x[:2])
    alpha, beta = ShiftedBetaGeometric.to_alpha_beta({"first_churn": first, "polarization": polarization})
    assert -best.fun == pytest.approx(-1401.3831, abs=1e-4)
    assert (alpha, beta, np.exp(best.x[2])) == pytest.approx((0.5231, 0.8944, 1.1963), abs=1e-3)


def test_discrete_weibull_fit_of_four_renewals_as_published():
    """Fader et al. (2018): theta .3739, c .6359, LL -1404.0082 on the regular segment."""

    def negative(x):
        return -log_likelihood(DiscreteWeibull(), {"first_churn": special.expit(x[0]), "shape": np.exp(x[1])}, REGULAR)

    best = optimize.minimize(negative, [-0.5, 0.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-11})
    assert (special.expit(best.x[0]), np.exp(best.x[1])) == pytest.approx((0.3739, 0.6359), abs=1e-3)
    assert -best.fun == pytest.approx(-1404.0082, abs=1e-4)


@pytest.mark.parametrize(
    ("curve", "theta", "law"),
    [
        (
            DiscreteWeibull(),
            {"first_churn": 0.1, "shape": 1.4},
            stats.weibull_min(1.4, scale=(-np.log(0.9)) ** (-1 / 1.4)),
        ),
        (Lomax(), {"first_churn": 0.1, "scale": 8.0}, stats.lomax(-np.log(0.9) / np.log(9 / 8), scale=8.0)),
        (LogLogistic(), {"first_churn": 0.1, "shape": 1.7}, stats.fisk(1.7, scale=9 ** (1 / 1.7))),
    ],
    ids=lambda value: type(value).__name__,
)
def test_continuous_laws_seen_at_period_ends_are_scipy_s(curve, theta, law):
    np.testing.assert_allclose(curve.survival(T, theta), law.sf(T), rtol=1e-11)


def test_gompertz_is_the_continuous_law_at_whole_periods():
    """H(t) = (a / b)(exp(b t) - 1): the increments grow by exp(b) each period."""
    b = np.log(0.9)
    cumulative = -np.log(0.8) * np.expm1(b * T) / np.expm1(b)
    ours = Gompertz().log_survival(T, {"first_churn": 0.2, "growth": 0.9})
    np.testing.assert_allclose(ours, -cumulative, rtol=1e-11, atol=1e-15)


def test_cure_settles_at_the_loyal():
    theta = {"first_churn": 0.2, "loyal": 0.5}
    assert Cure().survival(np.array([400]), theta)[0] == pytest.approx(0.4)


def test_a_log_logistic_hazard_peaks_and_falls():
    hazard = LogLogistic().hazard(T, {"first_churn": 0.02, "shape": 2.5})
    peak = int(np.argmax(hazard))
    assert 0 < peak < 39
    assert (np.diff(hazard[: peak + 1]) > 0).all()
    assert (np.diff(hazard[peak:]) < 0).all()


def test_piecewise_hazard_is_level_between_its_edges():
    hazard = Piecewise((3, 12)).hazard(T, {"first_churn": 0.1, "change": np.log([0.5, 0.5])})
    assert hazard[:3] == pytest.approx([0.1] * 3)
    assert hazard[3:12] == pytest.approx([1 - np.sqrt(0.9)] * 9)
    assert hazard[12:] == pytest.approx([1 - 0.9**0.25] * 28)


@pytest.mark.parametrize("edges", [(), (0, 3), (3, 3), (12, 3)])
def test_edges_that_do_not_rise_are_refused(edges):
    with pytest.raises(DefinitionError, match="rising whole tenures"):
        Piecewise(edges)
