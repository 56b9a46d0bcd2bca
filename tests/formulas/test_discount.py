import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifeworth.errors import AssumptionError
from lifeworth.formulas import (
    annual_churn,
    annual_rate,
    discount_factor,
    monthly_churn,
    monthly_rate,
    present_value,
)


def test_matches_the_clv_taxonomy():
    # McCarthy, "CLV taxonomy" (class example): five cash flows by day, 12% a year, 365 days, CAC 50.
    day, money = np.array([0, 55, 150, 290, 310]), np.array([5, 20, 2, 50, 100])
    assert present_value(money, day / 365, 0.12) == pytest.approx(163.0885, abs=5e-5)
    assert present_value(money, day / 365, 0.12) - 50 == pytest.approx(113.0885, abs=5e-5)
    later = day >= 180
    assert present_value(money[later], (day[later] - 180) / 365, 0.12) == pytest.approx(144.3652, abs=5e-5)
    assert present_value(money, day / 365, 0.0) - 50 == pytest.approx(127, rel=1e-15)
    early = day < 90
    assert present_value(money[early], day[early] / 365, 0.12) - 50 == pytest.approx(-25.33864, abs=5e-6)


@given(st.floats(-0.9, 10))
def test_rates_go_to_the_month_and_back(rate):
    assert annual_rate(monthly_rate(rate)) == pytest.approx(rate, rel=1e-12, abs=1e-14)
    assert discount_factor(1, rate) == pytest.approx(discount_factor(12, monthly_rate(rate)), rel=1e-12)


@given(st.floats(0, 0.999))
def test_churn_goes_to_the_month_and_back(churn):
    assert annual_churn(monthly_churn(churn)) == pytest.approx(churn, rel=1e-12, abs=1e-300)
    assert 1 - annual_churn(churn) == pytest.approx((1 - churn) ** 12, rel=1e-10, abs=1e-15)


def test_churn_edges():
    np.testing.assert_array_equal(monthly_churn([0, 1]), [0, 1])
    np.testing.assert_array_equal(annual_churn([0, 1]), [0, 1])


def test_small_rates_keep_their_digits():
    assert annual_rate(1e-12) == pytest.approx(12e-12, rel=1e-10)
    assert annual_churn(1e-12) == pytest.approx(12e-12, rel=1e-10)


def test_present_value_broadcasts_over_rates():
    values = present_value([100, 110, 121], [0, 1, 2], [0.0, 0.1])
    np.testing.assert_allclose(values, [331, 300], rtol=1e-14)
    assert type(present_value([1], [0], 0.1)) is float


@given(years=st.floats(0, 50), rate=st.floats(-0.5, 2))
def test_factors_multiply_over_time(years, rate):
    twice = discount_factor(years, rate) ** 2
    assert discount_factor(2 * years, rate) == pytest.approx(twice, rel=1e-12)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: discount_factor(1, -1), "discount_rate_annual"),
        (lambda: discount_factor(np.nan, 0.1), "years"),
        (lambda: present_value([np.nan], [1], 0.1), "cash_flows"),
        (lambda: monthly_rate(-1), "rate_annual"),
        (lambda: annual_rate(-2), "rate_monthly"),
        (lambda: monthly_churn(12), "churn_annual"),
        (lambda: annual_churn(-0.1), "churn_monthly"),
    ],
)
def test_out_of_range_arguments_are_named(call, name):
    with pytest.raises(AssumptionError, match=f"^{name} "):
        call()
