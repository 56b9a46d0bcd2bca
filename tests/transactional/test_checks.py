"""Named checks of the models' assumptions: they warn where they should and are silent where not."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from lifeworth.errors import CalendarWarning, DataError, SeasonWarning, ShortHistoryWarning, SpendWarning, TimingWarning
from lifeworth.ledger import Ledger
from lifeworth.purchases import BGBB, BGNBD
from lifeworth.transactional.checks import calendar_check, purchase_notes, spend_check, timing_check


def kinds(fit):
    return {kind for kind, _ in purchase_notes(fit)}


def bought(rng, gaps, customers=400, days=700):
    """Purchases at gaps drawn for each customer."""
    rows = []
    for i in range(customers):
        at = np.cumsum(np.concatenate([[rng.integers(0, 60)], gaps(rng)]))
        rows += [(f"c{i}", d) for d in np.unique(at[at < days].astype(int))]
    frame = pd.DataFrame(rows, columns=["customer_id", "day"])
    frame["date"] = pd.Timestamp("2023-01-01") + pd.to_timedelta(frame["day"], unit="D")
    return Ledger.from_transactions(frame.assign(amount=10.0)[["customer_id", "date", "amount"]], as_of="2024-12-01")


def test_random_purchases_have_regularity_one():
    ledger = bought(np.random.default_rng(1), lambda rng: rng.exponential(rng.gamma(4, 10), 60))
    check = timing_check(ledger.purchase_table())
    assert check.low < 1 < check.high
    assert check.high - check.low < 0.5
    assert not check.refuted


@pytest.mark.parametrize("k", [2, 4])
def test_regular_purchases_are_found_with_their_shape(k):
    ledger = bought(np.random.default_rng(2), lambda rng: rng.gamma(k, rng.gamma(4, 10) / k, 60))
    check = timing_check(ledger.purchase_table())
    assert check.refuted
    assert check.low < k < check.high


def test_the_two_gaps_by_hand():
    """10 and 20 days: apart by 10, squared 100; the customer with one repeat tells nothing."""
    rows = pd.DataFrame(
        [
            (c, f"2025-{day}")
            for c, days in (("a", "01-01 01-03 01-13 02-02"), ("b", "01-01 01-05"))
            for day in days.split()
        ],
        columns=["customer_id", "date"],
    )
    table = Ledger.from_transactions(rows.assign(amount=1.0), as_of="2025-03-01").purchase_table()
    assert table.gaps.to_numpy().tolist() == [[30, 1, 100]]
    assert timing_check(table).customers == 1
    assert not timing_check(table).refuted


def test_cdnow_buys_at_random_and_its_frequent_buyers_pay_more(made_fit, held_out):
    """Fader & Hardie's gamma-gamma note: correlation 0.11 over 946 customers, small but there."""
    assert not timing_check(held_out).refuted
    check = spend_check(held_out)
    assert check.correlation == pytest.approx(0.11, abs=0.01)
    assert check.by_frequency["customers"].sum() == 946
    found = kinds(made_fit(held_out))
    assert SpendWarning in found
    assert TimingWarning not in found


def spenders(slope, customers=3000):
    rng = np.random.default_rng(3)
    x = rng.integers(1, 10, customers)
    mean = np.round(rng.gamma(4.0 * x, 1 / (4.0 * x)) * 30 * (1 + slope * (x - 5)), 4)
    return pd.DataFrame({"cohort": "2025", "frequency": x, "mean": mean, "customers": 1, "spend": mean * x})


def test_spend_that_does_not_depend_on_frequency_is_not_refuted(held_out):
    """The mean varies less for those who buy often; that alone is no correlation."""
    check = spend_check(replace(held_out, spend=spenders(0.0)))
    assert not check.refuted
    assert abs(check.correlation) < 0.05


def test_spend_that_falls_with_frequency_is_refuted(made_fit, held_out):
    table = replace(held_out, spend=spenders(-0.05))
    assert spend_check(table).high < 0
    (text,) = [text for kind, text in purchase_notes(made_fit(table)) if kind is SpendWarning]
    assert "spends less" in text
    assert "overstated" in text


def test_too_few_spenders_are_refused(held_out):
    with pytest.raises(DataError, match="too few"):
        spend_check(replace(held_out, spend=held_out.spend.head(2)))


def moved(table, factor):
    """The same table whose purchases by bucket are as many times as many."""
    activity = table.activity.copy()
    activity["purchases"] = np.rint(activity["purchases"] * factor(activity["bucket"].to_numpy())).astype(int)
    return replace(table, activity=activity)


def test_a_calendar_that_moved_is_said_where_there_is_no_drift(made_fit, held_out):
    fallen = moved(held_out, lambda b: np.where(b > -4, 0.4, 1.0))
    assert CalendarWarning in kinds(made_fit(fallen, drift=False))
    assert CalendarWarning not in kinds(made_fit(fallen, drift=True))
    frame = calendar_check(made_fit(fallen, drift=False))
    assert frame["ratio"].iloc[-1] < 0.8 < frame["ratio"].iloc[2]


def test_a_calendar_as_expected_is_not(made_fit, held_out):
    frame = calendar_check(made_fit(held_out, drift=False))
    exact = held_out.activity.merge(frame, on="bucket")
    exact["purchases"] = np.rint(exact["expected"]).astype(int)
    calm = replace(held_out, activity=exact[["bucket", "purchases"]])
    assert CalendarWarning not in kinds(made_fit(calm, drift=False))


def test_a_season_is_seen_after_two_years(made_fit, purchase_ledger, held_out):
    table = purchase_ledger.purchase_table(cohort="month")
    days = table.frame.assign(age=table.frame["age"] + 500, recency=table.frame["recency"])
    buckets = np.arange(-36, 1)
    for swing, said in ((0.4, True), (0.0, False)):
        wide = replace(table, frame=days, activity=pd.DataFrame({"bucket": buckets, "purchases": 1000}))
        expected = calendar_check(made_fit(wide, drift=False)).set_index("bucket")["expected"]
        season = 1 + swing * np.sin(2 * np.pi * expected.index / 13)
        noise = np.random.default_rng(4).normal(1, 0.02, len(expected))
        seen = np.rint(expected * season * noise).astype(int)
        wide = replace(wide, activity=pd.DataFrame({"bucket": expected.index, "purchases": seen.to_numpy()}))
        assert (SeasonWarning in kinds(made_fit(wide, drift=False))) == said
        assert SeasonWarning not in kinds(made_fit(wide)), "the drift has a season"


def test_a_season_misreads_opportunities_of_less_than_a_year(made_fit, held_out):
    """CDNOW's sample after 39 weeks: all; with ages of three years none. Continuous time is read at its pace."""

    def seasonal(table, swing, law):
        fit = made_fit(table)
        at = swing * np.sqrt(2) * np.cos(2 * np.pi * np.arange(13) / 13)
        season = fit.draws["drift"]["calendar_level"] + xr.DataArray(at, dims="season_at")
        draws = fit.draws | {"drift": fit.draws["drift"].assign(season=season)}
        return replace(fit, draws=draws, model=replace(fit.model, purchases=law))

    weekly = BGBB(opportunities_per_year=365.25 / 7)
    assert SeasonWarning in kinds(seasonal(held_out, 0.25, weekly))
    assert SeasonWarning not in kinds(seasonal(held_out, 0.05, weekly))
    assert SeasonWarning not in kinds(seasonal(held_out, 0.25, BGNBD()))
    old = replace(held_out, frame=held_out.frame.assign(age=held_out.frame["age"] + 800))
    assert SeasonWarning not in kinds(seasonal(old, 0.25, weekly))


def test_a_short_history_is_said(made_fit, purchase_ledger):
    short = purchase_ledger.purchase_table(cohort="month", calendar="quarter", as_of="1997-09-30")
    assert ShortHistoryWarning in kinds(made_fit(short))
