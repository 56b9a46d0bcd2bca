"""Somebody's spreadsheet: labels, units, numbers; and .xlsx files read without a library."""

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lifeworth as lw
from lifeworth.comparison import CellRange, read_sheet
from lifeworth.comparison.workbook import read_cells
from lifeworth.errors import ComparisonError, DataError, DefinitionError

TERMS = lw.Economics(gross_margin=0.8, discount_rate_annual=0.1, horizon_years=4, currency="EUR")
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def workbook(path: Path, sheets: dict[str, str], shared: list[str] | None = None, extra: str = "") -> Path:
    """A workbook of worksheets given as the XML of their cells."""
    names = list(sheets)
    with zipfile.ZipFile(path, "w") as file:
        listed = "".join(f'<sheet name="{n}" sheetId="{i}" r:id="rId{i}"/>' for i, n in enumerate(names))
        file.writestr(
            "xl/workbook.xml", f'{extra}<workbook xmlns="{MAIN}" xmlns:r="{REL}"><sheets>{listed}</sheets></workbook>'
        )
        related = "".join(f'<Relationship Id="rId{i}" Target="worksheets/sheet{i}.xml"/>' for i in range(len(names)))
        file.writestr("xl/_rels/workbook.xml.rels", f"<Relationships>{related}</Relationships>")
        if shared is not None:
            strings = "".join(f"<si><t>{text}</t></si>" for text in shared)
            file.writestr("xl/sharedStrings.xml", f'<sst xmlns="{MAIN}">{strings}</sst>')
        for i, cells in enumerate(sheets.values()):
            file.writestr(
                f"xl/worksheets/sheet{i}.xml",
                f'<worksheet xmlns="{MAIN}"><sheetData><row>{cells}</row></sheetData></worksheet>',
            )
    return path


def text(place: str, value: str) -> str:
    return f'<c r="{place}" t="inlineStr"><is><t>{value}</t></is></c>'


def number(place: str, value: object) -> str:
    return f'<c r="{place}"><v>{value}</v></c>'


@pytest.fixture
def budget(tmp_path: Path) -> Path:
    notes = text("A1", "read me")
    cells = (
        '<c r="B2" t="s"><v>0</v></c>' + number("C2", 15000)
        + '<c r="B3" t="s"><v>1</v></c>' + number("C3", 0.85)
        + text("B4", "Churn") + '<c r="C4"><f>1-0.85</f><v>0.15</v></c>'
        + text("B5", "Expansion") + '<c r="C5" t="str"><v>10%</v></c>'
        + text("B7", "checked by") + text("C7", "K.")
    )  # fmt: skip
    return workbook(tmp_path / "budget.xlsx", {"Notes": notes, "CLTV": cells}, ["ARPA", "Gross margin"])


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
    cells = text("A1", "ARPA") + text("B1", "Churn") + number("A2", 100) + number("B2", 0.1)
    path = workbook(tmp_path / "wide.xlsx", {"Sheet1": cells})
    assert read_sheet(str(path), "year").numbers == {"arpa": 100.0, "churn": 0.1}


def test_everything_that_is_filled_is_read_and_nothing_is_guessed(budget):
    with pytest.raises(DefinitionError, match="checked by"):
        read_sheet(CellRange(budget, sheet="CLTV"), "year")
    with pytest.raises(DefinitionError, match="1 rows and 1 columns"):
        read_sheet(budget, "year")


def test_a_cell_without_value_keeps_its_place(tmp_path):
    path = workbook(
        tmp_path / "a.xlsx", {"S": text("A1", "ARPA") + number("B1", 1) + text("A2", "Churn") + number("B3", 2)}
    )
    assert read_cells(CellRange(path)) == [["ARPA", 1.0], ["Churn", None], [None, 2.0]]
    with pytest.raises(DefinitionError):
        read_sheet(path, "year")


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ('<c r="B1" t="e"><v>#DIV/0!</v></c>', "DIV/0"),
        ('<c r="B1"><f>1/7</f></c>', "without a stored value"),
    ],
)
def test_errors_in_cells_are_named(tmp_path, cell, said):
    path = workbook(tmp_path / "a.xlsx", {"S": text("A1", "Churn") + cell})
    with pytest.raises(DataError, match=f"B1.*{said}"):
        read_cells(CellRange(path))


def test_files_that_are_none_are_refused(tmp_path, budget):
    (tmp_path / "text.xlsx").write_text("ARPA,100")
    for wanted in (CellRange(tmp_path / "text.xlsx"), CellRange(tmp_path / "absent.xlsx")):
        with pytest.raises(DataError, match="cannot be read"):
            read_cells(wanted)
    with pytest.raises(DataError, match="no sheet 'Cltv': it has Notes, CLTV"):
        read_cells(CellRange(budget, sheet="Cltv"))
    with pytest.raises(DataError, match="not a range"):
        read_cells(CellRange(budget, cells="B2-C9"))
    entity = '<!DOCTYPE a [<!ENTITY b "c">]>'
    with pytest.raises(DataError, match="document type"):
        read_cells(CellRange(workbook(tmp_path / "entity.xlsx", {"S": ""}, extra=entity)))


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
