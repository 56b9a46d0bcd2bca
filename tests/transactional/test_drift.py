"""Drift over the calendar: what is expected by bucket, and where the walk goes on."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lifeworth.errors import DefinitionError
from lifeworth.ledger import Ledger
from lifeworth.purchases import BGBB
from lifeworth.transactional.buckets import bucket_length, expected_by_bucket, observed_buckets
from lifeworth.transactional.drift import Buckets, draw_path, drift_parameters, factors_ahead, log_likelihood


def draws(level=0.0, last=0.0, share=0.5, sd=0.1, noise=0.01, n=4000):
    deviations = np.zeros((n, 4))
    deviations[:, -1] = last
    sizes = {"calendar_sd": sd, "calendar_persistence": share, "bucket_noise": noise, "calendar_level": level}
    return {name: np.full((n, 1), value) for name, value in sizes.items()} | {"calendar": deviations}


FLAT = Buckets(np.full(4, 1e6), np.full(4, 1e6), per_year=1)


def test_expected_buckets_add_up_to_what_new_customers_buy_by_their_age(made_fit, held_out):
    fit = made_fit(held_out)
    theta, unit = fit.theta("purchases"), fit.unit_of(held_out.frame)
    by_bucket = expected_by_bucket(fit.model.purchases, held_out, theta, unit, np.arange(-9, 1))
    own = {name: v[:, unit] for name, v in theta.items()}
    total = fit.model.purchases.expected_new(own, held_out.history.age) @ held_out.customers
    np.testing.assert_allclose(by_bucket.sum(axis=0), total, rtol=1e-9)


def test_expected_buckets_are_those_that_happened_at_the_published_fit(made_fit, held_out):
    fit = made_fit(held_out)
    found = observed_buckets(fit.model.purchases, held_out, fit.index, fit.theta("purchases"))
    assert len(found.seen) == 10
    assert (found.expected > 0).all()
    assert found.seen.sum() == pytest.approx(found.expected.sum(), rel=0.02)
    assert found.seen.sum() == 2457


def test_the_last_deviation_dies_away_and_the_level_stays():
    """0.2 above a level of 0.1, half of it left after each bucket; sd next to nothing."""
    mean, _ = factors_ahead(draws(level=0.1, last=0.2, sd=1e-9, noise=1e-9), FLAT, 3, np.random.default_rng(1))
    np.testing.assert_allclose(np.log(mean[0]), 0.1 + np.array([0.1, 0.05, 0.025]))


def test_the_expectation_is_the_mean_of_the_futures():
    mean, drawn = factors_ahead(draws(sd=0.3, noise=0.2), FLAT, 6, np.random.default_rng(2))
    error = drawn.std(axis=0) / np.sqrt(len(drawn))
    assert (np.abs(drawn.mean(axis=0) - mean[0]) < 4 * error).all()


def test_futures_spread_to_the_size_that_lasts():
    """Half of each innovation of 0.1 is left: sd 0.1 a bucket ahead, 0.1 / sqrt(1 - 1/4) far ahead."""
    _, drawn = factors_ahead(draws(sd=0.1), FLAT, 9, np.random.default_rng(3))
    spread = np.log(drawn).std(axis=0)
    assert spread[0] == pytest.approx(0.1, rel=0.06)
    assert spread[8] == pytest.approx(0.1155, rel=0.06)


def test_the_noise_of_a_bucket_comes_back_in_each_future():
    _, drawn = factors_ahead(draws(sd=1e-6, noise=0.1), FLAT, 2, np.random.default_rng(4))
    assert drawn.var() == pytest.approx(0.01, rel=0.08)
    assert np.corrcoef(drawn.T)[0, 1] == pytest.approx(0, abs=0.06)


def test_times_of_year_are_told_apart_after_the_first_year():
    def seasons(buckets, per_year):
        return Buckets(np.ones(buckets), np.ones(buckets), per_year).seasons

    assert [seasons(buckets, 4) for buckets in (3, 4, 5)] == [0, 0, 4]
    assert [seasons(buckets, 13) for buckets in (13, 14)] == [0, 13]
    assert seasons(16, 1) == 0


def test_the_season_goes_on_where_it_stands():
    """Buckets of quarters: position 0 is the last one before as_of, so the first ahead is 1 and the fourth 0."""
    quarters = Buckets(np.full(8, 1e6), np.full(8, 1e6), per_year=4)
    np.testing.assert_array_equal(quarters.time_of_year, [1, 2, 3, 0, 1, 2, 3, 0])
    theta = draws(sd=1e-6) | {"season": np.tile([0.3, -0.1, -0.2, 0.0], (4000, 1))}
    mean, drawn = factors_ahead(theta, quarters, 6, np.random.default_rng(5))
    np.testing.assert_allclose(np.log(mean[0]), [-0.1, -0.2, 0.0, 0.3, -0.1, -0.2], atol=1e-4)
    np.testing.assert_allclose(drawn.mean(axis=0), mean[0], rtol=2e-3)


def test_a_bucket_is_a_whole_number_of_opportunities():
    rows = pd.DataFrame({"customer_id": ["a", "a", "b"], "date": ["2019-07-01", "2022-07-01", "2019-07-01"]})
    ledger = Ledger.from_transactions(rows.assign(amount=1.0), as_of="2024-07-01")
    assert bucket_length(BGBB(), ledger.purchase_table(calendar="year")) == 1
    assert bucket_length(BGBB(opportunities_per_year=4.0), ledger.purchase_table(calendar="year")) == 4
    with pytest.raises(DefinitionError, match="another `calendar`"):
        bucket_length(BGBB(), ledger.purchase_table(calendar="quarter"))


SIZES = {"calendar_sd": 0.2, "calendar_persistence": 0.6, "bucket_noise": 0.1, "season_sd": 0.3}


def sizes(n=1, **given):
    return {name: np.full((n, 1), value) for name, value in (SIZES | given).items()}


def test_the_likelihood_is_that_of_what_the_law_simulates():
    """Moments of log ratios simulated step by step, against the density at a covariance that is worked out."""
    rng, n = np.random.default_rng(1), 200_000
    buckets = Buckets(np.array([90.0, 120.0, 100.0]), np.array([100.0, 100.0, 110.0]), per_year=2)
    location, sd = buckets.prior_level
    path = [0.2 / np.sqrt(1 - 0.36) * rng.standard_normal(n)]
    for _ in range(2):
        path.append(0.6 * path[-1] + 0.2 * rng.standard_normal(n))
    season = 0.3 * rng.standard_normal((n, 2))
    season -= season.mean(axis=1, keepdims=True)
    alone = np.sqrt(0.1**2 + 1 / (buckets.seen + 0.5)) * rng.standard_normal((n, 3))
    every = (location + sd * rng.standard_normal(n))[:, None] + np.column_stack(path) + season[:, [0, 1, 0]] + alone
    at = np.log((buckets.seen + 0.5) / buckets.expected)
    law = stats.multivariate_normal(every.mean(axis=0), np.cov(every.T))
    found = log_likelihood(sizes(), buckets)[0] - 1.5 * np.log(2 * np.pi)
    assert found == pytest.approx(law.logpdf(at), abs=0.03)


def test_the_path_goes_through_what_was_seen_where_nothing_is_noise():
    rng = np.random.default_rng(2)
    expected = np.full(9, 1e9)
    buckets = Buckets(expected * np.exp(rng.normal(0, 0.2, 9)), expected, per_year=4)
    path = draw_path(sizes(50, bucket_noise=1e-5), buckets, rng)
    fitted = path["calendar_level"] + path["calendar"] + path["season"][:, buckets.time_of_year]
    np.testing.assert_allclose(fitted, np.tile(np.log(buckets.seen / expected), (50, 1)), atol=1e-3)
    np.testing.assert_allclose(path["season"].sum(axis=1), 0, atol=1e-12)


def test_the_path_without_data_is_the_prior():
    """Noise of 3,000%: deviations of any bucket have the variance that lasts, 0.04 / (1 - 0.36)."""
    nothing = Buckets(np.full(6, 5.0), np.full(6, 5.0), per_year=1)
    given = {name: v for name, v in sizes(20_000, bucket_noise=30.0).items() if name != "season_sd"}
    path = draw_path(given, nothing, np.random.default_rng(3))
    np.testing.assert_allclose(path["calendar"].var(axis=0), 0.0625, rtol=0.05)
    assert np.corrcoef(path["calendar"][:, :2].T)[0, 1] == pytest.approx(0.6, abs=0.02)
    assert path["calendar_level"].std() == pytest.approx(nothing.prior_level[1], rel=0.05)
    assert "season" not in path


@pytest.mark.parametrize("seasons", [0, 13])
def test_every_parameter_is_drawn(seasons):
    names = {p.name for p in drift_parameters(20, 13, seasons)}
    buckets = Buckets(np.full(20, 50.0), np.full(20, 50.0), per_year=13 if seasons else 1)
    given = {name: v for name, v in sizes(3).items() if name in names}
    assert given.keys() | draw_path(given, buckets, np.random.default_rng(4)).keys() == names
