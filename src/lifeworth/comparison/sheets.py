"""Somebody's spreadsheet: its labels, units and numbers, read as inputs of the formulas."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lifeworth.comparison.inputs import NUMBERS
from lifeworth.comparison.workbook import Cell, CellRange, read_cells
from lifeworth.errors import ComparisonError, DefinitionError
from lifeworth.ledger.months import months_in

_PERIODS = {
    **dict.fromkeys(("annual", "annually", "yearly", "year", "years", "pa"), 12),
    **dict.fromkeys(("quarterly", "quarter", "quarters"), 3),
    **dict.fromkeys(("monthly", "month", "months"), 1),
}
_FILLERS = {"per", "a", "an", "of", "the", "in", "rate", "average", "avg", "account", "accounts", "customer", "pct"}
_NAMES: dict[str, tuple[str, int | None]] = {
    "arpa": ("arpa", None),
    "arpu": ("arpa", None),
    "revenue": ("arpa", None),
    "acv": ("arpa", 12),
    "contract value": ("arpa", 12),
    "arr": ("arpa", 12),
    "mrr": ("arpa", 1),
    "gross margin": ("gross_margin", None),
    "margin": ("gross_margin", None),
    "gm": ("gross_margin", None),
    "churn": ("churn", None),
    "logo churn": ("churn", None),
    "retention": ("retention", None),
    "logo retention": ("retention", None),
    "expansion": ("expansion", None),
    "net expansion": ("expansion", None),
    "service cost": ("service_cost", None),
    "cost to serve": ("service_cost", None),
    "discount": ("discount_rate_annual", 12),
    "wacc": ("discount_rate_annual", 12),
    "horizon": ("horizon_years", 12),
    "cltv": ("cltv", None),
    "clv": ("cltv", None),
    "ltv": ("cltv", None),
    "lifetime value": ("cltv", None),
    "currency": ("currency", None),
}
"""What a label means once fillers and the unit are taken out, and the months of its unit where none is said."""

_BOUNDS = {
    "arpa": (0.0, np.inf),
    "gross_margin": (-1.0, 1.0),
    "churn": (0.0, 1.0),
    "retention": (0.0, 1.0),
    "expansion": (-1.0, 2.0),
    "service_cost": (0.0, np.inf),
    "discount_rate_annual": (-0.99, 1.0),
    "horizon_years": (1e-9, 100.0),
}
_NUMBER = re.compile(r"[^\d\s.,+\-]{0,3}\s*([+-]?(?:\d{1,3}(?:,\d{3})+|\d+|(?=\.\d))(?:\.\d+)?)\s*(%?)")


@dataclass(frozen=True, slots=True)
class Sheet:
    """The numbers of somebody's spreadsheet, in the units of `Inputs`.

    Parameters
    ----------
    numbers : mapping of str to float
        By name of `Inputs`.
    result : float, optional
        The sheet's own CLTV.
    """

    numbers: dict[str, float]
    result: float | None = None

    def gives(self, estimate: float) -> bool:
        """Whether this is the sheet's result, to a thousandth."""
        return self.result is not None and bool(np.isclose(estimate, self.result, rtol=1e-3, atol=0.0))


def read_sheet(
    inputs: Mapping[str, object] | pd.DataFrame | str | Path | CellRange, period: str, currency: str | None = None
) -> Sheet:
    """The numbers of somebody's spreadsheet.

    Labels are forgiving: capitals, underscores and words such as "average", "rate" or "per account" do not matter, and
    ARPA, ARPU, ACV, MRR, gross margin, churn, retention, expansion, service cost, discount rate, WACC, horizon and CLTV
    are known. A rate or an amount is per period of the table unless its label says annual, quarterly or monthly;
    ACV and ARR are annual, MRR is monthly, a discount rate is annual and a horizon in years if nothing is said.
    Percentages and thousands may be text, such as "82%" and "$15,000".

    Parameters
    ----------
    inputs : mapping, DataFrame, path of an .xlsx file or CellRange
        A frame has two columns, label and value, or one row with the labels as columns.
    period : str
        Of the table.
    currency : str, optional
        Of the table; a sheet that names another is refused.

    Returns
    -------
    Sheet

    Raises
    ------
    DefinitionError
        A label is unknown or given twice, or a value is missing, no number or out of range.
    ComparisonError
        The sheet is in another currency.

    Examples
    --------
    >>> read_sheet({"ACV": "$12,000", "Annual retention": "81%", "Discount rate": 0.1}, "month").numbers["arpa"]
    1000.0
    >>> round(read_sheet({"churn (annual)": 0.19}, "quarter").numbers["churn"], 6)  # 1 - 0.81^(1/4)
    0.051317
    """
    months, found = months_in(period, what="period"), {}
    labels: dict[str, str] = {}
    for label, given in _pairs(inputs):
        name, unit = _meaning(label)
        kept = "churn" if name == "retention" else name
        if kept in found:
            raise DefinitionError(f"{labels[kept]!r} and {label!r} both give {kept}: keep one of them.")
        labels[kept] = label
        found[kept] = given if name == "currency" else _converted(name, _number(label, given), unit, months, label)
    theirs = found.pop("currency", None)
    if theirs is not None and currency is not None and str(theirs).strip().upper() != currency.upper():
        raise ComparisonError(f"the sheet is in {theirs}, the valuation in {currency}: convert it first.")
    result = found.pop("cltv", None)
    numbers = {name: float(found[name]) for name in NUMBERS if name in found}  # type: ignore[arg-type]
    return Sheet(numbers, None if result is None else float(result))  # type: ignore[arg-type]


def _pairs(inputs: object) -> Iterable[tuple[str, object]]:
    """Labels with their values, whatever they came in."""
    if isinstance(inputs, Mapping):
        return [(str(label), value) for label, value in inputs.items()]
    if isinstance(inputs, pd.DataFrame):
        return _of_frame(inputs)
    if isinstance(inputs, str | Path):
        inputs = CellRange(inputs)
    if not isinstance(inputs, CellRange):
        raise DefinitionError(f"inputs are a {type(inputs).__name__}: give a mapping, a frame, a path or a CellRange.")
    return _of_cells(read_cells(inputs), inputs)


def _of_frame(frame: pd.DataFrame) -> list[tuple[str, object]]:
    if frame.shape[1] == 2 and frame.iloc[:, 0].map(lambda v: isinstance(v, str)).all() and len(frame):
        return [(str(label), value) for label, value in zip(frame.iloc[:, 0], frame.iloc[:, 1], strict=True)]
    if len(frame) == 1:
        return [(str(label), frame[label].iloc[0]) for label in frame.columns]
    raise DefinitionError(
        f"the frame has {frame.shape[0]} rows and {frame.shape[1]} columns: give label and value, or one row."
    )


def _of_cells(rows: list[list[Cell | None]], wanted: CellRange) -> list[tuple[str, object]]:
    down = bool(rows) and len(rows[0]) == 2 and all(isinstance(row[0], str) for row in rows)
    if down and not (len(rows) == 2 and isinstance(rows[0][1], str) and not _reads(rows[0][1])):
        return [(str(row[0]), row[1]) for row in rows]
    if len(rows) == 2 and all(isinstance(label, str) for label in rows[0]):
        return [(str(label), value) for label, value in zip(rows[0], rows[1], strict=True)]
    size = f"{len(rows)} rows and {len(rows[0]) if rows else 0} columns"
    raise DefinitionError(
        f"{wanted.path} gives {size} of filled cells: name a range with labels beside their values (cells='B2:C9')."
    )


def _meaning(label: str) -> tuple[str, int | None]:
    """The number that a label names, and the months of the unit it says."""
    words = re.findall(r"[a-z]+", re.sub(r"p\.\s?a\.?", " pa ", label.lower()))
    units = {_PERIODS[word] for word in words if word in _PERIODS}
    key = " ".join(word for word in words if word not in _PERIODS and word not in _FILLERS)
    if key not in _NAMES or len(units) > 1:
        why = "says two units" if key in _NAMES else "is not a number that a formula takes"
        known = "arpa, gross_margin, churn, retention, expansion, service_cost, discount_rate, horizon, cltv, currency"
        raise DefinitionError(f"inputs have {label!r}, which {why}. A sheet can give {known}.")
    name, unit = _NAMES[key]
    return name, units.pop() if units else unit


def _reads(given: object) -> bool:
    return not isinstance(given, str) or _NUMBER.fullmatch(given.strip()) is not None


def _number(label: str, given: object) -> float:
    """A number as it is, or as text with a sign of currency, thousands or percent."""
    if isinstance(given, str) and (match := _NUMBER.fullmatch(given.strip())):
        return float(match[1].replace(",", "")) / (100 if match[2] else 1)
    if isinstance(given, int | float | np.number) and not isinstance(given, bool) and np.isfinite(float(given)):
        return float(given)
    raise DefinitionError(f"{label!r} is {given!r}, which is not a number. Write 15000, '15,000' or '82%'.")


def _converted(name: str, value: float, unit: int | None, months: int, label: str) -> float:
    """In the units of `Inputs`: per period of the table, discounting a year, the horizon in years."""
    low, high = _BOUNDS.get(name, (-np.inf, np.inf))
    years = value * (unit or 12) / 12 if name == "horizon_years" else value
    if not low <= years <= high:
        hint = " Write a percentage as 0.82 or '82%'." if high <= 2 and value > high else ""
        raise DefinitionError(f"{label!r} is {value:g}: it must lie between {low:g} and {high:g}.{hint}")
    periods, per_year = months / (unit or months), 12 / (unit or 12)
    if name == "horizon_years":
        return years
    if name in ("arpa", "service_cost"):
        return value * periods
    if name == "discount_rate_annual":
        return value if per_year == 1 else (1 + value) ** per_year - 1
    if name == "retention":
        return 1 - value**periods
    if name in ("churn", "expansion") and periods != 1:
        return 1 - (1 - value) ** periods if name == "churn" else (1 + value) ** periods - 1
    return value
