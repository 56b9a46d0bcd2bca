"""Cells of an .xlsx file: the values that were stored in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from openpyxl import load_workbook
from openpyxl.utils.cell import range_boundaries
from openpyxl.utils.exceptions import InvalidFileException

from lifeworth.errors import DataError

type Cell = str | float | bool

_RANGE = re.compile(r"\$?[A-Z]{1,3}\$?[0-9]{1,7}:\$?[A-Z]{1,3}\$?[0-9]{1,7}")


@dataclass(frozen=True, slots=True)
class CellRange:
    """A range of an .xlsx workbook: labels beside their values, or a row of labels over a row of values.

    Parameters
    ----------
    path : str or Path
    sheet : str, optional
        Name of the worksheet; None is the first.
    cells : str, optional
        Such as "B2:C9"; None is everything that is filled.

    Examples
    --------
    >>> CellRange("budget.xlsx", sheet="CLTV", cells="B2:C3").corners()
    ((2, 2), (3, 3))
    """

    path: str | Path
    sheet: str | None = None
    cells: str | None = None

    def corners(self) -> tuple[tuple[int, int], tuple[int, int]] | None:
        """First and last row and column, from 1; None where everything is meant.

        Raises
        ------
        DataError
            `cells` is not a range.
        """
        if self.cells is None:
            return None
        wanted = self.cells.strip().upper()
        if not _RANGE.fullmatch(wanted):
            raise DataError(f"cells={self.cells!r} is not a range. Give one such as 'B2:C9'.")
        left, top, right, bottom = (int(edge or 1) for edge in range_boundaries(wanted))
        return (min(top, bottom), min(left, right)), (max(top, bottom), max(left, right))


def read_cells(wanted: CellRange) -> list[list[Cell | None]]:
    """The values of a range as rows, without rows and columns that are empty.

    A formula has the value that was stored with it.

    Raises
    ------
    DataError
        The file is absent or no .xlsx, the sheet is not in it, or a cell holds an error or a formula never calculated.
    """
    values, formulas = (_inside(wanted, stored=stored) for stored in (True, False))
    found = {place: _value(cell, formulas[place], wanted) for place, cell in values.items()}
    found = {place: value for place, value in found.items() if value not in (None, "")}
    rows, columns = (sorted({place[axis] for place in found}) for axis in (0, 1))
    return [[found.get((r, c)) for c in columns] for r in rows]


def _inside(wanted: CellRange, *, stored: bool) -> dict[tuple[int, int], Any]:
    """The cells of the range by row and column: the stored values, or the formulas behind them."""
    try:
        book = load_workbook(wanted.path, data_only=stored)
    except (OSError, BadZipFile, InvalidFileException, KeyError, ValueError) as error:
        raise DataError(f"{wanted.path} cannot be read as an .xlsx workbook: {error}.") from error
    name = wanted.sheet if wanted.sheet is not None else book.sheetnames[0]
    if name not in book.sheetnames:
        raise DataError(f"{wanted.path} has no sheet {name!r}: it has {', '.join(book.sheetnames)}.")
    corners = wanted.corners()
    (top, left), (bottom, right) = corners or ((1, 1), (book[name].max_row, book[name].max_column))
    rows = book[name].iter_rows(min_row=top, max_row=bottom, min_col=left, max_col=right)
    return {(cell.row, cell.column): cell for row in rows for cell in row}


def _value(stored: Any, formula: Any, wanted: CellRange) -> Cell | None:
    if stored.data_type == "e":
        raise DataError(f"{stored.coordinate} of {wanted.path} is an error, {stored.value}. Mend the sheet first.")
    if stored.value is None and formula.data_type == "f":
        fix = "Open the file in a spreadsheet program and save it."
        raise DataError(f"{stored.coordinate} of {wanted.path} is a formula without a stored value. {fix}")
    if isinstance(stored.value, int) and not isinstance(stored.value, bool):
        return float(stored.value)
    return stored.value if isinstance(stored.value, str | float | bool | None) else str(stored.value)
