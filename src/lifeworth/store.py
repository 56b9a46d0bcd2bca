"""Keeping a fit: a folder with `fit.json` and `draws.nc`, which load without PyMC and hold no customer rows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from lifeworth.churn import CURVES
from lifeworth.effects import EFFECTS, Shape
from lifeworth.errors import StoreError
from lifeworth.expansion import EXPANSIONS
from lifeworth.folders import from_dataset, read_group, to_dataset, written
from lifeworth.indexing import TableIndex
from lifeworth.ledger import CohortTable
from lifeworth.model import Model
from lifeworth.results import Diagnostics, Fit, SamplerOptions
from lifeworth.transactional.keep import load_purchases
from lifeworth.transactional.results import PurchaseFit

SCHEMA = 2
_TABLE = ("period", "cohort_by", "calendar", "by", "amount_per", "currency", "causes")


def save_fit(fit: Fit, path: str | Path) -> None:
    """Write a fit to a folder; an existing fit there is replaced, each file in one step.

    Parameters
    ----------
    fit : Fit
    path : path
        A folder, made where it is missing.
    """
    written(Path(path), _record(fit), {**fit.draws, "table": to_dataset(_cells(fit.table))})


def load(path: str | Path) -> Any:
    """Read a fit back from its folder.

    Parameters
    ----------
    path : path
        The folder that `Fit.save` or `PurchaseFit.save` wrote.

    Returns
    -------
    Fit or PurchaseFit
        What was saved there.

    Raises
    ------
    StoreError
        There is no fit, it was written by another schema, or the table does not have the content it was fitted to.
    """
    folder = Path(path)
    try:
        record = json.loads((folder / "fit.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StoreError(f"{folder} holds no fit: fit.json is missing. `Fit.save` writes one.") from None
    except ValueError as error:
        raise StoreError(f"{folder / 'fit.json'} is damaged: {error}") from error
    if record.get("kind") == "purchases":
        return _purchases(folder, record)
    if record.get("schema") != SCHEMA:
        raise StoreError(f"{folder} has schema {record.get('schema')}, this version reads {SCHEMA}. Fit again.")
    try:
        groups = {n: read_group(folder, n) for n in (*record["parts"], "table")}
    except (OSError, KeyError, ValueError) as error:
        raise StoreError(f"{folder / 'draws.nc'} cannot be read: {error}") from error
    table = _table(from_dataset(groups.pop("table")), record["table"])
    if table.fingerprint != record["table"]["fingerprint"]:
        raise StoreError(f"the table in {folder} is not the one that was fitted: its content has another hash.")
    return Fit(
        model=_model(record["model"]),
        table=table,
        index=_index(record["index"]),
        draws=groups,
        diagnostics=Diagnostics(pd.DataFrame(record["diagnostics"])),
        seed=record["seed"],
        options=SamplerOptions(**record["options"]),
        notes=tuple(record["notes"]),
        version=record["version"],
    )


def _purchases(folder: Path, record: Mapping[str, Any]) -> PurchaseFit:
    try:
        return load_purchases(record, folder)
    except (FileNotFoundError, KeyError) as error:
        raise StoreError(f"{folder / 'draws.nc'} cannot be read: {error}") from error


def _record(fit: Fit) -> dict[str, Any]:
    model, table = fit.model, fit.table
    return {
        "schema": SCHEMA,
        "version": fit.version,
        "seed": fit.seed,
        "options": asdict(fit.options),
        "notes": list(fit.notes),
        "parts": list(fit.draws),
        "diagnostics": fit.diagnostics.table.to_dict(orient="records"),
        "model": {
            "churn": _definition(model.churn),
            "expansion": _definition(model.expansion),
            "effects": [_definition(effect) for effect in model.effects],
            "pooling": model.pooling,
            "priors": [[name, list(interval)] for name, interval in model.priors],
        },
        "index": asdict(fit.index),
        "table": {
            **{name: getattr(table, name) for name in _TABLE},
            "as_of": None if table.as_of is None else table.as_of.isoformat(),
            "fingerprint": table.fingerprint,
        },
    }


def _index(record: Mapping[str, Any]) -> TableIndex:
    return TableIndex(
        segments=tuple(tuple(labels) for labels in record["segments"]),
        cohorts=tuple(record["cohorts"]),
        weights=tuple(record["weights"]),
        shape=Shape(**record["shape"] | {"columns": tuple((n, size) for n, size in record["shape"]["columns"])}),
        by=tuple(record["by"]),
    )


def _definition(thing: Any) -> dict[str, Any]:
    return {"name": type(thing).__name__, "settings": thing.settings()}


def _model(record: Mapping[str, Any]) -> Model:
    return Model(
        churn=_made(CURVES, record["churn"]),
        expansion=_made(EXPANSIONS, record["expansion"]),
        effects=tuple(_made(EFFECTS, effect) for effect in record["effects"]),
        pooling=record["pooling"],
        priors=tuple((name, (low, high)) for name, (low, high) in record["priors"]),
    )


def _made(registry: Mapping[str, Any], record: Mapping[str, Any]) -> Any:
    if record["name"] not in registry:
        raise StoreError(f"{record['name']} is not defined here: import the module that defines it, then load again.")
    settings = {k: tuple(v) if isinstance(v, list) else v for k, v in record["settings"].items()}
    return registry[record["name"]](**settings)


def _cells(table: CohortTable) -> pd.DataFrame:
    """What a table can be built again from: its steps, or the counts it was given."""
    if table.steps is not None:
        return table.steps
    return table.frame[["cohort", *table.by, "tenure", "at_risk", "churned"]]


def _table(cells: pd.DataFrame, record: Mapping[str, Any]) -> CohortTable:
    if record["as_of"] is None:
        return CohortTable.from_counts(cells, period=record["period"])
    named = {name: record[name] for name in _TABLE}
    named |= {name: tuple(record[name]) for name in ("by", "causes")}
    return CohortTable.from_steps(cells, as_of=date.fromisoformat(record["as_of"]), **named)
