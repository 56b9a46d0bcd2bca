"""Contract terms as a segment: who must give them, where they come from, and what they are of a life."""

import pandas as pd
import polars as pl
import pytest

from lifeworth.errors import ColumnError, DataError, DataWarning
from lifeworth.indexing import TableIndex
from lifeworth.ledger import Ledger

ROWS = [
    ("a", "2024-01-15", "2025-01-15", 10.0, 12, "n"),
    ("b", "2024-01-15", None, 20.0, 12, "s"),
    ("c", "2024-03-01", "2024-05-01", 5.0, 1, "n"),
    ("d", "2024-02-01", None, 40.0, 24, "n"),
]
NAMES = ["customer_id", "start", "end", "amount", "term", "region"]


def frame(rows=ROWS, **names):
    return pd.DataFrame(rows, columns=NAMES).rename(columns=names)


def ledger(source=None, term_months="term", as_of="2025-03-31"):
    return Ledger.from_spells(frame() if source is None else source, as_of=as_of, term_months=term_months)


def test_without_the_terms_the_refusal_names_the_remedy():
    text = r'1 customers have 24-month terms in monthly cells.*Add "term_months" to `by`, and `fit` models the renewals'
    with pytest.raises(DataError, match=text):
        ledger().cohort_table()
    with pytest.raises(DataError, match='"term_months"'):
        ledger().cohort_table(by=["region"])


def test_the_longest_period_that_holds_every_term_is_offered_too():
    with pytest.raises(DataError, match=r"or use period='year'"):
        ledger(frame(ROWS[:3])).cohort_table()
    with pytest.raises(DataError) as refused:
        ledger().cohort_table()
    assert "period=" not in str(refused.value)  # 24 months are longer than any


def test_by_term_every_customer_stands_in_the_cells_of_his_own():
    table = ledger().cohort_table(by=["term_months"])
    left = table.frame.groupby("term_months")[["at_risk", "churned"]].sum()
    assert left.loc["1"].tolist() == [2, 1]  # c: March and April
    assert left.loc["12"].tolist() == [12 + 14, 1]  # a leaves at the end of month 11; b has 14 whole months
    assert left.loc["24"].tolist() == [13, 0]
    gone = table.frame[(table.frame["term_months"] == "12") & (table.frame["churned"] > 0)]
    assert gone["tenure"].tolist() == [11]
    assert table.in_force.groupby("term_months")["amount"].sum().to_dict() == {"12": 20.0, "24": 40.0}


def test_terms_stand_beside_other_segments():
    table = ledger().cohort_table(by=["region", "term_months"])
    index = TableIndex.of(table)
    assert index.segments == (("n", "1"), ("n", "12"), ("n", "24"), ("s", "12"))
    assert index.shape.longest_term == 24
    assert index.shape.columns == (("region", 2), ("term_months", 3))
    listed = ledger().accounts_in_force(by=["region", "term_months"]).sort("customer_id").collect().to_native()
    assert pl.DataFrame(listed)["term_months"].to_list() == ["12", "24"]


def test_a_number_is_the_term_of_everybody():
    table = ledger(term_months=12).cohort_table(by=["term_months"])
    assert set(table.frame["term_months"]) == {"12"}


def test_the_column_may_have_the_name_itself():
    named = ledger(frame(term="term_months"), term_months="term_months")
    assert named.segments.count("term_months") == 1
    assert set(named.cohort_table(by=["term_months"]).frame["term_months"]) == {"1", "12", "24"}


def test_a_column_of_that_name_is_the_term_where_none_is_named():
    table = ledger(frame(term="term_months"), term_months=None).cohort_table(by=["term_months"])
    assert TableIndex.of(table).shape.longest_term == 24


def test_the_column_named_goes_before_one_that_has_the_name():
    table = ledger(frame().assign(term_months=1)).cohort_table(by=["term_months"])
    assert set(table.frame["term_months"]) == {"1", "12", "24"}


def test_there_is_no_such_segment_where_no_term_is_known():
    with pytest.raises(ColumnError, match="term_months"):
        ledger(frame().drop(columns="term"), term_months=None).cohort_table(by=["term_months"])


def test_a_term_that_is_missing_is_none():
    """Nothing is known of it: free to leave in every period."""
    rows = [*ROWS[:2], ("e", "2024-02-01", None, 1.0, None, "n")]
    source = pl.DataFrame(rows, schema=NAMES, orient="row")
    table = ledger(source).cohort_table(by=["term_months"])
    assert set(table.frame["term_months"]) == {"12", "(none)"}
    index = TableIndex.of(table)
    assert dict(zip(index.segments, index.term([0, 1]), strict=True)) == {("(none)",): 1, ("12",): 12}


def test_the_term_of_a_life_is_that_of_its_first_spell():
    """Renewals are counted from acquisition, whatever the customer signs later; and it is said."""
    rows = [
        ("a", "2024-01-15", "2025-01-15", 10.0, 12, "n"),
        ("a", "2025-01-15", None, 10.0, 1, "n"),
        ("b", "2024-01-15", None, 10.0, 1, "n"),
    ]
    with pytest.warns(DataWarning, match=r"1 lives change 'term_months'.*customers a"):
        table = ledger(frame(rows)).cohort_table(by=["term_months"])
    assert table.frame.groupby("term_months")["at_risk"].sum().to_dict() == {"12": 14, "1": 14}


@pytest.mark.parametrize(("period", "periods"), [("month", 24), ("quarter", 8), ("year", 2)])
def test_terms_are_counted_in_periods_of_the_table(period, periods):
    table = ledger(as_of="2026-03-31").cohort_table(period=period, by=["term_months"])
    assert TableIndex.of(table).shape.longest_term == periods
