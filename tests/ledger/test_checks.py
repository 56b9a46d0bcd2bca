"""Every rule of the door, one by one: what it counts, whom it names, what it says to do."""

from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest

from lifeworth.errors import ColumnError, DataError, DataWarning
from lifeworth.ledger import Check, Ledger

GOOD = {"customer_id": "ok", "start": date(2025, 1, 1), "end": None, "amount": 10.0}
AS_OF = "2025-06-30"


def ledger_of(*rows: dict, **options) -> Ledger:
    schema = {"customer_id": pl.String, "start": pl.Date, "end": pl.Date, "amount": pl.Float64}
    extra = {k: None for row in rows for k in row if k not in schema}
    frame = pl.DataFrame([GOOD | extra | row for row in ({}, *rows)], schema_overrides=schema)
    return Ledger.from_spells(frame.lazy(), **({"as_of": AS_OF} | options))


def found(ledger: Ledger) -> dict[str, Check]:
    return {check.name: check for check in ledger.checks}


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"customer_id": None}, "1 rows have no customer_id"),
        ({"start": None}, "1 rows have no start"),
        ({"end": date(2024, 12, 31)}, "1 rows end before they start"),
        ({"amount": None}, "1 rows have an amount that is null or not finite"),
        ({"amount": float("nan")}, "1 rows have an amount that is null or not finite"),
        ({"amount": float("inf")}, "1 rows have an amount that is null or not finite"),
        ({"amount": -0.01}, "1 rows have a negative amount"),
        ({"amount": 1e12}, "too large to be added exactly"),
        ({"customer_id": "ok"}, "1 rows are exact duplicates of another row"),
    ],
)
def test_errors(row, says):
    with pytest.raises(DataError, match=says) as caught:
        ledger_of({"customer_id": "bad"} | row)
    named = "None" if row.get("customer_id", "bad") is None else row.get("customer_id", "bad")
    assert f"customers {named}" in str(caught.value)


def test_all_errors_are_told_at_once_and_five_customers_named():
    rows = [{"customer_id": f"c{i}", "amount": -1.0, "end": date(2024, 1, 1)} for i in range(7)]
    with pytest.raises(DataError) as caught:
        ledger_of(*rows)
    text = str(caught.value)
    assert "7 rows have a negative amount (customers c0, c1, c2, c3, c4)" in text
    assert "7 rows end before they start" in text
    assert "c5" not in text


def test_names_are_printable_and_short():
    with pytest.raises(DataError) as caught:
        ledger_of({"customer_id": "x\n\x1b[31m" + "y" * 60, "amount": -1.0})
    named = str(caught.value).split("customers ")[1].split(")")[0]
    assert len(named) == 40
    assert named.isprintable()


@pytest.mark.parametrize(
    ("row", "name"),
    [
        ({"amount": 0.0}, "amount_zero"),
        ({"amount": 1.00001}, "amount_rounded"),
        ({"end": date(2025, 1, 1)}, "zero_length"),
        ({"start": date(2025, 7, 1)}, "start_after_as_of"),
        ({"end": date(2025, 7, 1)}, "end_after_as_of"),
        ({"customer_id": "ok", "amount": 5.0}, "overlap"),
    ],
)
def test_notes(row, name):
    check = found(ledger_of({"customer_id": "x"} | row))[name]
    assert (check.severity, check.rows) == ("note", 1)
    assert check.customers == (row.get("customer_id", "x"),)


def test_what_the_notes_say_is_what_happens():
    ledger = ledger_of(
        {"customer_id": "trial", "amount": 0.0},
        {"customer_id": "never", "end": date(2025, 1, 1)},
        {"customer_id": "later", "start": date(2025, 7, 1)},
        {"customer_id": "known", "end": date(2025, 6, 30)},
        {"customer_id": "soon", "end": date(2025, 7, 1)},
    )
    table = ledger.cohort_table()
    assert table.in_force["accounts"].sum() == 2  # ok and soon; known ends on as_of
    assert table.acquisitions["accounts"].sum() == 3


def test_four_decimals_are_exact_and_not_noted():
    ledger = ledger_of(*({"customer_id": f"c{i}", "amount": 0.1} for i in range(1000)))
    assert found(ledger) == {}
    assert ledger.cohort_table().in_force["amount"].sum() == 110.0


def test_sums_beyond_exactness_are_refused():
    with pytest.raises(DataError, match=r"the amounts sum to 9.01e\+14, too large"):
        ledger_of(*({"customer_id": f"c{i}", "amount": 9e11} for i in range(1001)))


def test_empty_ledger():
    with pytest.raises(DataError, match="the ledger is empty"):
        Ledger.from_spells(pd.DataFrame({k: [] for k in GOOD} | {"amount": np.array([])}), as_of=AS_OF)


def test_same_amount_twice_is_fine_when_a_column_tells_them_apart():
    assert "duplicates" not in found(ledger_of({"seat": "b"}))


def test_acquired_after_the_first_start():
    rows = [{"customer_id": f"c{i}", "acquired": date(2025, 2, 1)} for i in range(6)]
    with pytest.warns(DataWarning, match=r"6 customers have `acquired` after.*c0, c1, c2, c3, c4\)"):
        ledger = ledger_of(*rows, acquired="acquired")
    assert set(ledger.cohort_table(cohort="month").in_force["cohort"]) == {"2025-01"}


def test_inclusive_ends_are_suspected_and_read():
    rows = []
    for i in range(10):
        rows.append({"customer_id": f"c{i}", "end": date(2025, 1, 31)})
        rows.append({"customer_id": f"c{i}", "start": date(2025, 2, 1)})
    with pytest.warns(DataWarning, match=r"10 of 10 consecutive spells leave a gap of exactly one day"):
        wrong = ledger_of(*rows)
    assert wrong.cohort_table().frame["churned"].sum() == 10
    right = ledger_of(*rows, end_inclusive=True)
    assert right.checks == ()
    assert right.cohort_table().frame["churned"].sum() == 0


def test_inclusive_end_on_the_day_of_start_is_one_day():
    ledger = ledger_of({"customer_id": "x", "end": date(2025, 1, 1)}, end_inclusive=True)
    assert ledger.cohort_table().frame["churned"].sum() == 1


def test_currencies():
    with pytest.raises(DataError, match="column 'cur' mixes currencies: \\(none\\), EUR, USD"):
        ledger_of({"customer_id": "x", "cur": "USD"}, {"customer_id": "y", "cur": "EUR"}, currency="cur")
    frame = pd.DataFrame([GOOD | {"cur": "CHF"}])
    assert Ledger.from_spells(frame, as_of=AS_OF, currency="cur").currency == "CHF"
    assert Ledger.from_spells(frame, as_of=AS_OF, currency="usd").cohort_table().currency == "USD"
    with pytest.raises(ColumnError, match=r"no column 'curr'\. Did you mean 'cur'"):
        Ledger.from_spells(frame, as_of=AS_OF, currency="curr")


@pytest.mark.parametrize("bad", ["2025-02-30", "31/12/2025", "2025-13-01", "2025-1-1", "", "2025-01-01 10:00"])
def test_dates_in_text(bad):
    frame = pl.DataFrame(
        {"customer_id": ["a", "b"], "start": ["2025-01-01T00:00:00Z", bad], "end": ["2025-02-28", None]}
    )
    frame = frame.with_columns(amount=1.0)
    for source in (frame, frame.lazy()):
        with pytest.raises(DataError, match=r"1 rows have a date that cannot be read \(customers b\). Write dates as"):
            Ledger.from_spells(source, as_of=AS_OF)


def test_instants_are_read_as_their_utc_date():
    late = datetime(2025, 1, 31, 23, 30)
    frame = pl.DataFrame({"customer_id": ["a"], "start": [late], "end": [None], "amount": [1.0]})
    frame = frame.with_columns(pl.col("start").dt.replace_time_zone("America/New_York"))
    frame = frame.with_columns(pl.col("end").cast(pl.Date))
    assert frame["start"][0].astimezone(UTC).day == 1
    for source in (frame, frame.lazy()):
        ledger = Ledger.from_spells(source, as_of=AS_OF)
        assert set(ledger.cohort_table(cohort="month").in_force["cohort"]) == {"2025-02"}
    assert found(ledger)["time_zone"].severity == "note"
    naive = Ledger.from_spells(frame.with_columns(start=late), as_of=AS_OF)
    assert set(naive.cohort_table(cohort="month").in_force["cohort"]) == {"2025-01"}


def test_columns_of_the_wrong_kind():
    with pytest.raises(DataError, match="column 'start' is Int64, not a date"):
        Ledger.from_spells(pl.DataFrame([GOOD]).with_columns(start=pl.lit(20250101, pl.Int64)), as_of=AS_OF)
    with pytest.raises(DataError, match="column 'amount' is String, not a number"):
        Ledger.from_spells(pl.DataFrame([GOOD]).with_columns(amount=pl.lit("1,000")), as_of=AS_OF)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"as_of": "June"}, "as_of='June' is not a date"),
        ({"bridge_gap_days": -1}, "bridge_gap_days=-1 is not a number of days"),
        ({"acquired": "acq"}, "no column 'acq'"),
        ({"cause": "amout"}, "Did you mean 'amount'"),
    ],
)
def test_options(options, says):
    with pytest.raises(DataError, match=says):
        ledger_of(**options)


def test_a_column_of_ends_that_is_empty_may_have_any_type():
    frame = pd.DataFrame({"customer_id": [1, 2], "start": ["2025-01-01"] * 2, "end": np.nan, "amount": [1, 2]})
    assert Ledger.from_spells(frame, as_of=AS_OF).cohort_table().in_force["amount"].sum() == 3
