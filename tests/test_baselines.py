import numpy as np
import pytest

from lifeworth.baselines import BASELINES

DRAWS = 4000


@pytest.fixture(scope="module")
def past_and_held(constant_fit):
    """The world of constant churn, cut a year back; segment a loses 20% of its accounts, b 40%."""
    table = constant_fit().table
    held = table.frame[table.frame["bucket"] > -4].assign(ahead=1).reset_index(drop=True)
    return table.cut(4), held


def forecast(name, past_and_held):
    past, held = past_and_held
    return BASELINES[name](past, held, np.random.default_rng(1), DRAWS), past, held


@pytest.mark.parametrize("name", ["segment_constant", "last_bucket"])
def test_segment_rates_are_carried_forward(name, past_and_held):
    if name == "last_bucket":
        past, held = past_and_held
        past_and_held = past.cut(3), held  # renewals fall in one quarter of the year: cut to it
    draws, _, held = forecast(name, past_and_held)
    a = (held["segment"] == "a").to_numpy()
    for measure in ("logo_retention", "revenue_retained", "nrr"):
        assert draws[measure][:, a].mean() == pytest.approx(0.8, abs=0.01)
        assert draws[measure][:, ~a].mean() == pytest.approx(0.6, abs=0.01)


def test_the_blended_constant_is_the_pooled_rate(past_and_held):
    draws, past, _ = forecast("constant", past_and_held)
    pooled = 1 - past.frame["churned"].sum() / past.frame["at_risk"].sum()
    assert draws["logo_retention"].mean() == pytest.approx(pooled, abs=0.005)
    money = 1 - past.frame["churned_amount"].sum() / past.frame["opening"].sum()
    assert draws["revenue_retained"].mean() == pytest.approx(money, abs=0.005)


def test_the_tenure_curve_carries_its_last_rate_on(past_and_held):
    draws, past, held = forecast("tenure_curve", past_and_held)
    top = past.frame["tenure"].max()
    assert (held["tenure"] > top).any()
    last = past.frame[past.frame["tenure"] == top]
    rate = 1 - last["churned"].sum() / last["at_risk"].sum()
    beyond = (held["tenure"] > top).to_numpy()
    assert draws["logo_retention"][:, beyond].mean() == pytest.approx(rate, abs=0.02)


def test_the_spread_is_that_of_a_sample_and_of_its_rate(past_and_held):
    draws, past, held = forecast("constant", past_and_held)
    n, observed = held["at_risk"].to_numpy(dtype=float), past.frame["at_risk"].sum()
    rate = past.frame["churned"].sum() / observed
    exact = np.sqrt(rate * (1 - rate) * (1 / n + 1 / observed))
    assert draws["logo_retention"].std(axis=0) == pytest.approx(exact, rel=0.06)
