"""A job: every section, from a TOML file and from the options on the line, which win."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lifeworth.config.contracts import BacktestSection, CompareSection, LedgerSection, ModelSection, TableSection
from lifeworth.config.options import Section, nearest
from lifeworth.config.purchases import PurchasesSection, TransactionsSection
from lifeworth.config.shared import EconomicsSection
from lifeworth.errors import DefinitionError


class Job(Section):
    """Everything a run is told, by section."""

    ledger: LedgerSection = LedgerSection()
    transactions: TransactionsSection = TransactionsSection()
    purchases: PurchasesSection = PurchasesSection()
    table: TableSection = TableSection()
    model: ModelSection = ModelSection()
    economics: EconomicsSection = EconomicsSection()
    compare: CompareSection = CompareSection()
    backtest: BacktestSection = BacktestSection()

    @classmethod
    def read(cls, path: Path | None, line: Mapping[str, Mapping[str, Any]]) -> Job:
        """The job of a file and of the options on the line, which win.

        Parameters
        ----------
        path : Path, optional
            A TOML file with the sections; a relative `source` in it is relative to the file.
        line : mapping of section to mapping of name to value
            Options given on the line; text is read as it is written there.

        Raises
        ------
        DefinitionError
            The file cannot be read; a section, a name or a value is not a known one.
        """
        merged: dict[str, dict[str, Any]] = {} if path is None else _from_file(path)
        for section, options in line.items():
            merged.setdefault(section, {}).update(options)
        try:
            return cls.model_validate(merged)
        except ValidationError as error:
            raise DefinitionError(_complaint(error)) from None


def _from_file(path: Path) -> dict[str, dict[str, Any]]:
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DefinitionError(f"{path} cannot be read: {error}") from None
    for section, options in found.items():
        _known(f"{path}: section", section, Job.model_fields)
        if not isinstance(options, dict):
            raise DefinitionError(f"{path}: {section} is a section: write [{section}] and its options below it.")
        fields = _section(section).model_fields
        for name in options:
            _known(f"{path}: [{section}]", name, fields)
    for options in found.values():
        source = options.get("source")
        if isinstance(source, str) and "://" not in source:
            options["source"] = str(path.parent / source)
        options |= {name: str(value) for name, value in options.items() if isinstance(value, date)}
    return found


def _section(name: str) -> type[Section]:
    kind = Job.model_fields[name].annotation
    assert isinstance(kind, type)
    assert issubclass(kind, Section)
    return kind


def _known(where: str, name: str, known: Mapping[str, object]) -> None:
    if name not in known:
        raise DefinitionError(f"{where} {name!r} is not known. {nearest(name, list(known))}")


def _complaint(error: ValidationError) -> str:
    """The first complaint of pydantic, by section and option."""
    first, more = error.errors()[0], error.error_count() - 1
    where = [str(part) for part in first["loc"]]
    option = f"[{where[0]}] {where[1]}" if len(where) > 1 else where[0]
    text = first["msg"].removeprefix("Value error, ")
    given = first["input"]
    also = f" (and {more} more)" if more else ""
    return f"{option} is {given!r}: {text[:1].lower()}{text[1:]}{also}."
