from dataclasses import replace

import numpy as np
import pytest

from lifeworth import formulas
from lifeworth.comparison import METHODS, Inputs, Method, find_method, register_method
from lifeworth.comparison.curves import carried_on, life_table
from lifeworth.errors import AssumptionError, DefinitionError

BY_NAME = METHODS
CONSTANT = [name for name, method in METHODS.items() if not method.by_tenure and name != "worksheet"]


@pytest.fixture
def yearly() -> Inputs:
    return Inputs(
        arpa=10_000.0,
        gross_margin=0.8,
        churn=0.2,
        expansion=0.0,
        service_cost=0.0,
        discount_rate_annual=0.1,
        horizon_years=5,
        timing="end",
        months_per_period=12,
        at_risk=np.array([1000.0, 869, 743, 653, 593, 551, 517]),
        churned=np.array([131.0, 126, 90, 60, 42, 34, 26]),
    )


def test_as_practised_is_the_sheet_arithmetic(yearly):
    assert BY_NAME["ARPA x margin / churn"].practised(yearly) == pytest.approx(40_000)
    grown = replace(yearly, arpa=15_000.0, gross_margin=0.85, churn=0.15, expansion=0.10)
    assert BY_NAME["with expansion, linear"].practised(grown) == pytest.approx(255_000)
    assert BY_NAME["with expansion, exact"].practised(grown) == pytest.approx(196_153.846, abs=1e-3)


def test_worksheet_is_171_479_and_117_834_with_survival(yearly):
    # ACV 50,000 growing 15% a year, margin 82%, service cost 6,000, 12%, five years; retention 82%
    x = replace(
        yearly, arpa=50_000.0, gross_margin=0.82, expansion=0.15, service_cost=6_000.0, discount_rate_annual=0.12,
        churn=0.18,
    )  # fmt: skip
    for reading in ("practised", "aligned"):
        assert getattr(BY_NAME["worksheet"], reading)(x) == pytest.approx(171_479, abs=0.5)
        assert getattr(BY_NAME["worksheet with survival"], reading)(x) == pytest.approx(117_834, abs=0.5)
    assert BY_NAME["with expansion, exact"].aligned(x) == pytest.approx(117_834, abs=0.5)


@pytest.mark.parametrize("name", CONSTANT)
def test_aligned_readings_agree_when_nothing_expands(yearly, name):
    by_hand = sum(8_000 * 0.8**t / 1.1 ** (t + 1) for t in range(5))
    assert BY_NAME[name].aligned(yearly) == pytest.approx(by_hand)


def test_linear_aligned_serves_the_accounts_not_the_money(yearly):
    x = replace(yearly, expansion=0.05, service_cost=500.0)
    by_hand = sum((8_000 * 0.85**t - 500 * 0.8**t) / 1.1 ** (t + 1) for t in range(5))
    assert BY_NAME["with expansion, linear"].aligned(x) == pytest.approx(by_hand)


def test_start_timing_takes_the_first_payment_undiscounted(yearly):
    x = replace(yearly, timing="start")
    by_hand = sum(8_000 * 0.8**t / 1.1**t for t in range(5))
    assert BY_NAME["ARPA x margin / churn"].aligned(x) == pytest.approx(by_hand)


def test_sbg_reads_the_curve_of_fader_and_hardie(yearly):
    # Fader & Hardie (2010): DEL at alpha .668, beta 3.806 and 10% is 5.9226 payments
    assert BY_NAME["sBG point estimate"].practised(yearly) / 8_000 == pytest.approx(5.9226, abs=2e-3)
    survival = np.array([1000, 869, 743, 653, 593]) / 1000
    observed = float(np.sum(8_000 * survival / 1.1 ** np.arange(1, 6)))
    assert BY_NAME["sBG point estimate"].aligned(yearly) == pytest.approx(observed, rel=0.01)


def test_net_negative_churn_is_undefined_as_practised_and_finite_aligned(yearly):
    x = replace(yearly, churn=0.05, expansion=0.08)
    with pytest.raises(AssumptionError, match="churn"):
        BY_NAME["with expansion, linear"].practised(x)
    assert np.isfinite(BY_NAME["with expansion, linear"].aligned(x))


# --- Published numbers ---


@pytest.mark.parametrize(
    ("timing", "value"),
    [("first payment at once", 350.0), ("first payment after a renewal", 250.0), ("paid at period ends", 312.5)],
)
def test_three_timings_of_note_024(yearly, timing, value):
    """Fader & Hardie, note 024: margin 100, retention 80%, 12%."""
    x = replace(yearly, arpa=100.0, gross_margin=1.0, discount_rate_annual=0.12)
    assert BY_NAME[f"margin multiple, {timing}"].practised(x) == pytest.approx(value)


@pytest.mark.parametrize(
    ("rate", "multiples"),
    [
        (0.10, (1.20, 1.75, 2.67, 4.50)),
        (0.12, (1.15, 1.67, 2.50, 4.09)),
        (0.14, (1.11, 1.59, 2.35, 3.75)),
        (0.16, (1.07, 1.52, 2.22, 3.46)),
    ],
)
def test_margin_multiples_of_gupta_and_lehmann(yearly, rate, multiples):
    """Gupta & Lehmann (2003): retention 60, 70, 80, 90%; printed to two digits."""
    for retention, multiple in zip((0.6, 0.7, 0.8, 0.9), multiples, strict=True):
        x = replace(yearly, arpa=1.0, gross_margin=1.0, churn=1 - retention, discount_rate_annual=rate)
        found = BY_NAME["margin multiple, first payment after a renewal"].practised(x)
        assert found == pytest.approx(multiple, abs=0.0051)


def test_an_annuity_of_five_years_overstates_gupta_lehmann_and_stuart_by_44_percent(yearly):
    """Gupta, Lehmann & Stuart (2004), footnote 2: 100 a year at 12% for 1 / 20% = 5 years is 360 against 250."""
    x = replace(yearly, arpa=100.0, gross_margin=1.0, discount_rate_annual=0.12)
    annuity = BY_NAME["worksheet"].practised(x)
    assert annuity == pytest.approx(360, abs=0.5)
    assert annuity / BY_NAME["margin multiple, first payment after a renewal"].practised(x) == pytest.approx(
        1.44, abs=0.005
    )


def test_skok_with_the_increase_in_either_payment_and_discounted(yearly):
    """Skok's formula at a = 100, m = 5 a month, churn 3%; discounted at 10% / 12 a month; and at G = 22%, c = 10%."""
    monthly_d = 0.1 / 12
    x = replace(
        yearly, arpa=100.0, gross_margin=1.0, churn=0.03, expansion=0.05, months_per_period=1,
        discount_rate_annual=(1 - monthly_d) ** -12 - 1,
    )  # fmt: skip
    assert BY_NAME["Skok, increase from the second payment"].practised(x) == pytest.approx(8722.2222, abs=1e-4)
    assert BY_NAME["Skok, increase from the first payment"].practised(x) == pytest.approx(8888.8889, abs=1e-4)
    assert BY_NAME["Skok, discounted"].practised(x) == pytest.approx(5941.99637, abs=1e-5)
    y = replace(yearly, arpa=1.0, gross_margin=1.0, churn=0.1, expansion=0.22, discount_rate_annual=1 / 0.9 - 1)
    assert BY_NAME["Skok, increase from the second payment"].practised(y) == pytest.approx(29.8)
    assert BY_NAME["Skok, discounted"].practised(y) == pytest.approx(10.199446, abs=1e-6)


@pytest.fixture
def perils(yearly) -> Inputs:
    """Five yearly acquisitions of sBG(3.8, 15.2) accounts; margin 1 a year, 10% (Fader & Hardie 2010, case 1)."""
    acquired = np.array([10_000.0, 15_000, 17_500, 19_000, 20_500])
    survival = formulas.sbg_survival(np.arange(5), 3.8, 15.2)
    cohorts = [n * survival[: 5 - i] for i, n in enumerate(acquired)]
    at_risk = [sum(c[t] for c in cohorts if len(c) > t + 1) for t in range(4)]
    lost = [sum(c[t] - c[t + 1] for c in cohorts if len(c) > t + 1) for t in range(4)]
    last_lost, last_at_risk = (
        sum(c[-2] - c[-1] for c in cohorts if len(c) > 1),
        sum(c[-2] for c in cohorts if len(c) > 1),
    )
    book = np.array([c[-1] for c in cohorts])[::-1]
    return replace(
        yearly, arpa=1.0, gross_margin=1.0, churn=float(last_lost / last_at_risk), discount_rate_annual=0.1,
        at_risk=np.array(at_risk), churned=np.array(lost), book=book,
    )  # fmt: skip


def test_the_perils_of_one_retention_rate_for_the_book_in_force(perils):
    """Fader & Hardie (2010), case 1: 59,392 accounts, retention 81%; 182,292 against 207,438, 12% too low."""
    accounts = perils.book.sum()
    assert accounts == pytest.approx(59_392, abs=0.5)
    assert perils.churn == pytest.approx(1 - 0.8097838, abs=1e-6)
    naive = accounts * BY_NAME["margin multiple, first payment at once"].residual(perils)
    by_tenure = accounts * BY_NAME["sBG point estimate"].residual(perils)
    assert naive == pytest.approx(182_292, abs=0.5)
    assert by_tenure == pytest.approx(207_438, abs=0.5)
    assert 1 - naive / by_tenure == pytest.approx(0.12, abs=0.005)


def test_sbg_residual_by_tenure_is_the_published_derl(yearly):
    # alpha .668, beta 3.806, 10%: DERL of n = 1, 2, 12; the estimate from seven years is .66809, 3.8061
    for tenure, derl in ((0, 5.415), (1, 5.902), (11, 8.100)):
        x = replace(yearly, arpa=1.0, gross_margin=1.0, book=np.eye(12)[tenure])
        assert BY_NAME["sBG point estimate"].residual(x) == pytest.approx(derl, abs=3e-3)


# --- Curves ---


def test_cohort_curve_is_the_observed_retention_and_its_last_rate_for_ever(yearly):
    stay = 1 - yearly.churned / yearly.at_risk
    value, there = 0.0, 1.0
    for t in range(400):
        value += 8_000 * there / 1.1**t
        there *= stay[min(t, 6)]
    assert BY_NAME["cohort curve"].practised(yearly) == pytest.approx(value, rel=1e-12)


def test_naive_curve_counts_the_young_as_lost(yearly):
    """Half of the accounts are one year old: at risk at tenure 1 are half as many, and none of them left."""
    x = replace(yearly, at_risk=np.array([200.0, 100.0]), churned=np.array([0.0, 50.0]))
    naive, curve = BY_NAME["cohort curve, naive"], BY_NAME["cohort curve"]
    assert naive.survival(np.arange(3.0), x).tolist() == [1.0, 0.5, 0.25]
    assert curve.survival(np.arange(3.0), x).tolist() == [1.0, 1.0, 0.5]
    with pytest.raises(AssumptionError, match="late"):
        naive.practised(replace(x, at_risk=np.array([100.0, 120.0])))


def test_a_life_table_does_not_carry_on_a_handful():
    stay = life_table(np.array([100.0, 60.0, 25.0, 10.0]), np.array([10.0, 6.0, 1.0, 6.0]))
    assert stay.tolist() == pytest.approx([0.9, 0.9, 1 - 7 / 35])
    assert life_table(np.array([0.0, 50.0, 0.0, 40.0]), np.array([0.0, 5.0, 0.0, 2.0])).tolist() == [
        0.9,
        0.9,
        0.9,
        0.95,
    ]
    assert carried_on(stay, np.array([0.0, 2.0, 4.0])).tolist() == pytest.approx([1.0, 0.81, 0.81 * 0.8**2])
    with pytest.raises(AssumptionError):
        life_table(np.zeros(3), np.zeros(3))


# --- The registry ---


def test_every_method_says_what_it_assumes_and_where_it_is_from():
    for method in METHODS.values():
        assert method.assumptions
        assert method.conditions
        assert method.source


def test_an_input_that_is_not_known_is_named(yearly):
    assert "expansion" in BY_NAME["with expansion, exact"].missing(replace(yearly, expansion=np.nan))
    assert "at_risk" in BY_NAME["cohort curve"].missing(replace(yearly, at_risk=np.zeros(0)))
    assert BY_NAME["ARPA x margin / churn"].missing(replace(yearly, at_risk=np.zeros(0))) == ""


def test_a_formula_of_another_kind_of_book_says_that_it_does_not_apply(yearly):
    bought = Method(
        name="BG/NBD", practised=lambda x: 1.0, survival=lambda t, x: t, needs=("arpa", "frequency", "recency")
    )
    assert bought.missing(yearly) == "it needs frequency, recency, which is not known here."
    with pytest.raises(AssumptionError, match="frequency"):
        bought.aligned(yearly)


def test_a_name_is_taken_once():
    with pytest.raises(DefinitionError, match="worksheet"):
        register_method(METHODS["worksheet"])
    with pytest.raises(DefinitionError, match="no formula"):
        find_method("Worksheet")
