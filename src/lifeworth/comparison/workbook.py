"""Cells of an .xlsx file: values only, read with the standard library."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from lifeworth.errors import DataError

type Cell = str | float | bool
type Place = tuple[int, int]
"""Row and column, from 1."""

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_LARGEST = 64 * 2**20
"""Bytes of a part of the file that is still read."""
_REFERENCE = re.compile(r"\$?([A-Z]{1,3})\$?([0-9]{1,7})")


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

    def corners(self) -> tuple[Place, Place]:
        """First and last row and column.

        Raises
        ------
        DataError
            `cells` is not a range.
        """
        if self.cells is None:
            return (1, 1), (2**20, 2**14)
        parts = [_REFERENCE.fullmatch(part.strip().upper()) for part in self.cells.split(":")]
        if len(parts) != 2 or None in parts:
            raise DataError(f"cells={self.cells!r} is not a range. Give one such as 'B2:C9'.")
        (a, b), (c, d) = (_place(match) for match in parts if match)
        return (min(a, c), min(b, d)), (max(a, c), max(b, d))


def read_cells(wanted: CellRange) -> list[list[Cell | None]]:
    """The values of a range as rows, without rows and columns that are empty.

    A formula has the value that was stored with it. Dates are the numbers that the file holds.

    Raises
    ------
    DataError
        The file is absent or no .xlsx, the sheet is not in it, or a cell holds an error or a formula never calculated.
    """
    try:
        with zipfile.ZipFile(wanted.path) as file:
            values = dict(_values(file, wanted))
    except (OSError, zipfile.BadZipFile, ElementTree.ParseError, KeyError) as error:
        raise DataError(f"{wanted.path} cannot be read as an .xlsx workbook: {error}.") from error
    (top, left), (bottom, right) = wanted.corners()
    inside = {(r, c): v for (r, c), v in values.items() if top <= r <= bottom and left <= c <= right}
    rows, columns = (sorted({place[axis] for place in inside}) for axis in (0, 1))
    return [[inside.get((r, c)) for c in columns] for r in rows]


def _values(file: zipfile.ZipFile, wanted: CellRange) -> Iterator[tuple[Place, Cell]]:
    shared = _shared(file)
    for cell in _part(file, _sheet(file, wanted)).iter(f"{_MAIN}c"):
        match = _REFERENCE.fullmatch(cell.get("r", ""))
        if match is None:
            continue
        value = _value(cell, shared, wanted)
        if value is not None and value != "":
            yield _place(match), value


def _value(cell: ElementTree.Element, shared: list[str], wanted: CellRange) -> Cell | None:
    kind, text = cell.get("t", "n"), cell.findtext(f"{_MAIN}v")
    if kind == "inlineStr":
        return "".join(part.text or "" for part in cell.iter(f"{_MAIN}t"))
    if text is None:
        if cell.find(f"{_MAIN}f") is not None:
            fix = "Open the file in a spreadsheet program and save it."
            raise DataError(f"{cell.get('r')} of {wanted.path} is a formula without a stored value. {fix}")
        return None
    if kind == "e":
        raise DataError(f"{cell.get('r')} of {wanted.path} is an error, {text}. Mend the sheet first.")
    if kind == "s":
        return shared[int(text)]
    if kind == "b":
        return text == "1"
    return text if kind in ("str", "d") else float(text)


def _sheet(file: zipfile.ZipFile, wanted: CellRange) -> str:
    """Where in the file the worksheet is."""
    sheets = {s.get("name", ""): s.get(_RELATION) for s in _part(file, "xl/workbook.xml").iter(f"{_MAIN}sheet")}
    name = wanted.sheet if wanted.sheet is not None else next(iter(sheets), "")
    if name not in sheets:
        raise DataError(f"{wanted.path} has no sheet {name!r}: it has {', '.join(sheets)}.")
    for relation in _part(file, "xl/_rels/workbook.xml.rels"):
        if relation.get("Id") == sheets[name]:
            target = relation.get("Target", "")
            return target.removeprefix("/") if target.startswith("/") else f"xl/{target}"
    raise DataError(f"{wanted.path}: the sheet {name!r} is named but not there.")


def _shared(file: zipfile.ZipFile) -> list[str]:
    if "xl/sharedStrings.xml" not in file.namelist():
        return []
    strings = _part(file, "xl/sharedStrings.xml").iter(f"{_MAIN}si")
    return ["".join(part.text or "" for part in string.iter(f"{_MAIN}t")) for string in strings]


def _part(file: zipfile.ZipFile, name: str) -> ElementTree.Element:
    """A part of the file as XML; none of them has a document type, so that nothing can be expanded."""
    if file.getinfo(name).file_size > _LARGEST:
        raise DataError(f"{name} is larger than {_LARGEST // 2**20} MB. Copy the range to a workbook of its own.")
    text = file.read(name)
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise DataError(f"{name} has a document type, which no .xlsx needs. Save the file anew.")
    return ElementTree.fromstring(text)


def _place(match: re.Match[str]) -> Place:
    column = 0
    for letter in match[1]:
        column = column * 26 + ord(letter) - ord("A") + 1
    return int(match[2]), column
