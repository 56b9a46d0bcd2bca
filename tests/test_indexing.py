"""Cells as positions and sums, against numbers worked out by hand."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from lifeworth.effects import Renewal
from lifeworth.indexing import SUMS, TableIndex, jump_size, merged, money_counts, segment_labels
from lifeworth.ledger import CohortTable, Ledger

SPELLS = pd.DataFrame(
    [
        ("a", "2025-01-10", "2025-04-10", 100.0, "X"),
        ("b", "2025-01-20", None, 300.0, "X"),
        ("c", "2025-02-10", "2025-03-10", 50.0, "Y"),
        ("c", "2025-03-10", None, 80.0, "Y"),
        ("d", "2025-06-15", None, 10.0, "Z"),
    ],
    columns=["customer_id", "start", "end", "amount", "segment"],
)


@pytest.fixture(scope="module")
def table() -> CohortTable:
    ledger = Ledger.from_spells(SPELLS, as_of=date(2025, 6, 30))
    return ledger.cohort_table(period="month", cohort="month", calendar="month", by=["segment"])


@pytest.fixture(scope="module")
def index(table) -> TableIndex:
    return TableIndex.of(table)


def cells(**columns):
    base = dict.fromkeys(("tenure", "segment", "cohort", "bucket"), 0) | dict.fromkeys(SUMS, 0.0)
    return pd.DataFrame(base | columns)


def test_labels_are_those_with_completed_tenures(index):
    assert index.segments == (("X",), ("Y",))
    assert index.cohorts == ("2025-01", "2025-02")


def test_sizes_and_units(index):
    """Two cohorts and five buckets are observed; both are rounded up to a multiple of four."""
    assert (index.shape.segments, index.shape.cohorts, index.shape.buckets) == (2, 4, 8)
    assert (index.shape.months_per_period, index.shape.months_per_bucket) == (1, 1)


def test_tenures_are_rounded_up_so_that_a_month_more_compiles_nothing(index):
    assert index.shape.tenures == 12


def test_weights_are_the_exposure_of_each_bucket(index, table):
    """Ends by month: Feb 2 (a, b), Mar 3 (a, b, c), Apr 3, May 2 (b, c), Jun 2."""
    assert table.frame.groupby("bucket")["at_risk"].sum().tolist() == [2, 3, 3, 2, 2]
    np.testing.assert_allclose(index.weights, np.array([0, 0, 0, 2, 3, 3, 2, 2]) / 12)


def test_the_last_bucket_is_the_last_position(index, table):
    positions = index.positions(table.frame, table.by)
    assert positions["bucket"].min() == 3
    assert positions["bucket"].max() == 7
    assert (positions["bucket"] - table.frame["bucket"] == 7).all()


def test_one_bucket_and_one_cohort_are_not_rounded_up(table):
    alone = table.frame[(table.frame["cohort"] == "2025-01") & (table.frame["tenure"] == 0)]
    counts = alone[["cohort", "tenure", "at_risk", "churned"]]
    shape = TableIndex.of(CohortTable.from_counts(counts, period="month")).shape
    assert (shape.cohorts, shape.buckets) == (1, 1)


def test_what_was_never_observed_has_position_minus_one(index):
    frame = pd.DataFrame({"cohort": ["2025-06", "2025-01"], "segment": ["Z", "X"], "tenure": [0, 3]})
    positions = index.positions(frame, ("segment",))
    assert positions["segment"].tolist() == [-1, 0]
    assert positions["cohort"].tolist() == [-1, 0]


def test_segments_of_several_columns_are_tuples():
    frame = pd.DataFrame({"a": ["x", "y"], "b": [1, 2]})
    assert segment_labels(frame, ("a", "b")) == [("x", "1"), ("y", "2")]
    assert segment_labels(frame, ()) == [(), ()]


def test_a_table_of_counts_has_one_bucket():
    counts = pd.DataFrame({"cohort": ["a", "a"], "tenure": [0, 1], "at_risk": [10, 8], "churned": [2, 1]})
    index = TableIndex.of(CohortTable.from_counts(counts, period="year"))
    assert (index.shape.buckets, index.weights) == (1, (1.0,))
    assert index.segments == ((),)


def test_merging_keeps_every_sum(table, index):
    for uses in ({"tenure"}, {"tenure", "segment"}, {"tenure", "segment", "cohort", "bucket"}):
        together = merged(table, index, frozenset(uses))
        np.testing.assert_allclose(together[list(SUMS)].sum(), table.frame[list(SUMS)].sum(), rtol=1e-12)
        assert not together.duplicated(["tenure", "segment", "cohort", "bucket"]).any()


def test_positions_that_are_not_used_are_zero(table, index):
    together = merged(table, index, frozenset({"tenure"}))
    assert not together[["segment", "cohort", "bucket"]].any(axis=None)
    assert together["tenure"].is_unique


def test_merged_cells_by_hand(table, index):
    """Tenure 0: a 100, b 300, c 50, none leaves, c grows by 30. Tenure 2: a, b, c at risk, a leaves."""
    by_tenure = merged(table, index, frozenset({"tenure"})).set_index("tenure")
    first, third = by_tenure.loc[0], by_tenure.loc[2]
    assert (first["at_risk"], first["churned"], first["opening"], first["expansion"]) == (3, 0, 450, 30)
    assert first["opening_sq"] == 100**2 + 300**2 + 50**2
    assert first["expansion_sq"] == 30**2
    assert (third["at_risk"], third["churned"], third["opening"]) == (3, 1, 480)
    assert (third["churned_amount"], third["churned_sq"]) == (100, 100**2)


def test_money_counts_by_hand():
    """Accounts of 100 and 300, the small one lost: 16e4 / 10e4 = 1.6 effective accounts, a quarter of them lost."""
    given = cells(at_risk=[2.0], churned=1.0, opening=400.0, opening_sq=1e5, churned_amount=100.0)
    money = money_counts(given)
    assert money["at_risk"].tolist() == pytest.approx([1.6])
    assert money["churned"].tolist() == pytest.approx([0.4])


def test_money_counts_of_equal_accounts_are_the_accounts():
    given = cells(at_risk=[5.0], churned=2.0, opening=50.0, opening_sq=500.0, churned_amount=20.0)
    assert money_counts(given)[["at_risk", "churned"]].to_numpy().ravel() == pytest.approx([5, 2])


def test_money_counts_leave_out_cells_without_money():
    given = cells(at_risk=[3.0, 4.0], opening=[30.0, 0.0], opening_sq=[300.0, 0.0])
    assert len(money_counts(given)) == 1


def test_effective_counts_never_exceed_the_accounts(table, index):
    together = merged(table, index, frozenset({"tenure", "segment"}))
    money = money_counts(together)
    assert (money["at_risk"] <= together["at_risk"] + 1e-9).all()
    assert (money["churned"] <= money["at_risk"]).all()


def test_jump_size_by_hand():
    """Changes of 10 and 30 are 1000 / 40 = 25 each; a segment without any takes the one of all: 1100 / 50 = 22."""
    given = cells(
        segment=[0, 0, 1, 2],
        at_risk=[2.0, 2.0, 1.0, 5.0],
        opening=[100.0, 100.0, 50.0, 500.0],
        expansion=[10.0, 30.0, 10.0, 0.0],
        expansion_sq=[100.0, 900.0, 100.0, 0.0],
    )
    assert jump_size(given, "expansion") == pytest.approx({0: 25.0, 1: 10.0, 2: 22.0})


def test_without_any_jump_its_size_is_the_mean_account():
    given = cells(segment=[0, 1], at_risk=[3.0, 1.0], opening=[60.0, 40.0])
    assert jump_size(given, "contraction") == pytest.approx({0: 25.0, 1: 25.0})


def test_alone_has_one_of_each_and_no_calendar(index):
    alone = index.alone()
    assert (alone.shape.segments, alone.shape.cohorts, alone.shape.buckets) == (1, 1, 1)
    assert alone.shape.tenures == index.shape.tenures
    assert alone.loading().shape == (0, 1)
    assert (alone.by, alone.shape.columns, alone.shape.longest_term) == ((), (), 1)
    assert alone.moves.tolist() == []


# --- What a segment brings along ---


@pytest.fixture(scope="module")
def crossed() -> TableIndex:
    """Three combinations of two values of one column with three of the other."""
    kinds = [("web", "12"), ("shop", "1"), ("web", "24")]
    rows = [(f"c{k}", "2025-01-10", None, 1.0, *kinds[k]) for k in range(3)]
    frame = pd.DataFrame(rows, columns=["customer_id", "start", "end", "amount", "channel", "term_months"])
    ledger = Ledger.from_spells(frame, as_of="2025-06-30")
    return TableIndex.of(ledger.cohort_table(by=["channel", "term_months"]))


def test_the_columns_are_known_by_name_and_size(crossed):
    assert crossed.by == ("channel", "term_months")
    assert crossed.segments == (("shop", "1"), ("web", "12"), ("web", "24"))
    assert crossed.shape.columns == (("channel", 2), ("term_months", 3))


def test_levels_are_the_places_of_a_segments_values(crossed):
    """Of an unseen segment, the place after the last, whether it comes as -1 or as the position after the last."""
    levels = crossed.levels(np.array([0, 1, 2, 1, -1, 3]))
    assert levels["channel"].tolist() == [0, 1, 1, 1, 2, 2]
    assert levels["term_months"].tolist() == [0, 1, 2, 1, 3, 3]


def test_the_term_is_the_segments_and_of_an_unseen_one_the_most_common(crossed):
    assert crossed.term(np.array([0, 1, 2])).tolist() == [1, 12, 24]
    assert crossed.shape.longest_term == 24
    twice = replace(crossed, segments=(*crossed.segments, ("shop", "12")))
    assert twice.term(np.array([-1, 4, 3])).tolist() == [12, 12, 12]


def test_without_the_column_every_term_is_one_period(index):
    assert index.by == ("segment",)
    assert index.term(np.array([0, 1, -1])).tolist() == [1, 1, 1]
    assert index.shape.longest_term == 1


def test_cells_bring_along_what_their_segment_has(crossed):
    positions = pd.DataFrame({"tenure": [3, 4], "segment": [2, 0], "cohort": [0, 0], "bucket": [1, 2]})
    cells = crossed.cells(positions)
    assert cells.segments == 3
    assert cells.term.tolist() == [24, 1]
    assert {name: at.tolist() for name, at in cells.levels.items()} == {"channel": [1, 0], "term_months": [2, 0]}


def test_cells_of_different_terms_are_not_merged():
    rows = [(f"c{k}", "2025-01-10", None, 1.0, (1, 12)[k % 2]) for k in range(4)]
    frame = pd.DataFrame(rows, columns=["customer_id", "start", "end", "amount", "term"])
    table = Ledger.from_spells(frame, as_of="2025-06-30", term_months="term").cohort_table(by=["term_months"])
    together = merged(table, TableIndex.of(table), Renewal().uses)
    assert together.groupby("segment")["at_risk"].sum().tolist() == [10, 10]


@pytest.mark.parametrize(
    ("weights", "moves"),
    [
        ((0.0, 0.0, 0.5, 0.5), [False, False, True]),
        ((0.0, 0.5, 0.0, 0.5), [False, True, True]),
        ((0.5, 0.0, 0.0, 0.5), [True, True, True]),
        ((0.0, 0.0, 0.0, 1.0), [False, False, False]),
    ],
)
def test_a_walk_moves_from_the_first_bucket_with_exposure(index, weights, moves):
    """Buckets added before it are not part of the walk; one without exposure in between is."""
    of_four = replace(index, weights=weights, shape=replace(index.shape, buckets=4))
    assert of_four.moves.tolist() == moves
