"""The table itself: counts, triangles, cuts, identities, fingerprint."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from lifeworth.errors import DataError, DefinitionError
from lifeworth.ledger import CohortTable, Ledger

COUNTS = pd.DataFrame(
    {
        "cohort": ["high"] * 3 + ["low"] * 2,
        "tenure": [0, 1, 2, 0, 1],
        "at_risk": [1000, 869, 743, 1000, 631],
        "churned": [131, 126, 90, 369, 163],
    }
)


@pytest.fixture(scope="module")
def table() -> CohortTable:
    """Two accounts of January and one of February, read on 1 May; one of January leaves on 1 March."""
    frame = pd.DataFrame(
        [
            ("a", "2025-01-01", "2025-02-01", 100.0),
            ("a", "2025-02-01", None, 150.0),
            ("b", "2025-01-01", "2025-03-01", 40.0),
            ("c", "2025-02-01", None, 10.0),
        ],
        columns=["customer_id", "start", "end", "amount"],
    )
    return Ledger.from_spells(frame, as_of="2025-05-01").cohort_table(calendar="month")


def test_counts_become_cells():
    table = CohortTable.from_counts(COUNTS, period="year")
    assert not table.has_money
    assert not table.has_calendar
    assert table.in_force.empty
    assert table.acquisitions.empty
    assert table.months_per_period == 12
    assert table.frame["opening"].sum() == 0
    left = table.triangle("retention")
    assert left.loc["high", 3] == pytest.approx(0.653)
    assert left.loc["low", 2] == pytest.approx(0.468)
    assert np.isnan(left.loc["low", 3])
    with pytest.raises(DataError, match="needs money"):
        table.triangle("nrr")
    with pytest.raises(DataError, match="no calendar to cut"):
        table.cut(1)


def test_counts_with_a_segment_and_in_any_order():
    frame = pd.concat([COUNTS.assign(channel="web"), COUNTS.assign(channel="shop")])
    table = CohortTable.from_counts(frame, period="month")
    assert table.by == ("channel",)
    again = CohortTable.from_counts(frame.sample(frac=1, random_state=1), period="month")
    assert table.fingerprint == again.fingerprint
    assert table.fingerprint != CohortTable.from_counts(frame, period="year").fingerprint


def test_counts_have_the_columns_of_a_ledger(table):
    counts = CohortTable.from_counts(COUNTS, period="year")
    for mine, theirs in ((counts.frame, table.frame), (counts.in_force, table.in_force)):
        assert list(mine.columns) == list(theirs.columns)
        assert mine.dtypes.tolist() == theirs.dtypes.tolist()
    assert list(counts.acquisitions.columns) == list(table.acquisitions.columns)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            {"churned": [1001, 126, 90, 369, 632]},
            r"in 2 cells: high tenure 0 \(1001 > 1000\), low tenure 1 \(632",
        ),
        (
            {"at_risk": [1000, 1001, 743, 1000, 631]},
            r"at_risk rises in 1 cell: high tenure 1 \(1001 > 1000\)",
        ),
        ({"tenure": [0, 1, 1, 0, 1]}, "a cell is given twice in 1 cell: high tenure 1"),
        (
            {"churned": [0.131, 126, 90, 369, 163]},
            "churned is not a whole number of at least 0 in 1 rows: 0.131",
        ),
        ({"at_risk": [-1, 869, 743, 1000, 631]}, "at_risk is not a whole number"),
        ({"tenure": [0, 1, None, 0, 1]}, "tenure is not a whole number"),
        ({"cohort": [None, "b", "b", "c", "c"]}, "has an empty cohort"),
    ],
)
def test_counts_that_cannot_be(change, says):
    with pytest.raises(DataError, match=says):
        CohortTable.from_counts(COUNTS.assign(**change), period="year")


def test_counts_without_a_column_or_a_row():
    with pytest.raises(DataError, match="from_counts: no column 'churned'"):
        CohortTable.from_counts(COUNTS.drop(columns="churned"), period="year")
    with pytest.raises(DataError, match="table of counts is empty"):
        CohortTable.from_counts(COUNTS.iloc[:0], period="year")


def test_triangles_by_hand(table):
    row = {kind: table.triangle(kind).loc["2025-Q1"] for kind in ("retention", "nrr", "revenue", "cumulative")}
    assert row["retention"].tolist() == pytest.approx([1, 1, 2 / 3, 2 / 3, 2 / 3])
    growth = [1, 200 / 150, 200 / 150 * 160 / 200]
    assert row["nrr"].tolist() == pytest.approx([*growth, growth[-1], growth[-1]])
    assert row["revenue"].tolist()[:3] == [150, 200, 160]
    assert len(row["revenue"]) == 3  # c has completed three tenures only
    assert row["cumulative"].tolist()[:3] == [150, 350, 510]
    with pytest.raises(DefinitionError, match=r"'churn'.* is not a kind"):
        table.triangle("churn")


def test_cut_by_hand(table):
    cut = table.cut(2)
    assert cut.as_of == date(2025, 3, 1)
    assert cut.frame[["tenure", "bucket", "at_risk", "churned"]].values.tolist() == [
        [0, -1, 2, 0],
        [0, 0, 1, 0],
        [1, 0, 2, 1],
    ]
    assert cut.in_force["amount"].sum() == 160
    assert cut.acquisitions["accounts"].sum() == 3
    assert table.cut(0) is table
    assert cut.cut(1).fingerprint == table.cut(3).fingerprint
    with pytest.raises(DataError, match="nothing was acquired 5 buckets before"):
        table.cut(5)
    with pytest.raises(DefinitionError, match="look ahead"):
        table.cut(-1)


@pytest.mark.parametrize(
    ("frame", "column", "says"),
    [
        ("frame", "closing", "closing = opening"),
        ("in_force", "amount", "amount = opening"),
        ("frame", "late_entries", r"opening\(t\+1\) = closing"),
        ("in_force", "opening", "amount = opening"),
    ],
)
def test_a_table_that_breaks_an_identity_is_refused(table, frame, column, says):
    broken = getattr(table, frame).copy()
    broken.loc[broken.index[-1], column] += 0.02
    with pytest.raises(DataError, match=says):
        replace(table, **{frame: broken})


def test_fingerprint_sees_every_value(table):
    moved = table.frame.copy()
    moved.loc[0, "opening_sq"] += 1e-9 * moved.loc[0, "opening_sq"]
    assert replace(table, frame=moved).fingerprint != table.fingerprint
    assert replace(table, currency="EUR").fingerprint != table.fingerprint
    assert replace(table, checks=()).fingerprint == table.fingerprint
    assert len(table.fingerprint) == 64


def test_the_sums_of_the_fingerprint_are_exact():
    """Amounts whose squares leave 64 bits and whose doubles would round are added exactly."""
    rng = np.random.default_rng(1)
    amounts = np.round(rng.uniform(1e6, 9e6, 400), 4)
    frame = pd.DataFrame({"customer_id": range(400), "start": "2025-01-01", "end": "2025-01-20", "amount": amounts})
    table = Ledger.from_spells(frame, as_of="2025-02-01").cohort_table()
    whole = [round(a * 10_000) for a in amounts]
    assert table.frame["opening_sq"].iloc[0] == pytest.approx(sum(w * w for w in whole) / 10**8, rel=1e-15)
    assert table.frame["opening"].iloc[0] == sum(whole) / 10_000
    assert table.frame["closing"].iloc[0] == 0
    assert table.frame["churned_sq"].iloc[0] == table.frame["opening_sq"].iloc[0]
