import numpy as np
import pandas as pd
import pytest

import lifeworth as lw
from lifeworth.backtesting.closed_book import ClosedBook, book_scored
from lifeworth.errors import DataError
from lifeworth.forecasting.groups import State

AS_OF, PERIODS = "2024-12-31", ("month", "quarter", "year")


@pytest.fixture(scope="module")
def spells():
    """Accounts that start and leave at any day over three years."""
    rng = np.random.default_rng(4)
    month = pd.Timestamp("2022-01-01") + pd.to_timedelta(rng.integers(0, 1000, size=600), unit="D")
    start = month.to_period("M").to_timestamp() + pd.to_timedelta(rng.integers(0, 28, size=600), unit="D")
    end = start + pd.to_timedelta(rng.integers(20, 900, size=600), unit="D")
    frame = pd.DataFrame({"customer_id": [f"c{i}" for i in range(600)], "start": start, "end": end})
    frame["amount"] = rng.integers(10, 500, size=600).astype(float)
    frame["segment"] = rng.choice(["a", "b"], size=600)
    frame.loc[frame["end"] > AS_OF, "end"] = pd.NaT
    return frame[frame["start"] <= AS_OF]


def table_of(spells, period, **more):
    ledger = lw.Ledger.from_spells(spells, as_of=AS_OF, **more)
    return ledger.cohort_table(period=period, cohort="year", calendar="quarter", by=["segment"])


@pytest.mark.parametrize("period", PERIODS)
@pytest.mark.parametrize(("cut", "holdout"), [(4, 4), (5, 2), (1, 1)])
def test_what_is_left_is_the_later_book_of_the_same_accounts(spells, period, cut, holdout):
    table = table_of(spells, period)
    origin = table.cut(cut)
    book = ClosedBook.of(table, origin, cut, holdout)
    assert book.left_out == {"accounts": 0, "amount": 0}
    assert book.groups["accounts"].sum() == origin.in_force["accounts"].sum()
    for ahead in range(1, holdout + 1):
        months = ahead * table.months_per_bucket
        then = table.cut(cut - ahead).in_force if cut > ahead else table.in_force
        old = then[then["tenure"] * table.months_per_period + then["elapsed"] >= months]
        lost = old["lost_accounts"]
        assert book.accounts[ahead - 1].sum() == (old["accounts"] + lost).sum()
        assert book.amount[ahead - 1].sum() == pytest.approx(old["opening"].sum() + old["new"].sum())


@pytest.mark.parametrize(("period", "months"), [("month", 1), ("quarter", 3), ("year", 12)])
def test_what_is_left_is_counted_account_by_account(spells, period, months):
    """An account is there until the end of the tenure it leaves in."""
    table = table_of(spells, period)
    book = ClosedBook.of(table, table.cut(3), 3, 3)
    end = spells["end"].fillna(pd.Timestamp("2100-01-01"))

    def there(day, row):
        done = (day.year - row.year) * 12 + day.month - row.month - (row.day > day.day)
        return row + pd.DateOffset(months=done // months * months) if done >= 0 else None

    origin, *later = pd.to_datetime(["2024-03-31", "2024-06-30", "2024-09-30", "2024-12-31"])
    opened = {day: spells["start"].map(lambda start, day=day: there(day, start)) for day in (origin, *later)}
    old = opened[origin].notna() & (end > opened[origin])
    assert book.groups["accounts"].sum() == old.sum()
    for bucket, day in enumerate(later):
        left = old & (end > opened[day])
        assert book.accounts[bucket].sum() == left.sum()
        assert book.amount[bucket].sum() == pytest.approx(spells.loc[left, "amount"].sum())


def test_a_late_entry_after_the_origin_leaves_its_group_out(spells):
    late = pd.DataFrame(
        {
            "customer_id": ["late"],
            "start": [pd.Timestamp("2024-11-05")],
            "end": [pd.NaT],
            "amount": [100.0],
            "segment": ["a"],
            "acquired": [pd.Timestamp("2022-03-05")],
        }
    )
    rows = pd.concat([spells.assign(acquired=spells["start"]), late], ignore_index=True)
    table = table_of(rows, "month", acquired="acquired")
    before = ClosedBook.of(table, table.cut(1), 1, 1)
    months = table.cut(1).in_force["tenure"]
    same = table.cut(1).in_force[(table.cut(1).in_force["segment"] == "a") & (months == 30)]
    assert before.left_out["accounts"] == pytest.approx(
        same["accounts"].sum() / table.cut(1).in_force["accounts"].sum()
    )
    assert not ((before.groups["segment"] == "a") & (before.groups["tenure"] == 30)).any()


def test_the_sums_of_states_are_those_of_the_groups(spells):
    table = table_of(spells, "year")
    book = ClosedBook.of(table, table.cut(4), 4, 4)
    groups = len(book.groups)
    states = [State(k, *(np.full((3, groups), 0.5**k) for _ in range(3))) for k in range(book.steps + 1)]
    rest = book.remaining(states)
    n = book.groups["accounts"].to_numpy(dtype=float)
    for bucket in range(4):
        expected = (n * 0.5 ** book.decisions[bucket]).sum()
        assert rest["customers"][bucket][:, 0] == pytest.approx(np.full(3, expected))
        assert rest["customers"][bucket][:, 1:].sum(axis=1) == pytest.approx(np.full(3, expected))
    scored = book_scored(rest, book)
    assert set(scored["measure"]) == {"customers", "revenue"}
    assert set(scored["segment"]) == {"all", "a", "b"}


def test_a_unit_nobody_decides_in_is_no_unit():
    """Annual contracts from March: in the first quarter after September nobody renews."""
    rows = pd.DataFrame({"customer_id": range(20), "start": "2022-03-15", "end": None, "amount": 10.0, "segment": "a"})
    table = table_of(rows, "year")
    book = ClosedBook.of(table, table.cut(3), 3, 3)
    state = [State(k, *(np.ones((2, len(book.groups))) for _ in range(3))) for k in range(2)]
    assert (book.decisions == 0).all()
    assert book_scored(book.remaining(state), book).empty


def test_counts_have_no_book():
    table = lw.CohortTable.from_counts(
        pd.DataFrame({"cohort": ["x"], "tenure": [0], "at_risk": [10], "churned": [2]}), period="year"
    )
    with pytest.raises(DataError, match="Build it from a ledger"):
        ClosedBook.of(table, table, 0, 1)
