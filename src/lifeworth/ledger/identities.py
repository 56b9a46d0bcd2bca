"""The identities every cohort table keeps, checked to the cent, and its fingerprint."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from lifeworth.errors import DataError
from lifeworth.ledger.frames import sum_by

CENT = 0.005


def check_closing(cells: pd.DataFrame, keys: list[str]) -> None:
    """Check closing = opening + expansion - contraction - churned_amount in every cell."""
    implied = cells["opening"] + cells["expansion"] - cells["contraction"] - cells["churned_amount"]
    _refuse(cells, keys, cells["closing"], implied, "closing = opening + expansion - contraction - churned_amount")


def check_chain(cells: pd.DataFrame, in_force: pd.DataFrame, keys: list[str]) -> None:
    """Check opening(t+1) = closing(t) - moved to in_force + late_entries(t+1), over all buckets.

    Where the cells are split by expansion, what turned in t is taken off the closing, and is a late entry of the state
    it turned into.
    """
    by_tenure = [*keys, "tenure"]
    if "turned_amount" in cells:
        cells = cells.assign(closing=cells["closing"] - cells["turned_amount"])
    flow = sum_by(cells, by_tenure, ["opening", "closing", "late_entries"])
    carried = sum_by(in_force, by_tenure, ["opening"]).rename(columns={"opening": "moved"})
    before = flow[[*by_tenure, "closing"]].assign(tenure=lambda f: f["tenure"] + 1)
    after = flow[flow["tenure"] > 0][[*by_tenure, "opening", "late_entries"]]
    chain = before.merge(after, on=by_tenure, how="outer").merge(carried, on=by_tenure, how="outer")
    amounts = chain[["closing", "opening", "late_entries", "moved"]].fillna(0.0)
    chain = chain[chain["tenure"] > 0]
    amounts = amounts.loc[chain.index]
    implied = amounts["closing"] - amounts["moved"] + amounts["late_entries"]
    rule = "opening(t+1) = closing(t) - moved to in_force + late_entries(t+1)"
    _refuse(chain, by_tenure, amounts["opening"], implied, rule)


def check_in_force(in_force: pd.DataFrame, keys: list[str]) -> None:
    """Check amount = opening + new + late_entries + change - lost_amount in every row in force."""
    f = in_force
    implied = f["opening"] + f["new"] + f["late_entries"] + f["change"] - f["lost_amount"]
    rule = "amount = opening + new + late_entries + change - lost_amount"
    _refuse(f, keys, f["amount"], implied, rule)


def _refuse(frame: pd.DataFrame, keys: list[str], have: pd.Series, implied: pd.Series, rule: str) -> None:
    scale = 1e-12 * float(np.abs(have).max() if len(have) else 0.0)  # what doubles can hold of a large sum
    off = np.abs(have.to_numpy(float) - implied.to_numpy(float)) > CENT + scale
    if off.any():
        which = "; ".join(
            f"{' '.join(str(row[k]) for k in keys)}: {have.loc[i]:.4f} is not {implied.loc[i]:.4f}"
            for i, row in frame[off].head(5).iterrows()
        )
        raise DataError(
            f"{rule} does not hold in {int(off.sum())} cells: {which}. "
            "Rebuild the table from its ledger instead of editing its frames."
        )


def digest(frames: Mapping[str, pd.DataFrame], metadata: Mapping[str, Any]) -> str:
    """Hash columns, values and metadata; the same content gives the same hex on every machine."""
    sha = hashlib.sha256(json.dumps(metadata, sort_keys=True, default=str).encode())
    for name, frame in frames.items():
        sha.update(json.dumps([name, len(frame), [str(c) for c in frame.columns]]).encode())
        for column in frame.columns:
            sha.update(_column_bytes(frame[column]))
    return sha.hexdigest()


def _column_bytes(values: pd.Series) -> bytes:
    if pd.api.types.is_integer_dtype(values.dtype):
        return values.to_numpy("<i8").tobytes()
    if pd.api.types.is_float_dtype(values.dtype):
        return (values.to_numpy("<f8") + 0.0).tobytes()
    return json.dumps([str(v) for v in values]).encode()
