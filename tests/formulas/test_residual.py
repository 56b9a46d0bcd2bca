import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from lifeworth.errors import AssumptionError
from lifeworth.formulas import (
    derl,
    geometric_derl,
    margin_multiple,
    pareto2_derl,
    sbg_del,
    sbg_del_elasticity,
    sbg_derl,
    sbg_derl_elasticity,
    sbg_retention,
)

SHAPES = [(0.668, 3.806), (0.01, 0.01), (10, 100), (100, 1000), (1e4, 1e5), (1e8, 1e9), (500, 1), (1e-3, 100)]


def summed(alpha, beta, discount_rate, terms=40_000):
    """Discounted expected lifetime and its elasticity by adding up the terms."""
    retention = sbg_retention(np.arange(1, terms), alpha, beta)
    paid = np.concatenate([[1.0], np.cumprod(retention / (1 + discount_rate))])
    return paid.sum(), (np.arange(terms) * paid).sum() / paid.sum()


def test_matches_fader_hardie_2010_derl():
    # Closed form of Fader & Hardie (2010) at their 2007 high-end estimates and 10%; the eighth, 7.530, is
    # printed by github.com/jdmaturen/shifted_beta_geometric_py, the others were computed from it.
    expected = [5.415, 5.902, 6.294, 6.620, 6.897, 7.136, 7.345, 7.530, 7.695, 7.843, 7.978, 8.100]
    np.testing.assert_allclose(sbg_derl(np.arange(1, 13), 0.668, 3.806, 0.1), expected, atol=5e-4)
    assert sbg_del(0.668, 3.806, 0.1) == pytest.approx(5.922596, abs=5e-7)


def test_matches_perils_of_ignoring_heterogeneity_case_1():
    # Fader & Hardie, workshop handout, day 2, slides 167-172 (Marketing Science 29(1), 2010): DERL(1..5)
    # and the residual value of five cohorts at v = 1, alpha 3.8, beta 15.2, d 10%.
    residual = sbg_derl(np.arange(1, 6), 3.8, 15.2, 0.1)
    np.testing.assert_allclose(residual, [3.31, 3.45, 3.59, 3.72, 3.84], atol=5e-3)
    acquired = np.array([20_500, 19_000, 17_500, 15_000, 10_000])
    kept = np.cumprod([1, *sbg_retention(np.arange(1, 5), 3.8, 15.2)])
    active, before = acquired * kept, acquired[1:] * kept[:-1]
    assert active.sum() == pytest.approx(59_392, abs=0.5)
    assert (active * residual).sum() == pytest.approx(207_438, abs=0.5)
    retention = active[1:].sum() / before.sum()
    assert retention == pytest.approx(0.8097838, abs=5e-8)
    assert active.sum() * geometric_derl(1 - retention, 0.1) == pytest.approx(182_292, abs=0.5)


@pytest.mark.parametrize(("alpha", "beta"), SHAPES)
@pytest.mark.parametrize("discount_rate", [0.0095, 0.1, 0.5, 5.0])
def test_closed_form_is_the_sum(alpha, beta, discount_rate):
    lifetime, elasticity = summed(alpha, beta, discount_rate)
    assert sbg_del(alpha, beta, discount_rate) == pytest.approx(lifetime, rel=1e-12)
    assert sbg_del_elasticity(alpha, beta, discount_rate) == pytest.approx(elasticity, rel=1e-12)


def test_stays_exact_where_scipy_hyp2f1_loses_nine_digits():
    # scipy 1.18 is off by 3e-7 here, and returns nan at (100, 1000).
    expected = summed(10, 100, 0.1)[0]
    assert sbg_del(10, 100, 0.1) == pytest.approx(expected, rel=1e-14)


@given(alpha=st.floats(0.05, 8), beta=st.floats(0.05, 8), discount_rate=st.floats(0.05, 2))
def test_agrees_with_the_hypergeometric_function(alpha, beta, discount_rate):
    z = 1 / (1 + discount_rate)
    first = special.hyp2f1(1, beta, alpha + beta, z)
    assert sbg_del(alpha, beta, discount_rate) == pytest.approx(first, rel=1e-10)
    one, two = (special.hyp2f1(k, beta + 3, alpha + beta + 3, z) for k in (1, 2))
    assert sbg_derl_elasticity(3, alpha, beta, discount_rate) == pytest.approx(two / one, rel=1e-10)


@pytest.mark.parametrize("discount_rate", [1e-8, 1e-6, 1e-3])
def test_hardly_any_discounting_stays_exact(discount_rate):
    # Churn ~ Beta(1/2, 1/2): E[1 / (d + churn)] = 1 / sqrt(d (1 + d)).
    expected = np.sqrt((1 + discount_rate) / discount_rate)
    assert sbg_del(0.5, 0.5, discount_rate) == pytest.approx(expected, rel=1e-12)


@given(total=st.floats(1e7, 1e12), churn=st.floats(0.01, 0.99), discount_rate=st.floats(0.01, 1))
def test_tends_to_the_geometric_law(total, churn, discount_rate):
    alpha, beta = total * churn, total * (1 - churn)
    limit = geometric_derl(churn, discount_rate)
    assert sbg_derl(1, alpha, beta, discount_rate) == pytest.approx(limit, rel=2e4 / total + 1e-13)
    elastic = (1 + discount_rate) / (discount_rate + churn)
    assert sbg_derl_elasticity(1, alpha, beta, discount_rate) == pytest.approx(elastic, rel=3e4 / total + 1e-13)


@given(
    tenure=st.integers(1, 60),
    alpha=st.floats(0.01, 1e3),
    beta=st.floats(0.01, 1e3),
    discount_rate=st.floats(1e-4, 3),
)
def test_one_renewal_ahead(tenure, alpha, beta, discount_rate):
    # DERL(n) = r(n) (1 + DERL(n+1) / (1+d)) and DEL = 1 + DERL(1) / (1+d).
    now, later = sbg_derl([tenure, tenure + 1], alpha, beta, discount_rate)
    step = sbg_retention(tenure, alpha, beta) * (1 + later / (1 + discount_rate))
    assert now == pytest.approx(step, rel=1e-11)
    first = sbg_derl(1, alpha, beta, discount_rate)
    assert sbg_del(alpha, beta, discount_rate) == pytest.approx(1 + first / (1 + discount_rate), rel=1e-11)


@given(tenure=st.integers(1, 30), alpha=st.floats(0.1, 50), beta=st.floats(0.1, 50))
def test_elasticity_is_the_derivative(tenure, alpha, beta):
    # Raising every retention rate by a factor f is discounting by (1 + d) / f, times f for the first.
    step, d = 1e-4, 0.2
    up, down = (f * sbg_derl(tenure, alpha, beta, (1 + d) / f - 1) for f in (np.exp(step), np.exp(-step)))
    slope = (np.log(up) - np.log(down)) / (2 * step)
    assert sbg_derl_elasticity(tenure, alpha, beta, d) == pytest.approx(slope, rel=1e-5)


def test_closed_form_agrees_with_the_generic_sum():
    tenure = np.arange(1, 4)
    retention = sbg_retention(tenure[:, None] + np.arange(400), 0.7, 1.2)
    np.testing.assert_allclose(derl(retention, 0.1), sbg_derl(tenure, 0.7, 1.2, 0.1), rtol=1e-12)


@given(churn=st.floats(0.01, 1), discount_rate=st.floats(0, 1), horizon=st.integers(1, 9))
def test_continued_constant_retention_is_geometric(churn, discount_rate, horizon):
    rates = np.full(horizon, 1 - churn)
    expected = geometric_derl(churn, discount_rate)
    assert derl(rates, discount_rate, continued=True) == pytest.approx(expected, rel=1e-12)


def test_generic_sum_by_hand():
    # 0.9 + 0.9 x 0.8 / 1.25 + 0.9 x 0.8 x 0.5 / 1.5625
    assert derl([0.9, 0.8, 0.5], 0.25) == pytest.approx(0.9 + 0.576 + 0.2304, rel=1e-15)
    np.testing.assert_allclose(derl([[0.5, 0.5], [1, 1]], [0.0, 1.0]), [0.75, 1.5])


def test_geometric_derl_is_the_multiple_of_note_024_a_period_earlier():
    # Fader & Hardie, note 024: m r / (1 + d - r) = 250 at m 100, r 0.8, d 12%, one period from now.
    assert 100 * geometric_derl(0.2, 0.12) == pytest.approx(250 * 1.12, rel=1e-14)
    assert margin_multiple(0.8, 0.12, timing="immediate") == pytest.approx(1 + geometric_derl(0.2, 0.12) / 1.12)


def test_undiscounted_lifetimes():
    # alpha 2, beta 5: E[1 / churn] = 6; before the third renewal (5 + 2) / 1.
    assert sbg_del(2, 5, 0) == 6
    assert sbg_derl(3, 2, 5, 0) == pytest.approx(7, rel=1e-15)
    assert sbg_del(2, 5, 1e-8) == pytest.approx(6, rel=1e-5)
    assert sbg_del_elasticity(3, 5, 0) == pytest.approx(5, rel=1e-15)
    assert sbg_del_elasticity(3, 5, 1e-7) == pytest.approx(5, rel=1e-4)
    np.testing.assert_allclose(sbg_del([2, 0.5], 5, [0, 0.1]), [6, sbg_del(0.5, 5, 0.1)])


def test_matches_fader_hardie_pareto2():
    # Fader & Hardie, continuous-time contractual notes: (beta+t)^s delta^(s-1) Psi(s, s; (beta+t) delta)
    # at s 0.6, beta 11, delta 0.05, t 10.
    assert pareto2_derl(10, 0.6, 11, 0.05) == pytest.approx(14.555611, abs=5e-7)


@given(shape=st.integers(1, 40), product=st.floats(1e-6, 300))
def test_pareto2_agrees_with_the_exponential_integral(shape, product):
    # scale 1, elapsed 0: e^x E_s(x).
    expected = np.exp(product) * special.expn(shape, product)
    assert pareto2_derl(0, shape, 1, product) == pytest.approx(expected, rel=1e-12)


@given(shape=st.floats(0.05, 0.95), product=st.floats(1e-6, 30))
def test_pareto2_agrees_with_the_incomplete_gamma_function(shape, product):
    upper = special.gamma(1 - shape) * special.gammaincc(1 - shape, product)
    expected = np.exp(product) * product ** (shape - 1) * upper
    assert pareto2_derl(0, shape, 1, product) == pytest.approx(expected, rel=1e-10)


def test_pareto2_tends_to_constant_churn():
    # Leaving rate 0.2 for everybody: 1 / (0.2 + delta).
    assert pareto2_derl(5, 2e8, 1e9, 0.05) == pytest.approx(4, rel=1e-7)
    assert pareto2_derl(10, 3, 10, 0) == 10


@pytest.mark.parametrize(
    ("call", "columns"),
    [
        (lambda **k: sbg_del([1, 2], 3, 0, **k), [np.nan, 4]),
        (lambda **k: sbg_derl(1, [1, 2], 3, 0, **k), [np.nan, 3]),
        (lambda **k: sbg_del_elasticity([2, 3], 5, 0, **k), [np.nan, 5]),
        (lambda **k: sbg_derl_elasticity(1, [2, 3], 5, 0, **k), [np.nan, 7]),
        (lambda **k: geometric_derl([0, 0.5], 0, **k), [np.nan, 1]),
        (lambda **k: pareto2_derl(0, [1, 2], 3, 0, **k), [np.nan, 3]),
        (lambda **k: derl([[1.0], [0.5]], 0, continued=True, **k), [np.nan, 1]),
    ],
)
def test_infinite_lifetimes_raise_or_are_nan(call, columns):
    with pytest.raises(AssumptionError, match=r"infinite \(1 of 2 values\)"):
        call()
    np.testing.assert_allclose(call(on_undefined="nan"), columns, rtol=1e-14)


def test_missing_columns_stay_missing():
    both = sbg_derl(2, [np.nan, 0.7], [1.2, 1.2], [0.1, 0.1], on_undefined="nan")
    np.testing.assert_array_equal(np.isnan(both), [True, False])
    assert both[1] == sbg_derl(2, 0.7, 1.2, 0.1)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: sbg_del(-1, 1, 0.1), "alpha"),
        (lambda: sbg_del(1, 1, -0.1), "discount_rate"),
        (lambda: sbg_del(1, 1, 1e-12), "discount_rate"),
        (lambda: sbg_derl(0, 1, 1, 0.1), "tenure"),
        (lambda: sbg_derl_elasticity(0.5, 1, 1, 0.1), "tenure"),
        (lambda: derl([0.5, 1.5], 0.1), "retention"),
        (lambda: derl([], 0.1), "retention"),
        (lambda: derl([0.5], -1), "discount_rate"),
        (lambda: geometric_derl(np.nan, 0.1), "churn"),
        (lambda: pareto2_derl(-1, 1, 1, 0.1), "elapsed"),
        (lambda: pareto2_derl(1, 0, 1, 0.1), "shape"),
    ],
)
def test_out_of_range_arguments_are_named(call, name):
    with pytest.raises(AssumptionError, match=f"^{name} "):
        call()
