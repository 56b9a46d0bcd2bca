import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifeworth.errors import AssumptionError
from lifeworth.formulas import cltv_to_cac, grr, logo_retention, nrr, payback_months


def test_nrr_matches_the_source_example():
    # 10M - 1M + 2M = 110%.
    assert nrr(10e6, 1e6, 2e6) == pytest.approx(1.10, rel=1e-15)
    assert nrr(10e6, 1e6, 2e6, 0.5e6) == pytest.approx(1.05, rel=1e-15)


@given(st.lists(st.floats(0, 1e6), min_size=4, max_size=4))
def test_nrr_is_grr_plus_expansion(amounts):
    kept, churned, contraction, expansion = amounts
    opening = kept + churned + contraction + 1
    gross = grr(opening, churned, contraction)
    assert 0 <= gross <= 1
    assert nrr(opening, churned, expansion, contraction) == pytest.approx(gross + expansion / opening, rel=1e-12)


def test_everything_lost_is_zero_despite_rounding():
    assert grr(0.3, 0.1, 0.2) == 0
    assert logo_retention(10, 10) == 0


@given(at_risk=st.integers(1, 10**6), share=st.floats(0, 1))
def test_logo_retention_counts_accounts(at_risk, share):
    churned = int(at_risk * share)
    assert logo_retention(at_risk, churned) == pytest.approx((at_risk - churned) / at_risk, rel=1e-15)


def test_cltv_to_cac_needs_a_known_cost():
    assert cltv_to_cac(42_000, 14_000) == 3
    with pytest.raises(AssumptionError, match="no ratio"):
        cltv_to_cac(42_000, 0)
    with pytest.raises(AssumptionError, match=r"^cac is missing"):
        cltv_to_cac(42_000, None)
    assert np.isnan(cltv_to_cac(42_000, None, on_undefined="nan"))


def first_month(cac, margin, kept, months=2000):
    paid = np.cumsum(margin * kept ** np.arange(float(months)))
    reached = np.flatnonzero(paid >= cac * (1 - 1e-12))
    return 0.0 if cac == 0 else (reached[0] + 1.0 if reached.size else np.inf)


@given(
    cac=st.integers(0, 30_000),
    margin=st.integers(1, 1000),
    churn=st.sampled_from([0.0, 0.01, 0.03, 0.2, 0.5, 1.0]),
    growth=st.sampled_from([-0.02, 0.0, 0.01, 0.05]),
)
def test_payback_is_the_first_month_that_covers(cac, margin, churn, growth):
    expected = first_month(cac, margin, (1 - churn) * (1 + growth))
    months = payback_months(cac, 2 * margin, 0.5, churn, growth)
    assert months == expected or (np.isinf(expected) and months > 2000)


def test_payback_by_hand():
    # 14,000 at 1,000 a month; 1,000 + 500 + 250 at 50% churn covers 1,750 exactly and never 2,000.
    assert payback_months(14_000, 1_250, 0.8) == 14
    assert payback_months([1_750, 1_751, 1_999, 2_000], 1_000, 1.0, 0.5).tolist() == [3, 4, 11, np.inf]
    assert payback_months(1_210, 1_000, 1.0, 0, 0.21) == 2


def test_payback_at_once_or_never():
    assert payback_months(0, 1_000, 0.8) == 0
    assert payback_months(0, 0, 0.8) == 0
    assert payback_months(1, 0, 0.8) == np.inf
    assert payback_months(1, 1_000, -0.1) == np.inf
    assert payback_months([800, 801], 1_000, 0.8, 1.0).tolist() == [1, np.inf]


def test_payback_stays_exact_as_churn_vanishes():
    assert payback_months(12_000, 1_000, 1.0, [0, 1e-15, 1e-12]).tolist() == [12, 12, 12]


@pytest.mark.parametrize(
    ("call", "columns"),
    [
        (lambda **k: nrr([0, 10], 0, **k), [np.nan, 1]),
        (lambda **k: grr([0, 10], 0, **k), [np.nan, 1]),
        (lambda **k: logo_retention([0, 10], 0, **k), [np.nan, 1]),
        (lambda **k: cltv_to_cac(3, [0, 1], **k), [np.nan, 3]),
    ],
)
def test_empty_books_raise_or_are_nan(call, columns):
    with pytest.raises(AssumptionError, match=r"\(1 of 2 values\)"):
        call()
    np.testing.assert_array_equal(call(on_undefined="nan"), columns)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: nrr(-1, 0), "opening"),
        (lambda: nrr(10, 1, -1), "expansion"),
        (lambda: nrr(10, 6, 0, 6), "churned_amount and contraction"),
        (lambda: grr(10, 11), "churned_amount and contraction"),
        (lambda: grr(10, np.nan), "churned_amount"),
        (lambda: logo_retention(10, 11), "churned"),
        (lambda: cltv_to_cac(np.nan, 1), "cltv"),
        (lambda: cltv_to_cac(1, -1), "cac"),
        (lambda: payback_months(1, 1, 0.5, 1.5), "churn_monthly"),
        (lambda: payback_months(1, -1, 0.5), "arpa_monthly"),
    ],
)
def test_out_of_range_arguments_are_named(call, name):
    with pytest.raises(AssumptionError, match=f"^{name} "):
        call()
