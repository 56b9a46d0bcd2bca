"""Snapshots: a grid of days, in force from one to the next."""

from datetime import date

import pandas as pd
import polars as pl
import pytest

from lifeworth.errors import DataError
from lifeworth.ledger import Ledger

ENDS = [date(2025, 1, 31), date(2025, 2, 28), date(2025, 3, 31), date(2025, 4, 30)]
FIRSTS = [date(2025, 1, 1), date(2025, 2, 1), date(2025, 3, 1), date(2025, 4, 1)]
THIRTIETHS = [date(2025, 1, 30), date(2025, 2, 28), date(2025, 3, 30), date(2025, 4, 30)]


def snapshots(days, levels) -> pl.DataFrame:
    rows = [(who, day, float(x)) for who, own in levels.items() for day, x in zip(days, own, strict=True) if x >= 0]
    return pl.DataFrame(rows, schema=["customer_id", "period", "amount"], orient="row")


LEVELS = {"a": [10, 10, 12, 12], "b": [5, 5, -1, -1], "c": [-1, 0, 7, 7], "d": [3, -1, 3, 3]}


@pytest.mark.parametrize("days", [FIRSTS, ENDS, THIRTIETHS])
def test_by_hand_on_three_grids(days):
    ledger = Ledger.from_snapshots(snapshots(days, LEVELS), as_of=days[-1])
    table = ledger.cohort_table(cohort="month", calendar="month")
    cells = table.frame.groupby(["cohort", "tenure"])[["at_risk", "churned", "opening", "expansion"]].sum()
    assert cells.loc[("2025-01", 0)].tolist() == [3, 1, 18, 0]  # d is gone on the second day of the grid
    assert cells.loc[("2025-01", 1)].tolist() == [2, 1, 15, 2]  # b is gone, a grows
    assert cells.loc[("2025-01", 2)].tolist() == [1, 0, 12, 0]
    assert cells.loc[("2025-03", 0)].tolist() == [1, 0, 7, 0]  # c, after a free month
    assert cells.loc[("reactivated", 0)].tolist() == [1, 0, 3, 0]
    assert table.in_force["amount"].sum() == 22
    bridged = Ledger.from_snapshots(snapshots(days, LEVELS), as_of=days[-1], bridge_gap_days=31)
    assert "reactivated" not in set(bridged.cohort_table().frame["cohort"])


def test_engines_agree():
    frame = snapshots(ENDS, LEVELS)
    prints = {
        Ledger.from_snapshots(source, as_of="2025-05-15").cohort_table().fingerprint
        for source in (frame, frame.lazy(), frame.to_pandas())
    }
    assert len(prints) == 1


def test_a_quarterly_grid():
    days = [date(2025, 1, 1), date(2025, 4, 1)]
    frame = snapshots(days, {"a": [30, 30], "b": [9, -1]})
    table = Ledger.from_snapshots(frame, as_of="2025-06-30", every="quarter").cohort_table(period="quarter")
    assert table.frame[["at_risk", "churned"]].values.tolist() == [[2, 1]]


@pytest.mark.parametrize(
    ("days", "as_of", "says"),
    [
        (FIRSTS, "2025-05-01", "last snapshot, 2025-04-01, does not cover as_of 2025-05-01"),
        ([FIRSTS[0], FIRSTS[1], FIRSTS[3]], "2025-04-05", "1 snapshots are missing: 2025-03-01"),
        ([FIRSTS[0], date(2025, 2, 2), FIRSTS[2]], "2025-03-05", "1 snapshot dates are not one month apart"),
    ],
)
def test_refuses_a_stale_or_broken_grid(days, as_of, says):
    with pytest.raises(DataError, match=says):
        Ledger.from_snapshots(snapshots(days, {"a": [1] * len(days)}), as_of=as_of)


def test_refuses_two_rows_in_a_snapshot():
    frame = pd.DataFrame({"customer_id": ["a", "a"], "period": ["2025-01-01"] * 2, "amount": [1.0, 2.0]})
    with pytest.raises(DataError, match=r"1 snapshots of a customer are given more than once \(customers a\)"):
        Ledger.from_snapshots(frame, as_of="2025-01-15")


def test_refuses_negative_amounts():
    frame = pd.DataFrame({"customer_id": ["a"], "period": ["2025-01-01"], "amount": [-1.0]})
    with pytest.raises(DataError, match="1 rows have a negative amount"):
        Ledger.from_snapshots(frame, as_of="2025-01-15")
