import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifeworth.errors import AssumptionError, DefinitionError
from lifeworth.formulas import (
    cltv_basic,
    cltv_skok,
    cltv_with_expansion,
    margin_multiple,
    present_value,
    worksheet,
)

rate = st.floats(0.01, 0.99)


def test_basic_matches_the_source_examples():
    # The brief's examples: 10,000 x 80% / 20% and 20,000 x 80% / 15%.
    assert cltv_basic(10_000, 0.80, 0.20) == pytest.approx(40_000, rel=1e-15)
    assert cltv_basic(20_000, 0.80, 0.15) == pytest.approx(106_667, abs=0.5)


def test_churn_from_20_to_15_percent_is_a_third_more():
    assert cltv_basic(1, 0.8, 0.15) / cltv_basic(1, 0.8, 0.20) - 1 == pytest.approx(1 / 3, rel=1e-14)


def test_expansion_matches_the_source_example():
    # 15,000 x 85% / (15% - 10%) = 255,000; exactly 12,750 / 0.065 = 196,154.
    assert cltv_with_expansion(15_000, 0.85, 0.15, 0.10) == pytest.approx(255_000, rel=1e-14)
    assert cltv_with_expansion(15_000, 0.85, 0.15, 0.10, True) == pytest.approx(12_750 / 0.065, rel=1e-14)
    assert round(cltv_with_expansion(15_000, 0.85, 0.15, 0.10, exact=True)) == 196_154


@given(churn=rate, growth=st.floats(-0.9, 0.9))
def test_exact_expansion_is_the_sum_of_payments(churn, growth):
    kept = (1 - churn) * (1 + growth)
    if kept < 0.99:
        payments = (kept ** np.arange(4000.0)).sum()
        assert cltv_with_expansion(1, 1, churn, growth, exact=True) == pytest.approx(payments, rel=1e-10)


@given(churn=rate)
def test_no_expansion_is_the_basic_formula(churn):
    expected = cltv_basic(100, 0.8, churn)
    assert cltv_with_expansion(100, 0.8, churn, 0.0) == pytest.approx(expected, rel=1e-14)
    assert cltv_with_expansion(100, 0.8, churn, 0.0, exact=True) == pytest.approx(expected, rel=1e-14)
    assert cltv_skok(100, 0.8, churn, 0.0) == pytest.approx(expected, rel=1e-13)


@given(churn=rate, growth=rate)
def test_linear_form_is_too_high_under_expansion(churn, growth):
    linear, exact = (cltv_with_expansion(1, 1, churn, growth, e, on_undefined="nan") for e in (False, True))
    assert np.isnan(linear) or linear > exact


def test_skok_matches_his_formula():
    # David Skok, For Entrepreneurs: a G (1/(1-K) + G K/(1-K)^2), K = (1-churn)(1-discount). At a = 100, an
    # increase of 5 and churn 3%: 100/0.03 + 5 x 0.97/0.0009; with 10%/12 a month; a = 1, G = 22%, churn 10%.
    assert cltv_skok(100, 1, 0.03, 0.05) == pytest.approx(8722.2222, abs=5e-5)
    assert cltv_skok(100, 1, 0.03, 0.05, 0.1 / 12) == pytest.approx(5941.99637, abs=5e-6)
    assert cltv_skok(1, 1, 0.1, 0.22) == pytest.approx(29.8, rel=1e-14)
    assert cltv_skok(1, 1, 0.1, 0.22, 0.1) == pytest.approx(10.199446, abs=5e-7)


def test_skok_with_the_increase_in_the_first_period():
    # a/c + m/c^2 = 3,333.33 + 5,555.56.
    assert cltv_skok(100, 1, 0.03, 0.05, first_increase="first_period") == pytest.approx(80_000 / 9, rel=1e-13)


@given(churn=st.floats(0.05, 1), growth=st.floats(-0.5, 2), discount=st.floats(0, 0.5), first=st.booleans())
def test_skok_is_the_sum_of_payments(churn, growth, discount, first):
    month = np.arange(1000.0)
    payments = (1 + growth * (month + first)) * ((1 - churn) * (1 - discount)) ** month
    name = "first_period" if first else "second_period"
    value = cltv_skok(1, 1, churn, growth, discount, first_increase=name)
    assert value == pytest.approx(payments.sum(), rel=1e-10, abs=1e-10)


def test_margin_multiple_matches_note_024():
    # Fader & Hardie, note 024, at m 100, r 0.8, d 12%.
    assert 100 * margin_multiple(0.8, 0.12, timing="immediate") == pytest.approx(350, rel=1e-14)
    assert 100 * margin_multiple(0.8, 0.12) == pytest.approx(250, rel=1e-14)
    assert 100 * margin_multiple(0.8, 0.12, timing="end") == pytest.approx(312.5, rel=1e-14)


@pytest.mark.parametrize(
    ("discount_rate", "published"),
    [
        (0.10, [1.20, 1.75, 2.67, 4.50]),
        (0.12, [1.15, 1.67, 2.50, 4.09]),
        (0.14, [1.11, 1.59, 2.35, 3.75]),
        (0.16, [1.07, 1.52, 2.22, 3.46]),
    ],
)
def test_margin_multiple_matches_gupta_lehmann(discount_rate, published):
    # Gupta & Lehmann (2003, 2005): the table of r / (1 + i - r) for r of 60, 70, 80, 90%.
    np.testing.assert_allclose(margin_multiple([0.6, 0.7, 0.8, 0.9], discount_rate), published, atol=5e-3)


def test_five_year_annuity_overstates_by_44_percent():
    # Gupta, Lehmann & Stuart (2004), footnote 2: 360 against 250.
    annuity = present_value(np.full(5, 100.0), np.arange(1, 6), 0.12)
    assert annuity == pytest.approx(360, abs=0.5)
    assert annuity / (100 * margin_multiple(0.8, 0.12)) == pytest.approx(1.44, abs=5e-3)


@given(retention=st.floats(0, 0.95), discount_rate=st.floats(0, 1))
def test_timings_differ_by_one_payment_or_one_period(retention, discount_rate):
    now, later, end = (
        margin_multiple(retention, discount_rate, timing=timing) for timing in ("immediate", "no_first_payment", "end")
    )
    assert now == pytest.approx(1 + later, rel=1e-13)
    assert now == pytest.approx(end * (1 + discount_rate), rel=1e-13)
    payments = retention ** np.arange(1000.0) * (1 + discount_rate) ** -np.arange(1.0, 1001.0)
    assert end == pytest.approx(payments.sum(), rel=1e-12)


def test_worksheet_matches_the_five_year_example():
    # The brief's worksheet: ACV 50,000, +15% a year, margin 82%, service cost 6,000, 12%.
    sheet = worksheet(50_000, 0.15, 0.82, 6_000, 0.12, 5)
    # Year 3 is 48,222.5 to the cent, printed 48,222.
    np.testing.assert_allclose(sheet.profit, [35_000, 41_150, 48_222, 56_356, 65_709], rtol=0, atol=0.501)
    np.testing.assert_allclose(sheet.present_value, [31_250, 32_805, 34_324, 35_815, 37_285], rtol=0, atol=0.501)
    assert round(sheet.total_present_value) == 171_479
    assert round(sheet.total_revenue) == 337_119
    assert sheet.total_profit == pytest.approx(sheet.profit.sum(), rel=1e-15)


def test_worksheet_with_82_percent_retention():
    # The same worksheet with S(t-1) = 0.82^(t-1): 117,834.
    sheet = worksheet(50_000, 0.15, 0.82, 6_000, 0.12, 5, retention=0.82, cac=14_000)
    assert round(sheet.total_present_value) == 117_834
    assert sheet.value_net == pytest.approx(sheet.total_present_value - 14_000, rel=1e-15)
    np.testing.assert_allclose(sheet.survival, 0.82 ** np.arange(5), rtol=1e-14)


@pytest.mark.parametrize("retention", [[0.82] * 4, [0.82] * 5, [0.82] * 4 + [0.0]])
def test_worksheet_takes_a_rate_for_each_renewal(retention):
    sheet = worksheet(50_000, 0.15, 0.82, 6_000, 0.12, 5, retention=retention)
    assert round(sheet.total_present_value) == 117_834


def test_worksheet_uses_each_rate_in_its_year():
    sheet = worksheet(100, 0, 1, 0, 0, 3, retention=[0.5, 0.2])
    np.testing.assert_allclose(sheet.present_value, [100, 50, 10], rtol=1e-15)


@given(churn=rate, growth=st.floats(-0.5, 0.3), discount_rate=st.floats(0.05, 0.5))
def test_long_worksheet_without_service_cost_is_the_closed_form(churn, growth, discount_rate):
    kept = (1 - churn) * (1 + growth) / (1 + discount_rate)
    if kept < 0.97:
        sheet = worksheet(100, growth, 0.8, 0, discount_rate, 1500, retention=1 - churn)
        expected = 80 / (1 + discount_rate) / (1 - kept)
        assert sheet.total_present_value == pytest.approx(expected, rel=1e-10)


def test_worksheet_broadcasts_over_accounts():
    both = worksheet([50_000, 20_000], 0.15, 0.82, 6_000, 0.12, 5, retention=[[0.82], [0.7]], cac=[1, 2])
    single = worksheet(20_000, 0.15, 0.82, 6_000, 0.12, 5, retention=0.7, cac=2)
    assert both.present_value.shape == both.service_cost.shape == both.discount_factor.shape == (2, 5)
    np.testing.assert_allclose(both.value_net[1], single.value_net, rtol=1e-14)
    assert type(single.total_present_value) is float
    assert worksheet(100, 0.1, 1, 0, 0, 1, retention=0.5).total_present_value == 100


def test_worksheet_is_frozen():
    with pytest.raises(AttributeError):
        worksheet(100, 0, 1, 0, 0, 2).cac = 3


@pytest.mark.parametrize(
    ("call", "columns"),
    [
        (lambda **k: cltv_basic(100, 0.8, [0, 0.2], **k), [np.nan, 400]),
        (lambda **k: cltv_with_expansion(100, 1, 0.2, [0.2, 0.1], **k), [np.nan, 1000]),
        (lambda **k: cltv_with_expansion(100, 1, 0.5, [1.0, 0.5], exact=True, **k), [np.nan, 400]),
        (lambda **k: cltv_skok(100, 1, [0, 0.5], 0.0, **k), [np.nan, 200]),
        (lambda **k: margin_multiple([1, 0.5], 0, **k), [np.nan, 1]),
    ],
)
def test_infinite_values_raise_or_are_nan(call, columns):
    with pytest.raises(AssumptionError, match=r"\(1 of 2 values\)"):
        call()
    np.testing.assert_allclose(call(on_undefined="nan"), columns, rtol=1e-14)


def test_missing_inputs_raise_or_stay_missing():
    with pytest.raises(AssumptionError, match=r"^churn is missing \(nan\) in 1 of 2"):
        cltv_basic(100, 0.8, [np.nan, 0.2])
    values = cltv_basic(100, 0.8, [np.nan, 0.2], on_undefined="nan")
    np.testing.assert_allclose(values, [np.nan, 400])
    assert type(cltv_basic(100, 0.8, 0.2)) is float


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: cltv_basic(100, 0.8, 20), "churn"),
        (lambda: cltv_basic(100, 80, 0.2), "gross_margin"),
        (lambda: cltv_basic(100, np.nan, 0.2), "gross_margin"),
        (lambda: cltv_basic(-1, 0.8, 0.2), "arpa"),
        (lambda: cltv_basic(100, 0.8, -0.2, on_undefined="nan"), "churn"),
        (lambda: cltv_with_expansion(100, 0.8, 0.2, -1.5), "expansion"),
        (lambda: cltv_skok(100, 0.8, 0.2, 0.1, 1.5), "discount_rate"),
        (lambda: margin_multiple(-0.1, 0.1), "retention"),
        (lambda: margin_multiple(0.5, -0.1), "discount_rate"),
        (lambda: worksheet(100, 0, 1, 0, 0, 0), "years"),
        (lambda: worksheet(100, 0, 1, 0, 0, 2.5), "years"),
        (lambda: worksheet(100, 0, 1, -1, 0, 2), "service_cost"),
        (lambda: worksheet(100, 0, 1, 0, -1, 2), "discount_rate"),
        (lambda: worksheet(100, 0, 1, 0, 0, 2, retention=1.1), "retention"),
        (lambda: worksheet(100, 0, 1, 0, 0, 5, retention=[0.5, 0.5]), "retention"),
        (lambda: worksheet(100, 0, 1, 0, 0, 5, cac=-1), "cac"),
    ],
)
def test_out_of_range_arguments_are_named(call, name):
    with pytest.raises(AssumptionError, match=f"^{name} "):
        call()


def test_offending_values_are_listed_up_to_five():
    with pytest.raises(AssumptionError, match=r"churn must lie in \[0, 1\]; got 2, 3, 4, 5, 6, \+2 more\."):
        cltv_basic(100, 0.8, np.arange(2, 9))


@pytest.mark.parametrize(
    "call",
    [
        lambda: margin_multiple(0.8, 0.1, timing="start"),
        lambda: cltv_skok(1, 1, 0.1, 0.1, first_increase="third"),
        lambda: cltv_basic(1, 1, 0.1, on_undefined="ignore"),
    ],
)
def test_unknown_options_are_refused(call):
    with pytest.raises(DefinitionError, match="must be one of"):
        call()
