"""Small ledgers whose every number was worked out by hand."""

from datetime import date

import duckdb
import narwhals.stable.v2 as nw
import pandas as pd
import polars as pl
import pytest

from lifeworth.errors import ColumnError, DataError, DataWarning, DefinitionError
from lifeworth.ledger import Ledger


def spells(*rows, **extra) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["customer_id", "start", "end", "amount"])
    for name in ("start", "end"):
        frame[name] = pd.to_datetime(frame[name])
    return frame.assign(**extra)


@pytest.fixture(scope="module")
def book() -> Ledger:
    """Three customers of January 2025, by month, read on 15 April.

    a pays 100, 120 from 15 Feb, still there; b pays 50 and leaves on 15 March; c pays 30 from 31 January,
    down to 20 on 28 February (its first anniversary), still there.
    """
    return Ledger.from_spells(
        spells(
            ("a", "2025-01-15", "2025-02-15", 100.0),
            ("a", "2025-02-15", None, 120.0),
            ("b", "2025-01-15", "2025-03-15", 50.0),
            ("c", "2025-01-31", "2025-02-28", 30.0),
            ("c", "2025-02-28", None, 20.0),
            region=["n", "n", "s", "s", "s"],
        ),
        as_of="2025-04-15",
    )


def test_cells_by_hand(book):
    frame = book.cohort_table(calendar="month").frame
    rows = frame.set_index(["tenure", "bucket"])
    columns = ["at_risk", "churned", "expanded", "contracted", "opening", "churned_amount", "expansion"]
    columns += ["contraction", "closing"]
    assert (frame["cohort"] == "2025-Q1").all()
    # tenure 0 of a and b ended on 15 Feb, two months back; a rose at its closing boundary
    assert rows.loc[(0, -2), columns].tolist() == [2, 0, 1, 0, 150, 0, 20, 0, 170]
    # tenure 0 of c ended on 28 Feb, and on 15 April one whole month has passed since; it fell by 10
    assert rows.loc[(0, -1), columns].tolist() == [1, 0, 0, 1, 30, 0, 0, 10, 20]
    # b declined at the boundary of tenure 1
    assert rows.loc[(1, -1), columns].tolist() == [2, 1, 0, 0, 170, 50, 0, 0, 120]
    assert rows.loc[(1, 0), columns].tolist() == [1, 0, 0, 0, 20, 0, 0, 0, 20]
    assert rows.loc[(2, 0), columns].tolist() == [1, 0, 0, 0, 120, 0, 0, 0, 120]
    assert len(rows) == 5
    squares = ["opening_sq", "churned_sq", "expansion_sq", "contraction_sq"]
    assert rows.loc[(0, -2), squares].tolist() == [100**2 + 50**2, 0, 400, 0]
    assert rows.loc[(1, -1), squares].tolist() == [120**2 + 50**2, 2500, 0, 0]
    assert rows.loc[(0, -2), "bucket_end"] == pd.Timestamp("2025-02-15")


def test_in_force_and_acquisitions_by_hand(book):
    table = book.cohort_table()
    rows = table.in_force.set_index(["tenure", "elapsed"])
    assert rows.loc[(3, 0), ["accounts", "amount", "opening", "amount_sq"]].tolist() == [1, 120, 120, 14_400]
    assert rows.loc[(2, 0), ["accounts", "amount", "opening", "change"]].tolist() == [1, 20, 20, 0]
    born = table.acquisitions.set_index("months")
    assert born.loc[3, ["accounts", "amount", "amount_sq"]].tolist() == [2, 150, 12_500]
    assert born.loc[2, ["accounts", "amount"]].tolist() == [1, 30]


def test_open_tenure_holds_change_and_loss_apart(book):
    """By quarter, nothing has closed but the first tenure of a and b, on 15 April."""
    table = book.cohort_table(period="quarter")
    assert table.frame[["tenure", "at_risk", "churned", "churned_amount"]].values.tolist() == [[0, 2, 1, 50]]
    rows = table.in_force.set_index("tenure")
    assert rows.loc[1, ["accounts", "amount", "elapsed"]].tolist() == [1, 120, 0]
    assert rows.loc[0, ["accounts", "amount", "new", "change", "elapsed"]].tolist() == [1, 20, 30, -10, 2]


def test_a_loss_in_an_open_tenure_is_not_counted_yet(book):
    early = Ledger.from_spells(
        spells(("a", "2025-01-15", "2025-02-20", 10.0), ("b", "2025-01-15", None, 7.0)), as_of="2025-03-01"
    )
    table = early.cohort_table()
    assert table.frame[["at_risk", "churned"]].values.tolist() == [[2, 0]]
    row = table.in_force.iloc[0]
    assert (row["accounts"], row["lost_accounts"], row["lost_amount"], row["opening"]) == (1, 1, 10, 17)


def test_trials_gaps_returns_and_bridges():
    frame = spells(
        ("a", "2025-01-01", "2025-01-15", 0.0),
        ("a", "2025-01-15", "2025-03-01", 10.0),
        ("a", "2025-03-04", "2025-04-01", 10.0),
        ("a", "2025-06-01", None, 12.0),
    )
    ledger = Ledger.from_spells(frame, as_of="2025-07-31", bridge_gap_days=3)
    names = {check.name: check.rows for check in ledger.checks}
    assert names == {"amount_zero": 1, "bridged": 1, "returned": 1}
    table = ledger.cohort_table(cohort="month")
    lost = table.frame.set_index(["cohort", "tenure"])["churned"]
    assert lost.loc["2025-01"].tolist() == [0, 0, 1]  # from 15 January; gone on 1 April, in tenure 2
    assert lost.loc["reactivated"].tolist() == [0]  # June; July closes on 1 August
    strict = Ledger.from_spells(frame, as_of="2025-07-31", bridge_gap_days=2).cohort_table(cohort="month")
    assert strict.frame.groupby("cohort")["churned"].sum().to_dict() == {"2025-01": 1, "reactivated": 1}


def test_overlaps_sum_and_touching_spells_join():
    ledger = Ledger.from_spells(
        spells(("a", "2025-01-01", None, 10.0), ("a", "2025-02-01", "2025-03-01", 5.0)), as_of="2025-04-01"
    )
    assert [check.name for check in ledger.checks] == ["overlap"]
    frame = ledger.cohort_table().frame
    assert frame["opening"].tolist() == [10, 15, 10]
    assert frame["expansion"].tolist() == [5, 0, 0]
    assert frame["contraction"].tolist() == [0, 5, 0]


def test_late_entry_begins_at_the_first_whole_tenure():
    frame = spells(
        ("on", "2025-01-10", None, 1.0),
        ("off", "2025-01-20", None, 2.0),
        ("lost", "2025-01-20", "2025-02-05", 4.0),
    )
    frame["acquired"] = pd.Timestamp("2024-11-10")
    table = Ledger.from_spells(frame, as_of="2025-03-10", acquired="acquired").cohort_table()
    rows = table.frame.set_index("tenure")[["at_risk", "late_entered", "late_entries", "opening", "churned"]]
    assert rows.loc[2].tolist() == [1, 1, 1, 1, 0]  # the one who entered on the second anniversary
    assert rows.loc[3].tolist() == [2, 1, 2, 3, 0]  # 'off' from its first whole tenure; 'lost' never
    named = {check.name: check.rows for check in table.checks}
    assert named == {"late_entry": 2, "lost_before_first_tenure": 1}
    assert table.acquisitions.empty
    assert table.in_force[["accounts", "amount"]].values.tolist() == [[2, 3]]


def test_causes_are_counted_where_they_close_a_life():
    frame = spells(
        ("a", "2025-01-01", "2025-02-10", 1.0),
        ("b", "2025-01-01", "2025-02-10", 1.0),
        ("c", "2025-01-01", "2025-02-01", 1.0),
        ("c", "2025-02-01", None, 2.0),
        why=["price", None, "upgrade", None],
    )
    table = Ledger.from_spells(frame, as_of="2025-04-01", cause="why").cohort_table()
    assert table.causes == ("price", "unknown", "upgrade")
    lost = table.frame[["churned", "churned_price", "churned_unknown", "churned_upgrade"]].sum()
    assert lost.tolist() == [2, 1, 1, 0]


def test_a_cause_that_would_name_a_money_column_is_refused():
    frame = spells(("a", "2025-01-01", "2025-02-10", 1.0), why="amount")
    with pytest.raises(DataError, match="the cause 'amount' would name a money column"):
        Ledger.from_spells(frame, as_of="2025-04-01", cause="why").cohort_table()


def test_a_segment_that_changes_keeps_its_value_at_acquisition(book):
    frame = spells(
        ("a", "2025-01-01", "2025-02-01", 1.0), ("a", "2025-02-01", None, 1.0), ("b", "2025-01-01", None, 1.0)
    ).assign(plan=["small", "large", None])
    ledger = Ledger.from_spells(frame, as_of="2025-04-01")
    with pytest.warns(DataWarning, match=r"1 lives change 'plan'.*customers a"):
        table = ledger.cohort_table(by=["plan"])
    assert set(table.frame["plan"]) == {"small", "(none)"}
    assert {check.name for check in table.checks} == {"segment_changed", "segment_missing"}
    both = book.cohort_table(by=["region"])
    assert both.in_force.groupby("region")["amount"].sum().to_dict() == {"n": 120, "s": 20}


def test_yearly_amounts_are_never_divided(book):
    frame = spells(("a", "2025-01-01", None, 1200.0))
    table = Ledger.from_spells(frame, as_of="2025-03-01", amount_per="year").cohort_table()
    assert table.frame["opening"].tolist() == [1200, 1200]
    assert table.triangle("cumulative").loc["2025-Q1"].tolist() == [100, 200]


def test_contracts_longer_than_the_period_are_refused():
    frame = spells(("a", "2025-01-01", None, 1.0), ("b", "2025-01-01", None, 1.0), term=[12, 1])
    ledger = Ledger.from_spells(frame, as_of="2025-04-01", term_months="term")
    with pytest.raises(DataError, match=r"1 customers have 12-month terms in monthly cells.*use period='year'"):
        ledger.cohort_table()
    assert ledger.cohort_table(period="year").in_force["accounts"].sum() == 2
    constant = Ledger.from_spells(frame, as_of="2025-04-01", term_months=3)
    with pytest.raises(DataError, match=r"2 customers have 3-month terms.*use period='quarter'"):
        constant.cohort_table()


def test_accounts_in_force_stay_in_the_engine(book):
    listed = book.accounts_in_force(by=["region"])
    assert isinstance(listed, nw.LazyFrame)
    rows = listed.sort("customer_id").collect(backend="polars").to_native().rows()
    assert rows == [("a", "2025-Q1", "n", 3, 0, 120.0), ("c", "2025-Q1", "s", 2, 0, 20.0)]


def test_a_table_where_nothing_has_closed():
    table = Ledger.from_spells(spells(("a", "2025-01-01", None, 3.0)), as_of="2025-01-20").cohort_table(by=[])
    assert table.frame.empty
    assert table.in_force[["accounts", "amount", "new"]].values.tolist() == [[1, 3, 3]]
    with pytest.raises(DataError, match="no tenure has been completed"):
        table.triangle("retention")


def test_names_of_segments_that_cannot_be(book):
    with pytest.raises(ColumnError, match=r"no column 'regoin'. Did you mean 'region'\?"):
        book.cohort_table(by=["regoin"])
    with pytest.raises(DefinitionError, match="by='amount' is a column of the table itself"):
        book.cohort_table(by=["amount"])
    with pytest.raises(DefinitionError, match="calendar='week' is not a unit"):
        book.cohort_table(calendar="week")


def test_columns_of_another_name_and_engine():
    rows = {"who": [1, 2], "from": ["2025-01-01", "2025-01-05"], "to": ["2025-02-20", None], "mrr": [10, 20]}
    names = {"customer_id": "who", "start": "from", "end": "to", "amount": "mrr"}
    frame = pl.DataFrame(rows)
    connection = duckdb.connect()
    sources = [frame, frame.lazy(), connection.from_arrow(frame.to_arrow()), frame.to_pandas()]
    tables = [Ledger.from_spells(s, as_of=date(2025, 4, 1), columns=names).cohort_table() for s in sources]
    assert len({table.fingerprint for table in tables}) == 1
    with pytest.raises(ColumnError, match=r"columns=: no column 'customer_id'|no column 'amont'"):
        Ledger.from_spells(frame, as_of="2025-04-01", columns=names | {"amont": "mrr"})
