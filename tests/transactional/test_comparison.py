"""lifetimes against the posterior: its own numbers, and a gap whose steps add up."""

from dataclasses import replace

import pandas as pd
import pytest

import lifeworth as lw
from lifeworth.errors import DefinitionError
from lifeworth.ledger.datasets import cdnow
from lifeworth.point_estimates import _lifetimes

TERMS = lw.Economics(gross_margin=0.5, discount_rate_annual=0.10, horizon_years=2)


@pytest.fixture(scope="module")
def comparison(made_fit, held_out):
    return lw.compare_purchases(lw.value_purchases(made_fit(held_out, level=0.1), TERMS))


def test_as_practised_is_what_lifetimes_says(comparison):
    """Its fitters and its customer_lifetime_value on customers in days, at the monthly rate of 10% a year."""
    rows = cdnow(sample=True).transactions
    rows = rows[rows["date"] <= "1997-09-30"]
    days = rows.groupby(["customer_id", "date"])["amount"].sum().reset_index()
    known = days.groupby("customer_id")["date"].agg(["min", "max", "size"])
    repeat = days[days["date"] > days.groupby("customer_id")["date"].transform("min")]
    mean = repeat.groupby("customer_id")["amount"].mean().reindex(known.index, fill_value=0.0)
    x = (known["size"] - 1).astype(float)
    t, age = (known["max"] - known["min"]).dt.days, (pd.Timestamp("1997-09-30") - known["min"]).dt.days
    with _lifetimes() as library:
        bought = library.BetaGeoFitter().fit(x, t, age)
        paid = library.GammaGammaFitter().fit(x[mean > 0], mean[mean > 0])
        rate = 1.10 ** (1 / 12) - 1
        worth = paid.customer_lifetime_value(bought, x, t, age, mean, time=24, discount_rate=rate, freq="D")
        no_pay = (x > 0) & (mean <= 0)  # lifetimes reads their mean of zero as spend; here nothing is known of it
    total = worth[~no_pay].sum() * 0.5
    assert no_pay.sum() <= 5
    assert comparison.steps["amount"].iloc[0] == pytest.approx(total, rel=4e-3)


def test_the_steps_add_up_to_the_posterior_mean(comparison):
    steps = comparison.steps
    assert steps["change"].sum() == pytest.approx(steps["amount"].iloc[-1], rel=1e-12)
    assert steps["amount"].iloc[-1] == pytest.approx(comparison.value.sample("total_residual").mean(), rel=1e-12)
    assert steps["step"].tolist() == [
        "as practised", "360-day year", "monthly discounting", "whole months", "point to posterior",
        "spend uncertainty", "drift",
    ]  # fmt: skip


def test_each_step_goes_the_way_it_must(comparison):
    change = comparison.steps.set_index("step")["change"]
    assert change["360-day year"] > 0  # five more days a year
    assert change["monthly discounting"] > 0  # paid half a month sooner
    assert change["whole months"] == 0
    assert change["drift"] > 0  # the last level is above the mean


def test_part_of_a_month_is_a_step_of_its_own(made_fit, held_out):
    odd = replace(TERMS, horizon_years=2 + 1 / 24)
    found = lw.compare_purchases(lw.value_purchases(made_fit(held_out, drift=False), odd)).steps.set_index("step")
    assert found["change"]["whole months"] > 0
    assert found["change"]["drift"] == pytest.approx(0, abs=1e-6)


def test_parameters_stand_beside_the_posterior(comparison):
    frame = comparison.parameters.set_index("parameter")
    assert frame.loc["dropout", "estimate"] == pytest.approx(0.2463, abs=2e-3)
    assert frame.loc["mean_spend", "estimate"] == pytest.approx(35.17, abs=0.2)
    summary = comparison.summary().iloc[0]
    assert summary["estimate"] == comparison.steps["amount"].iloc[0]
    assert "against the posterior mean" in summary["verdict"]


def test_what_lifetimes_cannot_value_is_refused(made_fit, held_out):
    value = lw.value_purchases(made_fit(held_out), replace(TERMS, price_increase_annual=0.02))
    with pytest.raises(DefinitionError, match="no price increase"):
        lw.compare_purchases(value)
