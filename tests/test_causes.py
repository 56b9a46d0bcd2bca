"""Why accounts leave: shares from counts, and losses that add up to all that is lost."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import lifeworth as lw
from lifeworth.causes import cause_shares
from lifeworth.errors import DataError
from lifeworth.phases import phase

TERMS = lw.Economics(gross_margin=0.5, discount_rate_annual=0.1, horizon_years=3)


@pytest.fixture(scope="module")
def table(constant_spells):
    """The constant world, where of every four that leave three leave for the price."""
    left = constant_spells["end"].notna()
    why = np.where(np.arange(len(constant_spells)) % 4 < 3, "price", "product")
    frame = constant_spells.assign(why=pd.Series(why).where(left))
    ledger = lw.Ledger.from_spells(frame, as_of="2024-12-31", amount_per="year", cause="why")
    return ledger.cohort_table(period="year", cohort="year", by=["segment"])


@pytest.fixture(scope="module")
def value(table, constant_fit):
    return lw.value(replace(constant_fit(), table=table), TERMS)


def test_shares_are_those_of_the_counts(table):
    shares = cause_shares(table, 4000, seed=1)
    assert shares.shape == (4000, 3, 3, 2)
    np.testing.assert_allclose(shares.sum(axis=-1), 1.0, rtol=1e-12)
    counts = table.frame[["churned_price", "churned_product"]].sum()
    assert shares[:, :2].mean(axis=(0, 1))[2, 0] == pytest.approx(counts.iloc[0] / counts.sum(), abs=0.01)


def test_a_thin_segment_is_held_near_the_others(table):
    """The unseen segment has the weight of two losses, spread as over the table: its mean is theirs, its band wide."""
    shares = cause_shares(table, 20_000, seed=1)[:, 2, 2, 0]
    assert shares.mean() == pytest.approx(0.75, abs=0.02)
    assert shares.std() > 5 * cause_shares(table, 2000, seed=1)[:, 0, 2, 0].std()


@pytest.mark.parametrize(("period", "expected"), [("month", [0, 0, 1, 1, 2]), ("year", [0, 2, 2, 2, 2])])
def test_phases_are_onboarding_first_year_and_later(constant_ledger, period, expected):
    table = constant_ledger.cohort_table(period=period)
    at = np.array([0, 2, 3, 11, 12]) if period == "month" else np.arange(5)
    assert phase(at, table.months_per_period).tolist() == expected


def test_losses_are_what_all_would_bring_less_what_is_expected(value):
    """Segment a: 1,000 a year, half of it margin; three months to go to the first of three anniversaries."""
    lost = lw.lost_by_cause(value).set_index(["segment", "cause"])["lost"]
    residual = value.sample("total_residual", segment="a").mean()
    accounts = (
        value.draws["accounts_in_force"].to_numpy()[[tuple(r) == ("all", "a") for r in value.rows().to_numpy()]].item()
    )
    left = 3 / 12  # months to the next anniversary, whole months of a tenure of twelve
    payments = 500 * accounts * sum(1.1 ** -(left + k) for k in range(3))
    assert lost["a", "all"] + residual == pytest.approx(payments, rel=1e-9)


def test_causes_add_up_and_segments_add_up(value):
    table = lw.lost_by_cause(value)
    lost = table.pivot_table(index="segment", columns="cause", values="lost")
    np.testing.assert_allclose(lost["price"] + lost["product"], lost["all"], rtol=1e-12)
    np.testing.assert_allclose(lost.loc["a"] + lost.loc["b"], lost.loc["all"], rtol=1e-12)
    assert lost.loc["all", "price"] / lost.loc["all", "all"] == pytest.approx(0.75, abs=0.02)
    single = table[table["cause"] != "all"]
    assert (single["low"] < single["lost"]).all()
    assert (single["lost"] < single["high"]).all()


def test_a_table_without_causes_is_refused(constant_fit):
    with pytest.raises(DataError, match="knows no causes"):
        lw.lost_by_cause(lw.value(constant_fit(), TERMS))
