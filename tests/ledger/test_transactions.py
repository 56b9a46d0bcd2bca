"""Transactions: each rule by hand, against a plain recount, on every engine, and CDNOW as published."""

from collections import defaultdict
from datetime import date, timedelta

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifeworth.errors import ColumnError, DataError, DataWarning, DefinitionError
from lifeworth.ledger import Ledger, PurchaseTable, TransactionLedger
from lifeworth.ledger.datasets import cdnow
from lifeworth.purchases import BGNBD, WEEKS_PER_YEAR, GammaGamma, Spend


def transactions(*rows, **extra) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["customer_id", "date", "amount"])
    return frame.assign(date=pd.to_datetime(frame["date"]), **extra)


BOOK = transactions(
    ("a", "2025-01-10", 20.0),
    ("a", "2025-01-10", 5.0),  # the same day: one purchase of 25
    ("a", "2025-01-20", 30.0),
    ("a", "2025-02-09", 0.0),  # costs nothing, a purchase all the same
    ("b", "2025-01-31", 40.0),
    ("b", "2025-02-03", -15.0),  # taken off the purchase of 31 January
    ("c", "2025-02-01", 10.0),
    ("c", "2025-02-11", 50.0),
    ("c", "2025-02-11", -50.0),  # given back on the day: still a purchase, without money
    ("d", "2025-02-20", 60.0),
    ("d", "2025-03-05", 8.0),  # after the last day
    segment=["x", "x", "y", "y", "x", "x", "y", "y", "y", None, "x"],
)


@pytest.fixture(scope="module")
def book() -> TransactionLedger:
    return Ledger.from_transactions(BOOK, as_of="2025-02-28", currency="EUR")


def test_every_rule_by_hand(book):
    table = book.purchase_table(cohort="month")
    rows = table.frame.set_index(["cohort", "frequency", "recency", "age"])
    money = ["customers", "first_spend", "repeat_spend", "refunds", "first_refunds", "spenders", "spend"]
    assert rows.loc[("2025-01", 2, 30, 49), money].tolist() == [1, 25, 30, 0, 0, 1, 30]
    assert rows.loc[("2025-01", 0, 0, 28), money].tolist() == [1, 40, 0, -15, -15, 0, 0]
    assert rows.loc[("2025-02", 1, 10, 27), money].tolist() == [1, 10, 50, -50, 0, 0, 0]
    assert rows.loc[("2025-02", 0, 0, 8), money].tolist() == [1, 60, 0, 0, 0, 0, 0]
    assert len(rows) == 4
    assert table.spend.values.tolist() == [["2025-01", 2, 15.0, 1, 30.0]]
    assert table.total_spend == 150
    assert table.currency == "EUR"


def test_what_was_settled_is_counted(book):
    found = {check.name: (check.severity, check.rows, check.customers) for check in book.purchase_table().checks}
    assert found == {
        "amount_zero": ("note", 1, ("a",)),
        "date_after_as_of": ("note", 1, ("d",)),
        "same_day": ("note", 1, ()),
        "refund": ("note", 2, ("b", "c")),
        "spend_not_positive": ("note", 1, ("c",)),
    }
    (refund,) = (check for check in book.checks if check.name == "refund")
    assert "-65.00" in refund.sentence()


def test_a_segment_is_that_of_the_first_purchase(book):
    with pytest.warns(DataWarning, match=r"1 customers change 'segment'.*customers a"):
        table = book.purchase_table(by=["segment"])
    assert table.frame.groupby("segment")["customers"].sum().to_dict() == {"(none)": 1, "x": 2, "y": 1}
    assert any(check.name == "segment_missing" and check.rows == 1 for check in table.checks)


def test_years_on_either_grid(book):
    table, weekly = book.purchase_table(), book.purchase_table(grid="week")
    heavy = table.frame["frequency"] == 2
    assert table.history.recency[heavy].tolist() == [pytest.approx(30 / 365.25)]
    assert table.history.age[heavy].tolist() == [pytest.approx(49 / 365.25)]
    rows = weekly.frame.set_index("frequency")
    assert rows.loc[2, ["recency", "age"]].tolist() == [4, 7]  # 30 and 49 days to the nearest week
    assert weekly.history.age[weekly.frame["frequency"] == 2].tolist() == [pytest.approx(7 / WEEKS_PER_YEAR)]
    assert table.customers.sum() == weekly.customers.sum() == 4


def test_a_repeat_within_half_a_week_keeps_a_recency_of_one():
    rows = transactions(("a", "2025-01-01", 1.0), ("a", "2025-01-02", 1.0))
    table = Ledger.from_transactions(rows, as_of="2025-01-03").purchase_table(grid="week")
    assert table.frame[["frequency", "recency", "age"]].values.tolist() == [[1, 1, 1]]


def test_a_holdout_is_the_table_of_that_day_and_what_came_later(book):
    held = book.purchase_table(as_of="2025-01-31")
    alone = Ledger.from_transactions(BOOK, as_of="2025-01-31").purchase_table()
    later = ["later_purchases", "later_amount"]
    pd.testing.assert_frame_equal(held.frame.drop(columns=later), alone.frame)
    pd.testing.assert_frame_equal(held.spend, alone.spend)
    assert (held.as_of, held.until) == (date(2025, 1, 31), date(2025, 2, 28))
    rows = held.frame.set_index("frequency")
    assert rows.loc[1, later].tolist() == [1, 0.0]  # a bought once more, for nothing
    assert rows.loc[0, later].tolist() == [0, -15.0]  # b gave something back
    assert held.fingerprint != alone.fingerprint


def test_engines_agree(book, tmp_path):
    BOOK.to_csv(tmp_path / "book.csv", index=False)
    BOOK.to_parquet(tmp_path / "book.parquet")
    polars = pl.from_pandas(BOOK)
    sources = [polars, polars.lazy(), str(tmp_path / "book.csv"), tmp_path / "book.parquet", duckdb.from_df(BOOK)]
    prints = set()
    for source in (BOOK, *sources):
        with pytest.warns(DataWarning, match="segment"):
            table = Ledger.from_transactions(source, as_of="2025-02-28").purchase_table(
                by="segment", as_of="2025-02-10"
            )
        prints.add(table.fingerprint)
    assert len(prints) == 1


def test_refunds_before_any_purchase_are_left_out_with_a_warning():
    rows = transactions(("a", "2025-01-01", -9.0), ("a", "2025-01-05", 20.0), ("b", "2025-01-02", 5.0))
    with pytest.warns(DataWarning, match=r"1 refunds, -9\.00, come before any purchase .*\(customers a\)"):
        ledger = Ledger.from_transactions(rows, as_of="2025-01-31")
    assert ledger.purchase_table().total_spend == 25


def test_copies_are_noted_and_many_are_warned_of():
    rows = transactions(*(("a", f"2025-01-{day:02d}", 5.0) for day in range(1, 25)))
    with pytest.warns(DataWarning, match="24 rows are exact copies .*loaded twice"):
        Ledger.from_transactions(pd.concat([rows, rows]), as_of="2025-02-28")
    ledger = Ledger.from_transactions(pd.concat([rows, rows.head(1)]), as_of="2025-02-28")
    assert [check.severity for check in ledger.checks if check.name == "copies"] == ["note"]


def test_join_brings_segments(book):
    regions = pd.DataFrame({"customer_id": ["a", "b", "c", "d"], "region": ["n", "s", "s", "n"]})
    table = book.join(regions, on="customer_id").purchase_table(by="region")
    assert table.frame.groupby("region")["customers"].sum().to_dict() == {"n": 2, "s": 2}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"customer_id": None}, "1 rows have no customer_id"),
        ({"date": None}, "1 rows have no date"),
        ({"amount": float("nan")}, "null or not finite"),
        ({"amount": float("inf")}, "null or not finite"),
        ({"amount": -1e13}, "too large to be added exactly"),
    ],
)
def test_refuses_broken_rows(change, says):
    rows = BOOK[["customer_id", "date", "amount"]].astype({"customer_id": object, "date": object})
    for name, value in change.items():
        rows.loc[3, name] = value
    rows["date"] = pd.to_datetime(rows["date"])
    with pytest.raises(DataError, match=says):
        Ledger.from_transactions(rows, as_of="2025-02-28")


def test_refuses_what_cannot_be_read(book):
    with pytest.raises(DataError, match="1 rows have a date that cannot be read"):
        Ledger.from_transactions(BOOK.assign(date=["2025-02-30", *["2025-01-01"] * 10]), as_of="2025-02-28")
    with pytest.raises(ColumnError, match="amount"):
        Ledger.from_transactions(BOOK.rename(columns={"amount": "amout"}), as_of="2025-02-28")
    with pytest.raises(DataError, match="nobody had bought by 2024-12-31"):
        Ledger.from_transactions(BOOK, as_of="2024-12-31")
    with pytest.raises(DataError, match="nobody had bought by 2024-12-31"):
        book.purchase_table(as_of="2024-12-31")
    with pytest.raises(DataError, match="lies after the ledger's"):
        book.purchase_table(as_of="2025-03-01")
    with pytest.raises(DefinitionError, match="grid='hour'"):
        book.purchase_table(grid="hour")
    with pytest.raises(DefinitionError, match="cohort='week'"):
        book.purchase_table(cohort="week")
    with pytest.raises(ColumnError, match="segmnt"):
        book.purchase_table(by="segmnt")
    with pytest.raises(DefinitionError, match="by='mean'"):
        Ledger.from_transactions(BOOK.assign(mean=1), as_of="2025-02-28").purchase_table(by="mean")


def test_columns_are_named_by_the_caller():
    renamed = BOOK.rename(columns={"customer_id": "who", "date": "day", "amount": "paid"})
    names = {"customer_id": "who", "date": "day", "amount": "paid"}
    table = Ledger.from_transactions(renamed, as_of="2025-02-28", columns=names).purchase_table()
    pd.testing.assert_frame_equal(
        table.frame, Ledger.from_transactions(BOOK, as_of="2025-02-28").purchase_table().frame
    )


def plain(rows, as_of, until):
    """Customers one at a time: (frequency, recency, age) to counts and money in cents."""
    table = defaultdict(lambda: defaultdict(int))
    people = defaultdict(list)
    for who, day, cents in rows:
        people[who].append((day, cents))
    for own in people.values():
        days = sorted({day for day, cents in own if cents >= 0 and day <= as_of})
        if not days:
            continue
        bought, refunds = dict.fromkeys(days, 0), dict.fromkeys(days, 0)
        for day, cents in own:
            before = [d for d in days if d <= day]
            if day <= as_of and cents >= 0:
                bought[day] += cents
            elif day <= as_of and before:
                refunds[before[-1]] += cents
        key = (len(days) - 1, (days[-1] - days[0]).days, (as_of - days[0]).days)
        net = sum(bought[d] + refunds[d] for d in days[1:])
        after = [(day, cents) for day, cents in own if as_of < day <= until]
        row = table[key]
        row["customers"] += 1
        row["first_spend"] += bought[days[0]]
        row["repeat_spend"] += sum(bought[d] for d in days[1:])
        row["refunds"] += sum(refunds.values())
        row["first_refunds"] += refunds[days[0]]
        row["spenders"] += net > 0
        row["spend"] += max(net, 0)
        row["later_purchases"] += len({day for day, cents in after if cents >= 0})
        row["later_amount"] += sum(cents for _, cents in after)
    return {key: dict(row) for key, row in table.items()}


FIRST = date(2024, 2, 20)
row = st.tuples(
    st.sampled_from("abcde"),
    st.integers(0, 40).map(lambda k: FIRST + timedelta(days=k)),
    st.sampled_from([-700, -150, 0, 99, 250, 1999]),
)


@settings(max_examples=15, deadline=None)
@given(st.lists(row, min_size=1, max_size=40))
@pytest.mark.filterwarnings("ignore::lifeworth.errors.DataWarning")
def test_against_a_plain_recount(rows):
    until, as_of = FIRST + timedelta(days=40), FIRST + timedelta(days=25)
    expected = plain(rows, as_of, until)
    frame = transactions(*((who, day, cents / 100) for who, day, cents in rows))
    if not expected:
        return
    table = Ledger.from_transactions(frame, as_of=until).purchase_table(as_of=as_of, cohort="year")
    keys = ["frequency", "recency", "age"]
    found = {
        tuple(int(r[k]) for k in keys): {
            name: round(100 * r[name])
            if ("spend" in name and name != "spenders") or name in {"refunds", "first_refunds", "later_amount"}
            else int(r[name])
            for name in next(iter(expected.values()))
        }
        for r in table.frame.to_dict("records")
    }
    assert found == expected
    assert table.spend["customers"].sum() == table.frame["spenders"].sum()
    assert table.spend["spend"].sum() == pytest.approx(table.frame["spend"].sum())


def test_day_numbers_are_those_of_python():
    import narwhals.stable.v2 as nw

    from lifeworth.ledger.months import day_number

    days = [
        date(1, 1, 1),
        date(1900, 2, 28),
        date(1900, 3, 1),
        date(2000, 2, 29),
        date(2024, 12, 31),
        date(9999, 12, 31),
    ]
    frame = nw.from_native(pl.DataFrame({"d": days}).lazy())
    found = frame.select(n=day_number(nw.col("d"))).collect().to_native()["n"].to_list()
    assert found == [day.toordinal() for day in days]


# --- CDNOW ---


@pytest.fixture(scope="module")
def sample() -> PurchaseTable:
    """The 1/10 sample, cut after 39 weeks."""
    data = cdnow(sample=True)
    ledger = Ledger.from_transactions(data.transactions, as_of=data.as_of, currency="USD")
    return ledger.purchase_table(as_of=data.calibration_end)


def test_cdnow_is_counted_as_published(sample):
    frame = sample.frame
    assert frame["customers"].sum() == 2357
    assert (frame["customers"] * frame["frequency"]).sum() == 2457
    assert frame["later_purchases"].sum() == 1882
    assert frame["spenders"].sum() == sample.spend["customers"].sum() == 946
    assert len(frame) < 1100
    assert sample.total_spend == pytest.approx(frame["first_spend"].sum() + frame["spend"].sum())


def test_the_whole_of_cdnow_reconciles_to_the_cent():
    data = cdnow()
    ledger = Ledger.from_transactions(data.transactions, as_of=data.as_of)
    table = ledger.purchase_table(grid="week", cohort="month")
    frame = table.frame
    assert frame["customers"].sum() == 23_570
    days = data.transactions.drop_duplicates(["customer_id", "date"])
    assert (frame["customers"] * (frame["frequency"] + 1)).sum() == len(days)
    assert round(table.total_spend, 2) == round(data.transactions["amount"].sum(), 2) == 2_500_315.63
    assert frame.groupby("cohort")["customers"].sum().to_dict().keys() == {"1997-01", "1997-02", "1997-03"}


def test_the_table_gives_the_published_fits(sample, maximise):
    """BG/NBD: the rows are exact. Gamma-gamma: bins of 1% leave the likelihood within the stated bound."""
    theta = BGNBD.from_classic(0.24259453, 4.41360244, 0.79292195, 2.42590647, units_per_year=WEEKS_PER_YEAR)
    in_weeks = (sample.customers * sample.frame["frequency"]).sum() * np.log(WEEKS_PER_YEAR)
    total = (sample.customers * BGNBD().log_likelihood(sample.history, theta)).sum() - in_weeks
    assert total == pytest.approx(-9582.429207, abs=1e-5)
    spend = GammaGamma.from_classic(6.24957125, 3.74422494, 15.44352537)
    weight = sample.spend["customers"].to_numpy()
    binned = (weight * GammaGamma().log_likelihood(sample.spend_history, spend)).sum()
    bound = (weight * 5e-6 * (6.25 * sample.spend["frequency"] + 3.74)).sum()
    assert abs(binned + 4055.917695) < bound < 0.1
    found, _ = maximise(
        GammaGamma().parameters,
        lambda at: (weight * GammaGamma().log_likelihood(sample.spend_history, at)).sum(),
    )
    for name, value in GammaGamma.to_classic(found).items():
        assert value == pytest.approx({"p": 6.24957125, "q": 3.74422494, "gamma": 15.44352537}[name], rel=1e-3)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 60), st.floats(0.02, 2000), st.floats(0.15, 1.5), st.floats(0.1, 1.5), st.integers(0, 2**32 - 1))
def test_bins_of_spend_keep_the_likelihood(x, mean, between, within, seed):
    """Fifty customers anywhere in one bin against as many at their mean."""
    theta = {"mean_spend": 40.0, "between_variation": between, "within_variation": within}
    own = mean * np.exp(np.random.default_rng(seed).choice([0, 0.00999, 0.005, 0.002], 50))
    model, at_mean = GammaGamma(), Spend.of(x, own.mean())
    apart = model.log_likelihood(Spend.of(np.full(50, x), own), theta).mean() - model.log_likelihood(at_mean, theta)[0]
    p, q, _ = model.to_classic(theta).values()
    assert abs(apart) < 1.3e-5 * (p * x + q) + 1e-9


# --- When purchases happened ---


def test_repeats_by_bucket_by_hand():
    """Weeks back from 30 January: 24-30 is bucket 0, 17-23 is -1; the first purchase and the same day count nothing."""
    rows = transactions(
        ("a", "2025-01-02", 1.0),
        ("a", "2025-01-23", 1.0),
        ("a", "2025-01-23", 2.0),
        ("a", "2025-01-24", 1.0),
        ("a", "2025-01-30", 1.0),
        ("a", "2025-01-31", 1.0),
        ("a", "2025-02-10", 1.0),
        ("b", "2025-01-29", 1.0),
        ("c", "2025-02-01", 1.0),
        ("c", "2025-02-02", 1.0),
        seg=["x"] * 7 + ["y"] * 3,
    )
    ledger = Ledger.from_transactions(rows, as_of="2025-02-13")
    table = ledger.purchase_table(as_of="2025-01-30", calendar="week", by=["seg"])
    assert table.activity.to_numpy().tolist() == [["x", -1, 1], ["x", 0, 2], ["x", 1, 1], ["x", 2, 1]]
    assert ledger.purchase_table(as_of="2025-02-05", calendar="week").activity["bucket"].max() == 1
    with pytest.raises(DefinitionError, match="4 weeks"):
        ledger.purchase_table(calendar="month")


def test_the_bucket_fits_the_length_of_the_history():
    for first, calendar in (("2024-01-01", "4 weeks"), ("2020-01-01", "quarter"), ("2005-01-01", "year")):
        ledger = Ledger.from_transactions(transactions(("a", first, 1.0)), as_of="2025-06-30")
        assert ledger.purchase_table().calendar == calendar


@pytest.mark.parametrize("engine", [pl.LazyFrame, pl.DataFrame, pd.DataFrame], ids=["lazy", "polars", "pandas"])
def test_buckets_and_gaps_are_the_same_on_every_engine(engine):
    rows = cdnow(sample=True).transactions.head(2000)
    own, other = (
        Ledger.from_transactions(source, as_of="1998-06-30").purchase_table(as_of="1997-09-30")
        for source in (rows, rows if engine is pd.DataFrame else engine(rows))
    )
    pd.testing.assert_frame_equal(own.activity, other.activity)
    pd.testing.assert_frame_equal(own.gaps, other.gaps)
    assert (own.activity["purchases"].sum(), own.gaps["customers"].sum()) > (0, 0)
