import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from lifeworth.backtesting.scores import clustered_share, crps, forecast_row, inside, pit, scored, unit_totals
from lifeworth.errors import DefinitionError


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
    rows = scored(draws, unit_totals(held, ("segment",))).set_index("segment")
    # segment a: 10 of 40 or 30 of 40 stay; in total 10 + 30 or 30 + 30 of 100
    assert rows.loc["a", ["p05", "p95"]].tolist() == pytest.approx([0.25 + 0.05 * 0.5, 0.75 - 0.05 * 0.5])
    assert rows.loc["all", "mean"] == pytest.approx(0.5)
    assert rows.loc["a", "observed"] == pytest.approx(36 / 40)
    assert rows.loc["all", "observed"] == pytest.approx(66 / 100)


def test_observed_money_is_kept_and_closing_over_opening(held):
    draws = {name: np.full((2, 3), 0.5) for name in ("revenue_retained", "nrr")}
    rows = scored(draws, unit_totals(held, ("segment",))).set_index(["segment", "measure"])
    assert rows.loc[("a", "revenue_retained"), "observed"] == pytest.approx(360 / 400)
    assert rows.loc[("a", "nrr"), "observed"] == pytest.approx(400 / 400)
    assert rows.loc[("b", "nrr"), "observed"] == pytest.approx(240 / 600)


def test_pit_of_a_calibrated_forecast_is_uniform():
    rng = np.random.default_rng(2)
    values = pit(rng.normal(size=(2000, 1000)), rng.normal(size=1000))
    assert stats.kstest(values, "uniform").pvalue > 0.01


def test_pit_counts_a_tie_half():
    assert pit(np.full((4, 1), 2.0), np.array([2.0])) == pytest.approx([0.5])
    assert pit(np.full((4, 1), 2.0), np.array([1.0])) == pytest.approx([0.0])


def test_a_forecast_row_holds_every_band_from_the_inside_out():
    row = forecast_row(np.arange(1001.0), 400.0)
    order = ["p025", "p05", "p10", "p25", "p50", "p75", "p90", "p95", "p975"]
    assert [row[name] for name in order] == pytest.approx([25, 50, 100, 250, 500, 750, 900, 950, 975])
    assert row["pit"] == pytest.approx(400.5 / 1001)
    units = pd.DataFrame([row, row | {"observed": 30.0}, row | {"observed": 990.0}])
    assert [inside(units, p).tolist() for p in (0.5, 0.8, 0.9, 0.95)] == [
        [True, False, False],
        [True, False, False],
        [True, False, False],
        [True, True, False],
    ]


def test_a_band_that_is_not_kept_is_refused():
    with pytest.raises(DefinitionError, match=r"use one of 0.5, 0.8, 0.9, 0.95"):
        inside(pd.DataFrame(), 0.7)


def test_clusters_of_one_are_independent_units():
    hits = np.random.default_rng(1).random(400) < 0.8
    share, se, low, high = clustered_share(hits, np.arange(400))
    assert se == pytest.approx(np.sqrt(share * (1 - share) / 400), rel=0.01)
    exact = stats.binomtest(int(hits.sum()), 400).proportion_ci(0.95)
    assert (low, high) == pytest.approx(exact, abs=0.002)


def test_units_that_are_hit_as_one_are_worth_one():
    hits = np.repeat(np.array([True, True, True, True, False]), 20)
    share, se, low, high = clustered_share(hits, np.repeat(np.arange(5), 20))
    assert share == pytest.approx(0.8)
    assert se == pytest.approx(np.sqrt(0.8 * 0.2 / 4))
    assert low < 0.25
    assert high > 0.99


@pytest.mark.parametrize("hit", [True, False])
def test_all_or_none_inside_is_as_sure_as_there_are_clusters(hit):
    share, _, low, high = clustered_share(np.full(60, hit), np.repeat(np.arange(6), 10))
    exact = stats.binomtest(6 * hit, 6).proportion_ci(0.95)
    assert share == float(hit)
    assert (low, high) == pytest.approx(tuple(exact))


def test_the_clustered_interval_covers():
    """Twelve periods, each of ten units that share a random chance of 80% on average."""
    rng, held = np.random.default_rng(3), 0
    clusters = np.repeat(np.arange(12), 10)
    for _ in range(300):
        chance = rng.beta(1.6, 0.4, size=12)
        _, _, low, high = clustered_share(rng.random(120) < np.repeat(chance, 10), clusters)
        held += low <= 0.8 <= high
    assert held / 300 > 0.9
