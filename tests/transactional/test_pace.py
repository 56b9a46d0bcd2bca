"""Histories read at the pace of the purchases: a drift that is planted is found, and is not counted twice."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import lifeworth as lw
from lifeworth.bayes.mode import posterior_mode
from lifeworth.errors import DefinitionError, ShortHistoryWarning
from lifeworth.ledger import Ledger
from lifeworth.purchase_fitting import PurchaseJob
from lifeworth.purchases import BGBB, BGNBD
from lifeworth.transactional.checks import purchase_notes
from lifeworth.transactional.drift import Buckets
from lifeworth.transactional.model import CustomerIndex, TransactionalModel, histories

TRUTH = {"purchase_rate": 4.0, "rate_variation": 1.0, "dropout": 0.8 / 4.8, "dropout_polarization": 1 / 5.8}


def world(factor, years, customers=6000, seed=1):
    """Customers won over three years whose purchases go at another pace from so many years before as_of on."""
    rng = np.random.default_rng(seed)
    start = rng.uniform(0, 3, customers)
    switch = 3 - years

    def read(time):
        return np.where(time < switch, time, switch + factor * (time - switch))

    def calendar(clock):
        return np.where(clock < switch, clock, switch + (clock - switch) / factor)

    rate = rng.gamma(1.0, 4.0, customers)
    lasts = rng.geometric(rng.beta(0.8, 4.0, customers).clip(1e-6))
    gaps = rng.exponential(1 / rate[:, None], (customers, 120))
    times = calendar(read(start)[:, None] + np.cumsum(gaps, axis=1))
    made = (times < 3) & (np.arange(1, 121) <= lasts[:, None])
    who, k = np.nonzero(made)
    days = np.floor(np.concatenate([start, times[who, k]]) * 365.25)
    frame = pd.DataFrame({"customer_id": np.concatenate([np.arange(customers), who]).astype(str), "amount": 10.0})
    frame["date"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(days, unit="D")
    ledger = Ledger.from_transactions(frame, as_of="2022-12-31")
    return ledger.purchase_table(grid="week", cohort="year", calendar="quarter")


def job_of(table, law=BGNBD(), **model):
    made = TransactionalModel(law, None, pooling="complete", **model)
    return PurchaseJob(table, CustomerIndex.of(table, made), made, 1, lw.SamplerOptions(draws=500, chains=2))


def mode(job, read):
    history, law = histories(job.model.purchases, job.table, read), job.model.purchases
    parameters = job.model.parameters("purchases", job.index.shape)
    found, _ = posterior_mode(parameters, lambda t: float(law.log_likelihood(history, t)[0] @ job.table.customers))
    return {name: v.item() for name, v in found.items()}


@pytest.mark.parametrize(("factor", "years"), [(0.7, 1.0), (1.4, 1.0)])
def test_a_planted_pace_is_found_and_with_it_the_dropout(factor, years):
    job = job_of(world(factor, years))
    read = job.settled()
    later = slice(-int(4 * years), None)
    assert read.pace[later].mean() / read.pace[: later.start].mean() == pytest.approx(factor, rel=0.05)
    naive, paced = (mode(job, r)["dropout"] for r in (None, read))
    assert abs(paced - TRUTH["dropout"]) < abs(naive - TRUTH["dropout"])
    assert paced == pytest.approx(TRUTH["dropout"], rel=0.12)


def test_where_nothing_drifts_the_pace_is_one():
    job = job_of(world(1.0, 1.0))
    read = job.settled()
    np.testing.assert_allclose(read.pace, 1.0, atol=0.06)
    plain, paced = (mode(job, r) for r in (None, read))
    for name, true in TRUTH.items():
        assert plain[name] == pytest.approx(true, rel=0.15), name
        assert paced[name] == pytest.approx(plain[name], rel=0.06), name


def test_time_is_read_at_the_pace_of_its_buckets():
    """Half a year at 0.5 before a quarter at 2, buckets of a quarter: 0.1 years ago is 0.2, 0.3 is 0.525, 1 is 1."""
    buckets = Buckets(np.ones(3), np.ones(3), 4, length=0.25, pace=np.array([0.5, 0.5, 2.0]))
    np.testing.assert_allclose(
        buckets.elapsed(np.array([0.0, 0.1, 0.25, 0.3, 0.75, 1.0])), [0, 0.2, 0.5, 0.525, 0.75, 1]
    )
    assert replace(buckets, pace=None).elapsed(0.3) == 0.3


def test_buckets_begin_where_purchases_are_expected(made_fit):
    """One customer two years before all others adds no bucket: what happens there says nothing of the drift."""
    book = lw.datasets.cdnow(sample=True)
    early = pd.DataFrame({"customer_id": ["0"], "date": [pd.Timestamp("1995-10-01")], "amount": [10.0]})
    rows = pd.concat([book.transactions[["customer_id", "date", "amount"]], early])
    with_early, without = (
        made_fit(Ledger.from_transactions(r, as_of=book.as_of).purchase_table(cohort="month")).buckets
        for r in (rows, book.transactions)
    )
    assert len(with_early.seen) == len(without.seen)
    np.testing.assert_allclose(with_early.expected, without.expected, rtol=0.01)


def test_opportunities_that_are_no_bucket_are_refused_before_sampling():
    rows = pd.DataFrame({"customer_id": ["a", "a", "b"], "date": ["2018-07-01", "2022-07-01", "2019-07-01"]})
    table = Ledger.from_transactions(rows.assign(amount=1.0), as_of="2024-07-01").purchase_table()
    with pytest.raises(DefinitionError, match="another `calendar`"):
        lw.fit_purchases(table, purchases=BGBB(), spend=None)


def test_too_few_buckets_for_a_drift_are_said(made_fit, purchase_ledger):
    fit = made_fit(purchase_ledger.purchase_table(cohort="month", calendar="year"), drift=False)
    drifting = replace(fit, model=replace(fit.model, drift=True))
    assert ShortHistoryWarning in {kind for kind, _ in purchase_notes(drifting)}
    assert ShortHistoryWarning not in {kind for kind, _ in purchase_notes(fit)}


def test_small_counts_do_not_pull_the_level():
    """36 purchases in twelve buckets that expect three each: as many as expected, so a level of zero."""
    seen = np.array([0.0, 1, 2, 3, 4, 5, 6, 3, 2, 4, 3, 3])
    job = job_of(world(1.0, 1.0, customers=50))
    near = job.ready(Buckets(seen, np.full(12, 3.0), per_year=1)).near
    assert near.mean() == pytest.approx(0.0, abs=0.03)
    assert 3 * np.exp(near).sum() == pytest.approx(36, rel=0.03)
