"""Movements: signed changes, their signs, and the level they leave."""

import pandas as pd
import polars as pl
import pytest

from lifeworth.errors import DataError
from lifeworth.ledger import Ledger

BOOK = [
    ("a", "2025-01-10", "new", 100.0),
    ("a", "2025-02-01", "expansion", 20.0),
    ("a", "2025-02-15", "price", 6.0),
    ("a", "2025-04-20", "contraction", -26.0),
    ("b", "2025-01-10", "new", 50.0),
    ("b", "2025-02-20", "price", 2.5),
    ("b", "2025-03-05", "churn", -52.5),
    ("b", "2025-05-01", "reactivation", 40.0),
]


def movements(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["customer_id", "date", "kind", "delta"])


def test_by_hand():
    frame = Ledger.from_movements(movements(*BOOK), as_of="2025-05-20").cohort_table().frame
    rows = frame[frame["cohort"] == "2025-Q1"].set_index("tenure")
    columns = ["at_risk", "churned", "opening", "expansion", "contraction", "churned_amount", "closing"]
    assert rows.loc[0, columns].tolist() == [2, 0, 150, 20, 0, 0, 170]
    assert rows.loc[1, columns].tolist() == [2, 1, 170, 6, 0, 50, 126]
    assert rows.loc[3, columns].tolist() == [1, 0, 126, 0, 26, 0, 100]


def test_price_can_be_stripped_and_churn_still_leaves_zero():
    ledger = Ledger.from_movements(movements(*BOOK), as_of="2025-05-20", strip=("price",))
    table = ledger.cohort_table()
    rows = table.frame[table.frame["cohort"] == "2025-Q1"].set_index("tenure")
    assert rows["expansion"].tolist() == [20, 0, 0, 0]
    assert rows.loc[1, ["churned", "churned_amount"]].tolist() == [1, 50]
    assert table.in_force.set_index("cohort")["amount"].to_dict() == {"2025-Q1": 94, "reactivated": 40}


def test_equals_the_same_book_written_as_spells():
    spells = pd.DataFrame(
        [
            ("a", "2025-01-10", "2025-02-01", 100.0),
            ("a", "2025-02-01", "2025-02-15", 120.0),
            ("a", "2025-02-15", "2025-04-20", 126.0),
            ("a", "2025-04-20", None, 100.0),
            ("b", "2025-01-10", "2025-02-20", 50.0),
            ("b", "2025-02-20", "2025-03-05", 52.5),
            ("b", "2025-05-01", None, 40.0),
        ],
        columns=["customer_id", "start", "end", "amount"],
    )
    expected = Ledger.from_spells(spells, as_of="2025-05-20").cohort_table().fingerprint
    frame = pl.from_pandas(movements(*BOOK))
    for source in (frame, frame.lazy(), frame.sample(fraction=1, shuffle=True, seed=3)):
        assert Ledger.from_movements(source, as_of="2025-05-20").cohort_table().fingerprint == expected


def test_a_plan_switch_on_one_day_is_no_churn():
    rows = [*BOOK[:1], ("a", "2025-02-05", "churn", -100.0), ("a", "2025-02-05", "new", 30.0)]
    table = Ledger.from_movements(movements(*rows), as_of="2025-03-10").cohort_table()
    assert table.frame[["churned", "contraction"]].sum().tolist() == [0, 70]


def test_the_cause_of_a_churn():
    frame = movements(*BOOK).assign(why=None)
    frame["why"] = frame["why"].astype("str")
    frame.loc[6, "why"] = "price"
    table = Ledger.from_movements(frame, as_of="2025-05-20", cause="why").cohort_table()
    assert table.frame["churned_price"].sum() == 1


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (
            ("a", "2025-02-01", "expansion", -1.0),
            "1 movements have a delta whose sign contradicts their kind",
        ),
        (("a", "2025-02-01", "churn", 100.0), "sign contradicts"),
        (("a", "2025-02-01", "new", 0.0), "sign contradicts"),
        (("a", "2025-02-01", "contraction", -101.0), "the level falls below zero on 1 days"),
        (("a", "2025-02-01", "churn", -99.0), "churn does not leave zero on 1 days"),
        (("a", "2025-02-01", "credit", float("nan")), "1 movements have a delta that is null"),
        (("a", None, "credit", 1.0), "1 movements have no date"),
        (("a", "01.02.2025", "credit", 1.0), "1 movements have a date that cannot be read"),
        (("a", "2025-02-01", None, 1.0), "1 movements have no kind"),
        ((None, "2025-02-01", "credit", 1.0), "1 movements have no customer_id"),
        (("a", "2025-01-10", "new", 100.0), "1 rows are exact duplicates"),
    ],
)
def test_rules(row, says):
    with pytest.raises(DataError, match=says):
        Ledger.from_movements(movements(BOOK[0], row), as_of="2025-05-20")


def test_refuses_to_strip_what_is_not_there_or_churn():
    with pytest.raises(DataError, match=r"strip= names kinds that do not occur: prize\. Kinds: churn, contraction"):
        Ledger.from_movements(movements(*BOOK), as_of="2025-05-20", strip="prize")
    with pytest.raises(DataError, match="nobody ever leaving"):
        Ledger.from_movements(movements(*BOOK), as_of="2025-05-20", strip=["churn"])
