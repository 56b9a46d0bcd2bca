from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from lifeworth.errors import AssumptionError
from lifeworth.formulas import geometric_survival, sbg_hazard, sbg_retention, sbg_survival

shape = st.floats(1e-3, 1e3)


def exact(tenure, alpha, beta):
    survival = Fraction(1)
    for t in range(tenure):
        survival *= (Fraction(beta) + t) / (Fraction(alpha) + Fraction(beta) + t)
    return float(survival)


def test_matches_fader_hardie_2007_projection():
    # Fader & Hardie (2007), high end at the published 0.668, 3.806, years 8-12; also jdmaturen's tests.
    published = [0.460, 0.436, 0.414, 0.395, 0.378]
    np.testing.assert_allclose(sbg_survival(np.arange(8, 13), 0.668, 3.806), published, rtol=0, atol=5e-4)


def test_matches_fader_hardie_note_032():
    # Fader & Hardie, note 032: S(1..12), seven digits, at estimates printed as 0.760 and 1.286. The first two
    # values give those estimates to six digits: h(0) = alpha / total and h(1) = alpha / (total + 1).
    published = np.array([
        0.6286665, 0.4718611, 0.3832559, 0.3255509, 0.2846416, 0.2539495,
        0.2299700, 0.2106554, 0.1947241, 0.1813308, 0.1698941, 0.1600001,
    ])  # fmt: skip
    first, second = 1 - published[0], 1 - published[1] / published[0]
    total = second / (first - second)
    alpha, beta = first * total, (1 - first) * total
    assert (round(alpha, 3), round(beta, 3)) == (0.760, 1.286)
    np.testing.assert_allclose(sbg_survival(np.arange(1, 13), alpha, beta), published, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("alpha", "beta"), [(0.668, 3.806), (0.01, 0.01), (3, 1e-5), (10, 100), (500, 1), (1e-6, 1e6)])
@pytest.mark.parametrize("tenure", [0, 1, 2, 7, 30, 120])
def test_is_the_exact_product_of_retention_rates(tenure, alpha, beta):
    assert sbg_survival(tenure, alpha, beta) == pytest.approx(exact(tenure, alpha, beta), rel=1e-13)


@pytest.mark.parametrize("total", [1e4, 1e8, 1e12])
def test_tends_to_the_geometric_law_where_betaln_cancels(total):
    tenure = np.arange(61)
    alpha, beta = 0.1 * total, 0.9 * total
    survival = sbg_survival(tenure, alpha, beta)
    np.testing.assert_allclose(survival, [exact(t, alpha, beta) for t in range(61)], rtol=2e-13)
    # First-order distance to the limit: S / S_geometric - 1 = t (t-1) / 2 * alpha / beta / total.
    assert survival[60] / geometric_survival(60, 0.1) - 1 == pytest.approx(
        60 * 59 / 2 * 0.1 / 0.9 / total, rel=0.02, abs=1e-12
    )


def test_log_beta_functions_would_not_do():
    alpha, beta = 1e11, 9e11
    naive = np.exp(special.betaln(alpha, beta + 10) - special.betaln(alpha, beta))
    assert abs(naive / 0.9**10 - 1) > 1e-6
    assert sbg_survival(10, alpha, beta) == pytest.approx(0.9**10, rel=1e-9)


@given(tenure=st.floats(0, 200), alpha=st.floats(0.01, 20), beta=st.floats(0.01, 20))
def test_agrees_with_log_gamma_between_whole_tenures(tenure, alpha, beta):
    logs = special.gammaln([beta + tenure, alpha + beta, beta, alpha + beta + tenure])
    expected = np.exp(logs[0] + logs[1] - logs[2] - logs[3])
    assert sbg_survival(tenure, alpha, beta) == pytest.approx(expected, rel=1e-11)


@given(tenure=st.floats(0, 500), alpha=shape, beta=shape)
def test_next_period_multiplies_by_the_retention_rate(tenure, alpha, beta):
    step = sbg_survival(tenure, alpha, beta) * sbg_retention(tenure + 1, alpha, beta)
    assert sbg_survival(tenure + 1, alpha, beta) == pytest.approx(step, rel=1e-12, abs=1e-300)


@given(tenure=st.integers(0, 500), alpha=shape, beta=shape)
def test_hazard_and_retention_of_the_next_renewal_add_to_one(tenure, alpha, beta):
    total = sbg_hazard(tenure, alpha, beta) + sbg_retention(tenure + 1, alpha, beta)
    assert total == pytest.approx(1, abs=4e-16)


@given(tenure=st.integers(0, 300), later=st.integers(1, 300), alpha=shape, beta=shape)
def test_survival_starts_at_one_and_never_rises(tenure, later, alpha, beta):
    assert sbg_survival(0, alpha, beta) == pytest.approx(1, abs=1e-14)
    now, then = sbg_survival([tenure, tenure + later], alpha, beta)
    assert 0 <= then <= now * (1 + 1e-13)


def test_retention_of_note_017_rates():
    # Fader & Hardie, note 017 (alpha 3.8, beta 15.2): 10,000 -> 8,000 -> 6,480 -> 5,307.428571.
    np.testing.assert_allclose(
        1e4 * np.cumprod(sbg_retention([1, 2, 3], 3.8, 15.2)), [8000, 6480, 5307.428571], atol=1e-6
    )


def test_broadcasts_and_returns_floats_for_numbers():
    assert type(sbg_survival(3, 1, 1)) is float
    assert type(geometric_survival(3, 0.1)) is float
    assert sbg_survival(np.arange(4), np.ones((5, 1)), 2.0).shape == (5, 4)


def test_geometric_edges():
    np.testing.assert_array_equal(geometric_survival([0, 1, 2], 1.0), [1, 0, 0])
    np.testing.assert_array_equal(geometric_survival([0, 1, 2], 0.0), [1, 1, 1])


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: sbg_survival(-1, 1, 1), "tenure"),
        (lambda: sbg_survival(1, 0, 1), "alpha"),
        (lambda: sbg_survival(1, 1, -2), "beta"),
        (lambda: sbg_survival(np.nan, 1, 1), "tenure"),
        (lambda: sbg_survival(np.inf, 1, 1), "tenure"),
        (lambda: sbg_retention(0, 1, 1), "tenure"),
        (lambda: sbg_hazard(-0.5, 1, 1), "tenure"),
        (lambda: geometric_survival(1, 1.2), "churn"),
    ],
)
def test_out_of_range_arguments_are_named(call, name):
    with pytest.raises(AssumptionError, match=f"^{name} "):
        call()
