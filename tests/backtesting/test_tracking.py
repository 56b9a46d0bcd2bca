"""Holdouts of purchases: what happened is counted right, and bands hold what the model itself would do."""

from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest

from lifeworth.backtesting.tracking import by_frequency, track
from lifeworth.errors import DataError
from lifeworth.ledger import Ledger
from lifeworth.ledger.datasets import cdnow

_SPEC = spec_from_file_location("made", Path(__file__).parents[1] / "transactional" / "conftest.py")
_MADE = module_from_spec(_SPEC)
_SPEC.loader.exec_module(_MADE)
made_fit, purchase_ledger, held_out = _MADE.made_fit, _MADE.purchase_ledger, _MADE.held_out


@pytest.fixture(scope="module")
def fit(made_fit, held_out):
    return made_fit(held_out, level=0.0, steps=0.15)


def test_what_happened_is_the_ledgers(fit):
    """1,882 repeat purchases in weeks 40 to 78 as published; the nine whole buckets hold those of 252 days."""
    rows = cdnow(sample=True).transactions
    days = rows.drop_duplicates(["customer_id", "date"])
    later = days[(days["date"] > "1997-09-30") & (days["date"] <= "1998-06-09")]
    total = track(fit).table().query("measure == 'cumulative' and bucket == 9")["observed"].item()
    assert total == len(later) == 1774
    binned = by_frequency(fit).table()
    assert (binned["observed"] * binned["customers"]).sum() == pytest.approx(1882)
    assert binned["customers"].sum() == 2357
    assert binned["frequency"].tolist() == ["0", "1", "2", "3", "4", "5", "6", "7+"]


def test_cumulative_is_the_sum_of_the_buckets(fit):
    table = track(fit).table()
    each, so_far = (table[table["measure"] == m] for m in ("incremental", "cumulative"))
    np.testing.assert_allclose(each["observed"].cumsum(), so_far["observed"].to_numpy())
    np.testing.assert_allclose(each["mean"].cumsum(), so_far["mean"].to_numpy())


def test_the_past_is_what_the_model_expects_of_new_customers(fit):
    past = track(fit).units.query("bucket <= 0")
    assert past["observed"].sum() == 2457
    assert past["mean"].sum() == pytest.approx(2457, rel=0.05)


def test_without_drift_the_bands_miss_and_with_it_they_hold(fit):
    """CDNOW after week 39: more was bought than BG/NBD says, in the Christmas weeks above all."""
    before, after = (track(fit, drift=drift) for drift in (False, True))
    last = {
        drift: found.table().query("measure == 'cumulative'").iloc[-1]
        for drift, found in ((False, before), (True, after))
    }
    assert last[False]["p90"] < last[False]["observed"]
    assert last[True]["p10"] < last[True]["observed"] < last[True]["p90"]
    scores = {False: before.scores(), True: after.scores()}
    covered = {drift: found.set_index("measure")["coverage_80"] for drift, found in scores.items()}
    assert covered[False]["cumulative"] < 0.3
    assert covered[True]["cumulative"] > 0.7


def test_a_book_drawn_from_the_model_is_held_by_its_bands(made_fit, held_out):
    """Later purchases drawn from the model itself: nine in ten of the 90% bands hold, over bins and buckets."""
    from lifeworth.transactional.ahead import clock, drawn_ahead, known_customers

    fit = made_fit(held_out, sd=0.0, drift=False)
    who = known_customers(fit)
    time = clock(fit, np.arange(1, 10) * 28 / 365.25, np.random.default_rng(0))
    theta = fit.theta("purchases")
    parts = drawn_ahead(fit, who, theta, None, time, np.random.default_rng(8))
    total = np.concatenate([purchases.sum(axis=2) for _, _, purchases, _ in parts], axis=1)
    table = track(fit).table().query("measure == 'incremental'")
    low, high = table["p05"].to_numpy()[:, None], table["p95"].to_numpy()[:, None]
    assert ((low <= total) & (total <= high)).mean() == pytest.approx(0.91, abs=0.03)
    np.testing.assert_allclose(total.mean(axis=1), table["mean"], rtol=0.03)


def test_another_table_or_none_later_is_refused(fit, purchase_ledger, held_out):
    now = purchase_ledger.purchase_table(cohort="month")
    with pytest.raises(DataError, match="knows nothing after"):
        track(replace(fit, table=now))
    with pytest.raises(DataError, match="customers that were fitted"):
        track(fit, purchase_ledger.purchase_table(cohort="month", as_of="1997-08-31"))
    soon = replace(held_out, activity=held_out.activity.query("bucket <= 0"))
    with pytest.raises(DataError, match="no whole calendar bucket"):
        track(replace(fit, table=soon))


def test_segments_are_tracked_too(made_fit):
    book = cdnow(sample=True)
    rows = book.transactions.assign(half=np.where(book.transactions["customer_id"].astype(int) % 2, "odd", "even"))
    ledger = Ledger.from_transactions(rows, as_of=book.as_of)
    table = ledger.purchase_table(cohort="quarter", by=["half"], as_of=book.calibration_end)
    found = track(made_fit(table)).table().query("measure == 'incremental'")
    by = found.pivot(index="bucket", columns="half", values="observed")
    np.testing.assert_allclose(by["odd"] + by["even"], by["all"])


def test_a_later_table_of_other_buckets_is_refused(fit, purchase_ledger):
    weekly = purchase_ledger.purchase_table(cohort="month", as_of="1997-09-30", calendar="week")
    with pytest.raises(DataError, match="buckets of week, the fit's of 4 weeks"):
        track(fit, weekly)
