"""Somebody's spreadsheet: labels, units, numbers; and .xlsx files."""

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

import lifeworth as lw
from lifeworth.comparison import CellRange, read_sheet
from lifeworth.comparison.workbook import read_cells
from lifeworth.errors import ComparisonError, DataError, DefinitionError

TERMS = lw.Economics(gross_margin=0.8, discount_rate_annual=0.1, horizon_years=4, currency="EUR")


def workbook(path: Path, sheets: dict[str, dict[str, object]]) -> Path:
    """A workbook of worksheets given as the values of their cells."""
    book = Workbook()
    book.remove(book.active)
    for name, cells in sheets.items():
        sheet = book.create_sheet(name)
        for place, value in cells.items():
            sheet[place] = value
    book.save(path)
    return path


@pytest.fixture
def budget(tmp_path: Path) -> Path:
    cells = {"B2": "ARPA", "C2": 15000, "B3": "Gross margin", "C3": 0.85, "B4": "Churn", "C4": 0.15}
    cells |= {"B5": "Expansion", "C5": "10%", "B7": "checked by", "C7": "K."}
    return workbook(tmp_path / "budget.xlsx", {"Notes": {"A1": "read me"}, "CLTV": cells})


# --- Labels and units ---


def test_labels_are_forgiving():
    sheet = read_sheet({"Average revenue per account": 100, "GROSS MARGIN (%)": "80%", "Churn rate": "2%"}, "month")
    assert sheet.numbers == {"arpa": 100.0, "gross_margin": 0.8, "churn": 0.02}


@pytest.mark.parametrize(
    ("label", "given", "period", "name", "expected"),
    [
        ("ACV", "$12,000", "month", "arpa", 1000),
        ("MRR per customer", 1000, "quarter", "arpa", 3000),
        ("annual churn", 0.19, "quarter", "churn", 1 - 0.81**0.25),
        ("Monthly retention", "98%", "year", "churn", 1 - 0.98**12),
        ("retention", 0.8, "year", "churn", 0.2),
        ("expansion p.a.", 0.21, "month", "expansion", 1.21 ** (1 / 12) - 1),
        ("service_cost_annual", 1200, "month", "service_cost", 100),
        ("Discount rate", 0.12, "month", "discount_rate_annual", 0.12),
        ("Discount rate, monthly", 0.01, "year", "discount_rate_annual", 1.01**12 - 1),
        ("horizon (months)", 60, "year", "horizon_years", 5),
        ("horizon_years", 5, "month", "horizon_years", 5),
        ("churn", "-0%", "month", "churn", 0.0),
    ],
)
def test_units_are_those_the_label_says(label, given, period, name, expected):
    assert read_sheet({label: given}, period).numbers[name] == pytest.approx(expected)


@given(st.floats(0, 0.999), st.sampled_from(["month", "quarter", "year"]))
def test_annual_churn_compounds_back(churn, period):
    per_period = read_sheet({"annual churn": churn}, period).numbers["churn"]
    n = {"month": 12, "quarter": 4, "year": 1}[period]
    assert 1 - (1 - per_period) ** n == pytest.approx(churn, abs=1e-12)


@pytest.mark.parametrize(
    ("inputs", "named"),
    [
        ({"chrun": 0.1}, "chrun"),
        ({"net churn": 0.1}, "net churn"),
        ({"churn": 0.1, "Retention": 0.9}, "churn.*Retention"),
        ({"ARPA": 1, "ARPU": 1}, "ARPA.*ARPU"),
        ({"annual churn per month": 0.1}, "two units"),
        ({"gross margin": 85}, "85.*'82%'"),
        ({"churn": -0.1}, "churn"),
        ({"churn": "1,5"}, "1,5"),
        ({"churn": None}, "None"),
        ({"churn": True}, "True"),
        ({"churn": float("nan")}, "nan"),
        ({"ARPA": "about 100"}, "about 100"),
    ],
)
def test_what_is_unknown_or_ambiguous_is_refused_by_name(inputs, named):
    with pytest.raises(DefinitionError, match=named):
        read_sheet(inputs, "month")


def test_another_currency_is_refused():
    assert read_sheet({"currency": "eur", "ARPA": 1}, "year", "EUR").numbers == {"arpa": 1.0}
    with pytest.raises(ComparisonError, match=r"USD.*EUR"):
        read_sheet({"currency": "USD"}, "year", "EUR")


def test_frames_of_two_columns_or_of_one_row():
    expected = {"arpa": 100.0, "churn": 0.1}
    long = pd.DataFrame({"what": ["ARPA", "Churn"], "value": [100, "10%"]})
    assert read_sheet(long, "year").numbers == expected
    assert read_sheet(pd.DataFrame({"ARPA": [100], "Churn": [0.1]}), "year").numbers == expected
    with pytest.raises(DefinitionError, match="2 rows and 3 columns"):
        read_sheet(pd.DataFrame(np.ones((2, 3))), "year")


# --- Workbooks ---


def test_a_range_of_a_workbook(budget):
    expected = {"arpa": 15_000.0, "gross_margin": 0.85, "churn": 0.15, "expansion": 0.1}
    assert read_sheet(CellRange(budget, sheet="CLTV", cells="C5:B2"), "year").numbers == expected


def test_labels_over_values(tmp_path):
    path = workbook(tmp_path / "wide.xlsx", {"Sheet1": {"A1": "ARPA", "B1": "Churn", "A2": 100, "B2": 0.1}})
    assert read_sheet(str(path), "year").numbers == {"arpa": 100.0, "churn": 0.1}


def test_everything_that_is_filled_is_read_and_nothing_is_guessed(budget):
    with pytest.raises(DefinitionError, match="checked by"):
        read_sheet(CellRange(budget, sheet="CLTV"), "year")
    with pytest.raises(DefinitionError, match="1 rows and 1 columns"):
        read_sheet(budget, "year")


def test_a_cell_without_value_keeps_its_place(tmp_path):
    path = workbook(tmp_path / "a.xlsx", {"S": {"A1": "ARPA", "B1": 1, "A2": "Churn", "B3": 2}})
    assert read_cells(CellRange(path)) == [["ARPA", 1.0], ["Churn", None], [None, 2.0]]
    with pytest.raises(DefinitionError):
        read_sheet(path, "year")


@pytest.mark.parametrize(("value", "said"), [("#DIV/0!", "DIV/0"), ("=1/7", "without a stored value")])
def test_errors_in_cells_are_named(tmp_path, value, said):
    path = workbook(tmp_path / "a.xlsx", {"S": {"A1": "Churn", "B1": value}})
    with pytest.raises(DataError, match=f"B1.*{said}"):
        read_cells(CellRange(path))


def test_a_formula_has_the_value_that_was_stored_with_it(tmp_path):
    path = tmp_path / "stored.xlsx"
    workbook(path, {"S": {"A1": "Churn", "B1": "=1-0.85"}})
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    parts[sheet] = parts[sheet].replace(b"<v></v>", b"<v>0.15</v>").replace(b"<v />", b"<v>0.15</v>")
    with zipfile.ZipFile(path, "w") as file:
        for name, content in parts.items():
            file.writestr(name, content)
    assert read_sheet(path, "year").numbers == {"churn": 0.15}


def test_files_that_are_none_are_refused(tmp_path, budget):
    (tmp_path / "text.xlsx").write_text("ARPA,100")
    for wanted in (CellRange(tmp_path / "text.xlsx"), CellRange(tmp_path / "absent.xlsx")):
        with pytest.raises(DataError, match="cannot be read"):
            read_cells(wanted)
    with pytest.raises(DataError, match="no sheet 'Cltv': it has Notes, CLTV"):
        read_cells(CellRange(budget, sheet="Cltv"))
    with pytest.raises(DataError, match="not a range"):
        read_cells(CellRange(budget, cells="B2-C9"))


# --- In a comparison ---


@pytest.fixture(scope="module")
def value(constant_fit) -> lw.Valuation:
    return lw.value(constant_fit(), TERMS)


def test_a_sheet_gives_exactly_its_result_first_whatever_it_came_in(value, budget):
    found = lw.compare(value, inputs=CellRange(budget, sheet="CLTV", cells="B2:C5")).summary()
    by_method = found.set_index(["method", "basis"])["estimate"]
    assert by_method["with expansion, linear", "as practised"] == pytest.approx(255_000)
    assert by_method["with expansion, exact", "as practised"] == pytest.approx(196_153.846, abs=1e-3)
    mapped = lw.compare(value, inputs={"ARPA": 15_000, "margin": "85%", "churn": 0.15, "Expansion": 0.1}).summary()
    pd.testing.assert_frame_equal(found, mapped)


def test_the_formula_that_gives_the_sheets_own_cltv_comes_first(value):
    sheet = {"ARPA": 15_000, "margin": "85%", "churn": 0.15, "expansion": 0.1, "CLTV": 196_154}
    table = lw.compare(value, inputs=sheet).table()
    assert table["method"].iloc[0] == "with expansion, exact"
    assert set(table["method"]) == set(lw.compare(value).table()["method"])


def test_only_the_total_as_practised_takes_the_sheet(value):
    plain = lw.compare(value).table().set_index(["segment", "method", "basis", "kind"])["estimate"]
    other = (
        lw.compare(value, inputs={"churn": 0.01}).table().set_index(["segment", "method", "basis", "kind"])["estimate"]
    )
    moved = plain.index[~np.isclose(plain, other.loc[plain.index])]
    assert set(moved.get_level_values("segment")) == {"all"}
    assert set(moved.get_level_values("basis")) == {"as practised"}
