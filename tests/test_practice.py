from dataclasses import replace

import numpy as np
import pytest

from lifeworth.errors import AssumptionError, DefinitionError
from lifeworth.practice import METHODS, Inputs, sheet

BY_NAME = {method.name: method for method in METHODS}


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
    assert BY_NAME["worksheet"].practised(x) == pytest.approx(171_479, abs=0.5)
    assert BY_NAME["worksheet"].aligned(x) == pytest.approx(117_834, abs=0.5)
    assert BY_NAME["with expansion, exact"].aligned(x) == pytest.approx(117_834, abs=0.5)


def test_aligned_readings_agree_when_nothing_expands(yearly):
    by_hand = sum(8_000 * 0.8**t / 1.1 ** (t + 1) for t in range(5))
    for name in ("ARPA x margin / churn", "with expansion, linear", "with expansion, exact", "worksheet"):
        assert BY_NAME[name].aligned(yearly) == pytest.approx(by_hand), name


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


def test_a_sheet_replaces_only_what_it_gives(yearly):
    given = sheet({"arpa": 20_000, "churn": 0.15}, yearly)
    assert BY_NAME["ARPA x margin / churn"].practised(given) == pytest.approx(106_666.67, abs=0.01)
    assert given.gross_margin == yearly.gross_margin


def test_a_sheet_with_an_unknown_number_is_refused(yearly):
    with pytest.raises(DefinitionError, match="chrun"):
        sheet({"chrun": 0.1}, yearly)
