import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from lifeworth.scores import crps, scored, unit_totals


def test_crps_of_a_point_is_its_absolute_error():
    assert crps(np.full((50, 2), 0.7), np.array([0.5, 0.9])) == pytest.approx([0.2, 0.2])


def test_crps_of_a_normal_sample_matches_its_closed_form():
    # Gneiting & Raftery (2007), eq. 21: for N(0, 1) at y, y(2 Phi(y) - 1) + 2 phi(y) - 1/sqrt(pi)
    y = 0.4
    exact = y * (2 * special.ndtr(y) - 1) + 2 * stats.norm.pdf(y) - 1 / np.sqrt(np.pi)
    quantiles = stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    assert crps(quantiles[:, None], np.array([y]))[0] == pytest.approx(exact, abs=2e-4)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=2, max_size=20), st.floats(-5, 5))
def test_crps_equals_the_sum_over_all_pairs(draws, y):
    x = np.array(draws)
    pairs = np.abs(x - y).mean() - np.abs(x[:, None] - x[None]).mean() / 2
    assert crps(x[:, None], np.array([y]))[0] == pytest.approx(pairs, abs=1e-12)


@pytest.fixture
def held() -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "segment": ["a", "a", "b"],
            "ahead": [1, 1, 1],
            "at_risk": [10, 30, 60],
            "churned": [1, 3, 30],
            "opening": [100.0, 300.0, 600.0],
            "churned_amount": [10.0, 30.0, 300.0],
            "expansion": [0.0, 40.0, 0.0],
            "contraction": [0.0, 0.0, 60.0],
        }
    )
    closing = frame["opening"] + frame["expansion"] - frame["contraction"] - frame["churned_amount"]
    return frame.assign(closing=closing)


def test_draws_are_summed_over_cells_before_they_are_summarised(held):
    draws = {"logo_retention": np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5]])}
    rows = scored(draws, unit_totals(held, ("segment",)), ("segment",)).set_index("segment")
    # segment a: 10 of 40 or 30 of 40 stay; in total 10 + 30 or 30 + 30 of 100
    assert rows.loc["a", ["p05", "p95"]].tolist() == pytest.approx([0.25 + 0.05 * 0.5, 0.75 - 0.05 * 0.5])
    assert rows.loc["all", "mean"] == pytest.approx(0.5)
    assert rows.loc["a", "observed"] == pytest.approx(36 / 40)
    assert rows.loc["all", "observed"] == pytest.approx(66 / 100)


def test_observed_money_is_kept_and_closing_over_opening(held):
    draws = {name: np.full((2, 3), 0.5) for name in ("revenue_retained", "nrr")}
    rows = scored(draws, unit_totals(held, ("segment",)), ("segment",)).set_index(["segment", "measure"])
    assert rows.loc[("a", "revenue_retained"), "observed"] == pytest.approx(360 / 400)
    assert rows.loc[("a", "nrr"), "observed"] == pytest.approx(400 / 400)
    assert rows.loc[("b", "nrr"), "observed"] == pytest.approx(240 / 600)
