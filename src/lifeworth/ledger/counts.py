"""A published retention table, accounts only: its rules, and its shape as cells."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lifeworth.errors import DataError
from lifeworth.ledger.sources import require

MONEY = ("opening", "churned_amount", "expansion", "contraction", "closing", "late_entries")
SQUARES = ("opening_sq", "churned_sq", "expansion_sq", "contraction_sq")
IN_FORCE = ("amount", "amount_sq", "opening", "new", "late_entries", "change")


def counts_to_cells(frame: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Check a table of counts and give it the columns of cells; money and calendar are empty."""
    needed = ("cohort", "tenure", "at_risk", "churned")
    require([str(c) for c in frame.columns], needed, what="from_counts")
    by = tuple(str(c) for c in frame.columns if c not in needed)
    if frame.empty:
        raise DataError("the table of counts is empty. Hand in at least one row per cohort and tenure.")
    keys = ["cohort", *by]
    cells = frame[list(keys)].astype("str")
    if frame[list(keys)].isna().to_numpy().any():
        raise DataError(f"the table of counts has an empty {' or '.join(keys)}. Give each row its label.")
    for name in ("tenure", "at_risk", "churned"):
        cells[name] = _whole(frame[name], name)
    cells = cells.sort_values([*keys, "tenure"], ignore_index=True)
    _check(cells, keys)
    out = cells[[*keys, "tenure"]].assign(bucket=np.int64(0), at_risk=cells["at_risk"], churned=cells["churned"])
    for name in ("expanded", "contracted", "late_entered"):
        out[name] = np.int64(0)
    for name in (*MONEY, *SQUARES):
        out[name] = 0.0
    return out, by


def _whole(values: pd.Series, name: str) -> pd.Series:
    numbers = pd.to_numeric(values, errors="coerce").astype(float)
    bad = ~np.isfinite(numbers) | (numbers < 0) | (numbers != np.floor(numbers))
    if bad.any():
        shown = ", ".join(str(v) for v in values[bad].head(5))
        raise DataError(
            f"{name} is not a whole number of at least 0 in {int(bad.sum())} rows: {shown}. "
            "Hand in counts of accounts, not shares."
        )
    return numbers.astype("int64")


def _check(cells: pd.DataFrame, keys: list[str]) -> None:
    twice = cells.duplicated([*keys, "tenure"])
    _refuse(cells, keys, twice, "a cell is given twice", "Sum them, or name the segment column they differ in.")
    over = cells["churned"] > cells["at_risk"]
    fix = "Count a reactivation as a new subscription."
    _refuse(cells, keys, over, "churned exceeds at_risk", fix, "churned", ">", "at_risk")
    before = cells.groupby(keys)["at_risk"].shift(1)
    rising = cells["at_risk"] > before
    shown = cells.assign(before=before.fillna(0).astype("int64"))
    fix = "Count those who join later in a cohort of their own."
    _refuse(shown, keys, rising, "at_risk rises", fix, "at_risk", ">", "before")


def _refuse(cells: pd.DataFrame, keys: list[str], bad: pd.Series, what: str, fix: str, *comparison: str) -> None:
    if not bad.any():
        return
    named = []
    for _, row in cells[bad].head(5).iterrows():
        label = f"{' '.join(str(row[k]) for k in keys)} tenure {row['tenure']}"
        if comparison:
            left, sign, right = comparison
            label += f" ({row[left]} {sign} {row[right]})"
        named.append(label)
    n = int(bad.sum())
    more = f", +{n - 5}" if n > 5 else ""
    raise DataError(f"{what} in {n} cell{'s' if n > 1 else ''}: {', '.join(named)}{more}. {fix}")


def empty_in_force(keys: list[str]) -> pd.DataFrame:
    """Give the in-force frame of a table without money: no rows."""
    table = {k: pd.Series([], dtype="str") for k in keys}
    whole = pd.Series([], dtype="int64")
    table |= {"tenure": whole, "elapsed": whole, "accounts": whole}
    table |= {name: pd.Series([], dtype="float64") for name in IN_FORCE}
    table |= {"lost_accounts": whole, "lost_amount": pd.Series([], dtype="float64")}
    return pd.DataFrame(table)


def empty_acquisitions(keys: list[str]) -> pd.DataFrame:
    """Give the acquisition frame of a table without money: no rows."""
    table = {k: pd.Series([], dtype="str") for k in keys}
    table |= {name: pd.Series([], dtype="int64") for name in ("months", "accounts")}
    table |= {name: pd.Series([], dtype="float64") for name in ("amount", "amount_sq")}
    return pd.DataFrame(table)
