"""Keeping a fit of a purchase table: a folder with `fit.json` and `draws.nc`, without customer rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lifeworth.errors import StoreError
from lifeworth.folders import from_dataset, read_group, to_dataset, written
from lifeworth.ledger import PurchaseTable
from lifeworth.ledger.purchase_table import FRAMES
from lifeworth.purchases import PURCHASES, GammaGamma
from lifeworth.results import Diagnostics, SamplerOptions
from lifeworth.transactional.drift import Buckets
from lifeworth.transactional.model import CustomerIndex, CustomerShape, TransactionalModel
from lifeworth.transactional.results import PurchaseFit

SCHEMA = 2
_PLAIN = ("grid", "cohort_by", "by", "calendar", "currency")


def save_purchases(fit: PurchaseFit, path: str | Path) -> None:
    """Write a fit to a folder; an existing one there is replaced, each file in one step."""
    frames = {f"table_{name}": to_dataset(getattr(fit.table, name)) for name in FRAMES}
    written(Path(path), _record(fit), {**fit.draws, **frames})


def load_purchases(record: Mapping[str, Any], folder: Path) -> PurchaseFit:
    """A fit from its record and the folder of its arrays."""
    if record["schema"] != SCHEMA:
        raise StoreError(
            f"this fit of purchases has schema {record['schema']}, this version reads {SCHEMA}. Fit again."
        )
    frames = {name: from_dataset(read_group(folder, f"table_{name}")) for name in FRAMES}
    about = record["table"]
    dates = {n: None if about[n] is None else date.fromisoformat(about[n]) for n in ("as_of", "until")}
    plain = {name: about[name] for name in _PLAIN} | {"by": tuple(about["by"])}
    table = PurchaseTable(**frames, **plain, **dates)  # type: ignore[arg-type]
    if table.fingerprint != about["fingerprint"]:
        raise StoreError("the table stored beside the fit is not the one that was fitted: it has another hash.")
    index = record["index"]
    return PurchaseFit(
        model=_model(record["model"]),
        table=table,
        index=CustomerIndex(
            segments=tuple(tuple(labels) for labels in index["segments"]),
            cohorts=tuple(index["cohorts"]),
            shape=CustomerShape(**index["shape"]),
            by=tuple(index["by"]),
        ),
        draws={name: read_group(folder, name) for name in record["parts"]},
        diagnostics=Diagnostics(pd.DataFrame(record["diagnostics"])),
        seed=record["seed"],
        options=SamplerOptions(**record["options"]),
        notes=tuple(record["notes"]),
        version=record["version"],
        buckets=None if record["buckets"] is None else _buckets(record["buckets"]),
    )


def _record(fit: PurchaseFit) -> dict[str, Any]:
    model, table = fit.model, fit.table
    return {
        "kind": "purchases",
        "schema": SCHEMA,
        "version": fit.version,
        "seed": fit.seed,
        "options": asdict(fit.options),
        "notes": list(fit.notes),
        "parts": list(fit.draws),
        "buckets": None if fit.buckets is None else _plain_buckets(fit.buckets),
        "diagnostics": fit.diagnostics.table.to_dict(orient="records"),
        "model": {
            "purchases": {"name": type(model.purchases).__name__, "settings": model.purchases.settings()},
            "spend": model.spend is not None,
            "pooling": model.pooling,
            "drift": model.drift,
            "priors": [[name, list(interval)] for name, interval in model.priors],
        },
        "index": asdict(fit.index),
        "table": {
            **{name: getattr(table, name) for name in _PLAIN},
            **{n: None if getattr(table, n) is None else getattr(table, n).isoformat() for n in ("as_of", "until")},
            "fingerprint": table.fingerprint,
        },
    }


def _plain_buckets(buckets: Buckets) -> dict[str, Any]:
    found = {f.name: getattr(buckets, f.name) for f in fields(buckets)}
    return {name: v.tolist() if isinstance(v, np.ndarray) else v for name, v in found.items()}


def _buckets(record: Mapping[str, Any]) -> Buckets:
    location, sd = record["prior_level"]
    arrays = {
        name: None if record[name] is None else np.array(record[name]) for name in ("seen", "expected", "pace", "near")
    }
    return Buckets(**{**record, **arrays, "prior_level": (location, sd)})


def _model(record: Mapping[str, Any]) -> TransactionalModel:
    own = record["purchases"]
    if own["name"] not in PURCHASES:
        raise StoreError(f"{own['name']} is not defined here: import the module that defines it, then load again.")
    return TransactionalModel(
        purchases=PURCHASES[own["name"]](**own["settings"]),
        spend=GammaGamma() if record["spend"] else None,
        pooling=record["pooling"],
        drift=record["drift"],
        priors=tuple((name, (low, high)) for name, (low, high) in record["priors"]),
    )
