"""Month arithmetic at the ends of months, on two engines."""

from datetime import date

import duckdb
import narwhals.stable.v2 as nw
import polars as pl
import pytest

from lifeworth.errors import DefinitionError
from lifeworth.ledger.months import (
    cohort_index,
    cohort_label,
    cohort_label_expr,
    completed_months,
    is_anniversary,
    months_in,
    shift_months,
    tenure_of,
    whole_months,
)

TRAPS = [  # acquired, day, completed months, exactly on an anniversary
    ("2025-01-31", "2025-02-01", 0, False),
    ("2025-01-31", "2025-02-27", 0, False),
    ("2025-01-31", "2025-02-28", 1, True),
    ("2025-01-31", "2025-03-01", 1, False),
    ("2025-01-31", "2025-03-30", 1, False),
    ("2025-01-31", "2025-03-31", 2, True),
    ("2024-01-31", "2024-02-28", 0, False),
    ("2024-01-31", "2024-02-29", 1, True),
    ("2024-02-29", "2025-02-28", 12, True),
    ("2024-02-29", "2028-02-28", 47, False),
    ("2024-02-29", "2028-02-29", 48, True),
    ("2024-02-28", "2024-03-28", 1, True),
    ("2024-02-29", "2024-03-28", 0, False),
    ("2024-12-15", "2025-01-14", 0, False),
    ("2024-12-15", "2025-01-15", 1, True),
    ("2025-04-30", "2025-05-30", 1, True),
    ("2025-04-30", "2025-05-31", 1, False),
    ("1900-01-31", "1900-02-28", 1, True),
    ("2000-01-31", "2000-02-28", 0, False),
    ("2025-06-10", "2025-06-10", 0, True),
]


@pytest.fixture(params=["duckdb", "polars"])
def frame(request):
    dates = {"a": [date.fromisoformat(t[0]) for t in TRAPS], "d": [date.fromisoformat(t[1]) for t in TRAPS]}
    table = pl.DataFrame(dates).with_row_index("i")
    if request.param == "polars":
        return nw.from_native(table.lazy())
    return nw.from_native(duckdb.connect().from_arrow(table.to_arrow()))


def listed(frame, expr):
    rows = frame.select("i", x=expr).sort("i").collect(backend="pyarrow").to_native()
    return rows.column("x").to_pylist()


def test_month_ends(frame):
    acquired, day = nw.col("a"), nw.col("d")
    assert listed(frame, whole_months(acquired, day)) == [t[2] for t in TRAPS]
    assert listed(frame, is_anniversary(acquired, day)) == [t[3] for t in TRAPS]


@pytest.mark.parametrize("months", [1, 3, 12])
def test_an_anniversary_closes_the_tenure_before_it(frame, months):
    expected = [-(-t[2] // months) - 1 if t[3] else t[2] // months for t in TRAPS]
    assert listed(frame, tenure_of(nw.col("a"), nw.col("d"), months=months)) == expected


@pytest.mark.parametrize("as_of", ["2028-02-28", "2028-02-29", "2028-03-30", "2029-02-28"])
def test_completed_months_to_a_fixed_day(frame, as_of):
    day = date.fromisoformat(as_of)
    fixed = listed(frame, completed_months(nw.col("a"), day))
    assert fixed == listed(frame, whole_months(nw.col("a"), nw.lit(day)))


@pytest.mark.parametrize(("months", "name"), [(1, "2025-01"), (3, "2025-Q1"), (12, "2025")])
def test_cohort_labels_are_the_same_in_and_out_of_the_engine(frame, months, name):
    index = cohort_index(nw.col("a"), months=months)
    assert listed(frame, cohort_label_expr(index, months=months)) == [
        cohort_label(i, months) for i in listed(frame, index)
    ]
    assert cohort_label(listed(frame, index)[0], months) == name


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        ("2025-11-30", -3, "2025-08-31"),
        ("2025-02-28", -3, "2024-11-30"),
        ("2025-03-15", -3, "2024-12-15"),
        ("2025-05-30", -3, "2025-02-28"),
        ("2024-02-29", -12, "2023-02-28"),
    ],
)
def test_a_month_end_stays_a_month_end(day, months, expected):
    assert shift_months(date.fromisoformat(day), months) == date.fromisoformat(expected)


def test_refuses_a_unit_that_is_not_one():
    with pytest.raises(DefinitionError, match="period='week' is not a unit"):
        months_in("week", what="period")
