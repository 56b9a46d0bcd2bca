"""Drift over the calendar: what is expected by bucket, and where the walk goes on."""

import numpy as np
import pandas as pd
import pytest

from lifeworth.errors import DefinitionError
from lifeworth.ledger import Ledger
from lifeworth.purchases import BGBB
from lifeworth.transactional.drift import Buckets, bucket_length, expected_by_bucket, factors_ahead, observed_buckets


def draws(level=0.0, momentum=0.0, sd=0.1, extra=0.5, steps=3, n=4000):
    walk = np.zeros((n, steps))
    walk[:, -1] = level
    scalars = {"calendar_sd": sd, "calendar_momentum": momentum, "extra_variance": extra}
    return {name: np.full((n, 1), value) for name, value in scalars.items()} | {"calendar": walk}


FLAT = Buckets(np.full(4, 1e6), np.full(4, 1e6))


def test_expected_buckets_add_up_to_what_new_customers_buy_by_their_age(made_fit, held_out):
    fit = made_fit(held_out)
    theta, unit = fit.theta("purchases"), fit.unit_of(held_out.frame)
    by_bucket = expected_by_bucket(fit.model.purchases, held_out, theta, unit, np.arange(-11, 1))
    own = {name: v[:, unit] for name, v in theta.items()}
    total = fit.model.purchases.expected_new(own, held_out.history.age) @ held_out.customers
    np.testing.assert_allclose(by_bucket.sum(axis=0), total, rtol=1e-9)


def test_buckets_are_scaled_to_the_same_total_and_centred(made_fit, held_out):
    fit = made_fit(held_out)
    found = observed_buckets(fit.model.purchases, held_out, fit.index, fit.theta("purchases"))
    assert len(found.seen) == 12
    assert found.seen.sum() == pytest.approx(found.expected.sum())
    assert found.seen.sum() == 2457
    level = np.random.default_rng(1).normal(size=11) @ found.loading
    assert level @ found.weights == pytest.approx(0, abs=1e-12)


def test_the_expectation_is_the_last_level_and_momentum_carries_it_on():
    """A last step of 0.2 that repeats by half: 0.2 less its centre, then 0.1, 0.05, 0.025 more."""
    mean, _ = factors_ahead(draws(level=0.2, momentum=0.5), FLAT, 3, np.random.default_rng(1))
    last = 0.2 * 0.75
    np.testing.assert_allclose(np.log(mean[0]), last + np.cumsum([0.1, 0.05, 0.025]))


def test_not_knowing_the_level_adds_no_purchases():
    mean, drawn = factors_ahead(draws(sd=0.3), FLAT, 6, np.random.default_rng(2))
    np.testing.assert_allclose(mean, 1.0)
    error = drawn.std(axis=0) / np.sqrt(len(drawn))
    assert (np.abs(drawn.mean(axis=0) - 1) < 4 * error).all()


def test_futures_spread_with_the_square_root_of_time():
    _, drawn = factors_ahead(draws(sd=0.1), FLAT, 9, np.random.default_rng(3))
    spread = np.log(drawn).std(axis=0)
    assert spread[0] == pytest.approx(0.1, rel=0.06)
    assert spread[8] == pytest.approx(0.3, rel=0.06)


def test_the_noise_of_a_bucket_is_that_of_its_count():
    """Variance of a count over its mean is 1 + 3; what is not Poisson is 3 of it: 3 / 300 relative."""
    few = Buckets(np.full(4, 300.0), np.full(4, 300.0))
    _, drawn = factors_ahead(draws(sd=1e-6, extra=3.0), few, 2, np.random.default_rng(4))
    assert drawn.var() == pytest.approx(0.01, rel=0.08)


def test_a_bucket_is_a_whole_number_of_opportunities():
    rows = pd.DataFrame({"customer_id": ["a", "a", "b"], "date": ["2019-07-01", "2022-07-01", "2019-07-01"]})
    ledger = Ledger.from_transactions(rows.assign(amount=1.0), as_of="2024-07-01")
    assert bucket_length(BGBB(), ledger.purchase_table(calendar="year")) == 1
    assert bucket_length(BGBB(opportunities_per_year=4.0), ledger.purchase_table(calendar="year")) == 4
    with pytest.raises(DefinitionError, match="another `calendar`"):
        bucket_length(BGBB(), ledger.purchase_table(calendar="quarter"))
