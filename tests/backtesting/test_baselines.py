import numpy as np
import pytest

from lifeworth.backtesting.baselines import BASELINES, carried_on, held_out

DRAWS = 4000


@pytest.fixture(scope="module")
def past_and_held(constant_fit):
    """The world of constant churn, cut a year back; segment a loses 20% of its accounts, b 40%."""
    table = constant_fit().table
    held = table.frame[table.frame["bucket"] > -4].assign(ahead=1).reset_index(drop=True)
    return table.cut(4), held


def forecast(name, past_and_held):
    past, held = past_and_held
    return held_out(BASELINES[name], past, held, np.random.default_rng(1), DRAWS), past, held


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


def test_the_formula_is_a_point_at_the_trailing_churn(past_and_held):
    draws, past, held = forecast("formula", past_and_held)
    recent = past.frame[past.frame["bucket"] > -4].groupby("segment")[["at_risk", "churned"]].sum()
    churn = held["segment"].map(recent["churned"] / recent["at_risk"]).to_numpy(dtype=float)
    for measure in ("logo_retention", "revenue_retained", "nrr"):
        assert draws[measure].shape == (1, len(held))
        assert draws[measure][0] == pytest.approx(1 - churn)


def test_a_segment_without_a_cell_gets_the_blended_rate(past_and_held):
    past, held = past_and_held
    strangers = held.assign(segment="c")
    draws = held_out(BASELINES["segment_constant"], past, strangers, np.random.default_rng(1), DRAWS)
    blended = 1 - past.frame["churned"].sum() / past.frame["at_risk"].sum()
    assert draws["logo_retention"].mean() == pytest.approx(blended, abs=0.005)
    assert np.isfinite(draws["nrr"]).all()


def book_of(past):
    return past.in_force[past.in_force["accounts"] > 0].reset_index(drop=True)


@pytest.mark.parametrize("name", sorted(BASELINES))
def test_the_first_step_of_a_book_is_untouched(past_and_held, name):
    past, _ = past_and_held
    first, *_ = carried_on(BASELINES[name], past, book_of(past), 2, np.random.default_rng(1), 50)
    assert (first.logo == 1).all()
    assert (first.money == 1).all()
    assert first.step == 0


def test_a_rate_compounds_over_the_decisions_of_a_book(past_and_held):
    past, _ = past_and_held
    book = book_of(past)
    states = list(carried_on(BASELINES["segment_constant"], past, book, 3, np.random.default_rng(1), DRAWS))
    a = (book["segment"] == "a").to_numpy()
    assert [state.step for state in states] == [0, 1, 2, 3]
    for state in states:
        for share in (state.logo, state.money, state.kept):
            assert share[:, a].mean() == pytest.approx(0.8**state.step, abs=0.02)
            assert share[:, ~a].mean() == pytest.approx(0.6**state.step, abs=0.02)


def test_a_formula_carries_its_rate_without_noise(past_and_held):
    past, _ = past_and_held
    book = book_of(past)
    *_, last = carried_on(BASELINES["formula"], past, book, 2, np.random.default_rng(1), DRAWS)
    stay = np.where(book["segment"] == "a", 0.8, 0.6)
    assert last.logo == pytest.approx((stay**2)[None])
    assert last.money == pytest.approx(last.logo)
