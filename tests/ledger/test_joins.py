"""Joined fields: in the engine, never multiplying a row."""

import duckdb
import pandas as pd
import polars as pl
import pytest

from lifeworth.errors import ColumnError, DataError
from lifeworth.ledger import Ledger

SPELLS = pl.DataFrame(
    {
        "who": [1, 1, 2, 3],
        "start": ["2025-01-01", "2025-02-01", "2025-01-01", "2025-01-01"],
        "end": ["2025-02-01", None, None, None],
        "amount": [1.0, 2.0, 4.0, 8.0],
        "shop": ["n", "n", "s", "s"],
    }
)
FIELDS = pl.DataFrame({"customer_id": [1, 2, 9], "size": ["big", "small", "big"]})
NAMES = {"customer_id": "who"}


def ledger_of(source) -> Ledger:
    return Ledger.from_spells(source, as_of="2025-04-01", columns=NAMES)


@pytest.mark.parametrize("fields", [FIELDS, FIELDS.to_pandas(), FIELDS.lazy()])
@pytest.mark.parametrize("spells", [SPELLS, SPELLS.lazy()])
def test_joins_by_customer(spells, fields):
    ledger = ledger_of(spells).join(fields, on="customer_id")
    check = ledger.checks[-1]
    assert (check.name, check.severity, check.rows, check.customers) == ("join_unmatched", "note", 1, ("3",))
    table = ledger.cohort_table(by=["size"])
    assert table.in_force.groupby("size")["amount"].sum().to_dict() == {"(none)": 8, "big": 2, "small": 4}
    assert table.in_force["accounts"].sum() == 3


def test_joins_by_another_column_and_from_a_file(tmp_path):
    path = tmp_path / "shops.csv"
    path.write_text("shop,country\nn,NO\ns,ES\n")
    ledger = ledger_of(SPELLS).join(path, on="shop")
    assert ledger.checks == ledger_of(SPELLS).checks
    amounts = ledger.cohort_table(by=["country", "shop"]).in_force.groupby("country")["amount"].sum()
    assert amounts.to_dict() == {"ES": 12, "NO": 2}
    again = ledger.join(FIELDS, on="customer_id")
    assert again.segments[-2:] == ("country", "size")


def test_refuses_to_multiply():
    twice = pd.DataFrame({"customer_id": [1, 1, 2], "size": ["a", "b", "c"]})
    with pytest.raises(DataError, match="1 keys of 'customer_id' match more than one row to join: 1"):
        ledger_of(SPELLS).join(twice, on="customer_id")


def test_refuses_a_key_or_a_name_that_does_not_fit():
    with pytest.raises(ColumnError, match="the source to join: no column 'shop'"):
        ledger_of(SPELLS).join(FIELDS, on="shop")
    with pytest.raises(DataError, match="the ledger already has shop"):
        ledger_of(SPELLS).join(pd.DataFrame({"customer_id": [1], "shop": ["x"]}), on="customer_id")


def test_a_relation_of_ones_own_connection():
    connection = duckdb.connect()
    ledger = ledger_of(connection.from_arrow(SPELLS.to_arrow()))
    joined = ledger.join(connection.from_arrow(FIELDS.to_arrow()), on="customer_id")
    assert joined.cohort_table(by=["size"]).in_force["accounts"].sum() == 3
    with pytest.raises(DataError, match="relation of the ledger's own connection"):
        ledger.join(FIELDS, on="customer_id")
