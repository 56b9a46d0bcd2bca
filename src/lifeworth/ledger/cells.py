"""From steps to cells: who was at risk in each tenure, what moved, and what is still open.

Everything is whole numbers until the last line, so an emptied cell is exactly zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from lifeworth.ledger.columns import SCALE
from lifeworth.ledger.frames import sum_by
from lifeworth.ledger.moments import PARTS, squared

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Frames:
    """The three frames of a table."""

    cells: pd.DataFrame
    in_force: pd.DataFrame
    acquisitions: pd.DataFrame


@dataclass(frozen=True)
class Dense:
    """Every tenure of every (cohort, segments, months) group, the open one last, with its flows."""

    keys: pd.DataFrame
    months: Ints
    tenure: Ints
    open_tenure: Ints
    values: dict[str, Ints]


def dense(steps: pd.DataFrame, keys: list[str], period: int) -> Dense:
    """Lay steps out over tenures 0 .. open tenure and cumulate what was at risk."""
    grouped = steps.groupby([*keys, "months"], sort=True)
    group = grouped.ngroup().to_numpy(np.int64)
    heads = steps.loc[~steps.duplicated([*keys, "months"]), [*keys, "months"]].reset_index(drop=True)
    open_tenure = heads["months"].to_numpy(np.int64) // period
    offset = np.concatenate([[0], np.cumsum(open_tenure + 1)]).astype(np.int64)
    row = np.repeat(np.arange(len(heads)), open_tenure + 1)
    tenure = np.arange(offset[-1]) - offset[row]
    size, step_tenure = int(offset[-1]), steps["tenure"].to_numpy(np.int64)

    def scatter(name: str, at: Ints, where: npt.NDArray[np.bool_]) -> Ints:
        out = np.zeros(size, dtype=np.int64)
        np.add.at(out, (offset[group] + at)[where], steps[f"x_{name}"].to_numpy(np.int64)[where])
        return out

    inside, last = step_tenure >= 0, step_tenure == open_tenure[group]
    flows = [c[2:] for c in steps.columns if c.startswith("x_") and not c.startswith("x_entered")]
    values = {name: scatter(name, step_tenure, inside) for name in flows}
    for part in PARTS:  # entering in tenure t is being at risk from t + 1; in the open tenure, not yet
        values[f"entered_{part}"] = entered = scatter(f"entered_{part}", step_tenure + 1, ~last)
        turning = np.zeros_like(entered)
        if f"turned_{part}" in flows:  # turning in tenure t is being at risk in the other state from t + 1
            turning = scatter(f"turned_{part}", step_tenure + 1, ~last)
        values[f"late_{part}"] = entered + np.maximum(turning, 0)
        values[f"entering_{part}"] = entered + turning
        values[f"joining_{part}"] = scatter(f"entered_{part}", step_tenure, last)
        net = values["entering_" + part] + _shift(_net(values, part), tenure)
        total = np.cumsum(net)
        before = np.concatenate([[0], total])[offset[row]]
        values[f"opening_{part}"] = total - before
    return Dense(heads[keys].iloc[row], heads["months"].to_numpy(np.int64)[row], tenure, open_tenure[row], values)


def _net(values: dict[str, Ints], part: str) -> Ints:
    """Give the change of what is held over a tenure: accounts lost, money moved, squares moved."""
    if part == "n":
        return -values["churned_n"]
    if part == "m":
        return values["expanded_m"] - values["contracted_m"] - values["churned_m"]
    return values[f"held_{part}"]


def _shift(flow: Ints, tenure: Ints) -> Ints:
    moved = np.concatenate([[0], flow[:-1]]).astype(np.int64)
    return np.where(tenure == 0, 0, moved)


def build(steps: pd.DataFrame, *, by: tuple[str, ...], causes: tuple[str, ...], period: int, bucket: int) -> Frames:
    """Build the frames of a table from its steps; `period` and `bucket` are in months."""
    keys = ["cohort", *by]
    grid = dense(steps, keys, period)
    return Frames(_cells(grid, keys, causes, period, bucket), _in_force(grid, keys, period), _new(steps, keys))


def _money(values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    return np.asarray(values, dtype=np.int64) / SCALE


def _group(grid: Dense, columns: dict[str, Ints], keep: npt.NDArray[np.bool_], keys: list[str]) -> pd.DataFrame:
    table = grid.keys.reset_index(drop=True).assign(**columns)[keep]
    return sum_by(table, keys)


def _cells(grid: Dense, keys: list[str], causes: tuple[str, ...], period: int, bucket: int) -> pd.DataFrame:
    columns = dict(grid.values)
    columns["tenure"] = grid.tenure
    columns["bucket"] = -((grid.months - (grid.tenure + 1) * period) // bucket)
    late = grid.tenure > 0
    columns["late_n"] = np.where(late, grid.values["late_n"], 0)
    columns["late_m"] = np.where(late, grid.values["late_m"], 0)
    cell_keys = [*keys, "tenure", "bucket"]
    total = _group(grid, columns, grid.tenure < grid.open_tenure, cell_keys)
    total = total[total["opening_n"] > 0].reset_index(drop=True)
    closing = total["opening_m"] + total["expanded_m"] - total["contracted_m"] - total["churned_m"]
    counts = {
        "at_risk": total["opening_n"],
        "churned": total["churned_n"],
        **{f"churned_{cause}": total[f"cause_{i}_n"] for i, cause in enumerate(causes)},
        "expanded": total["expanded_n"],
        "contracted": total["contracted_n"],
        "late_entered": total["late_n"],
    }
    money = {
        "opening": _money(total["opening_m"]),
        "churned_amount": _money(total["churned_m"]),
        "expansion": _money(total["expanded_m"]),
        "contraction": _money(total["contracted_m"]),
        "closing": _money(closing),
        "late_entries": _money(total["late_m"]),
    }
    if "turned_n" in total.columns:
        counts["turned"] = (-total["turned_n"]).clip(lower=0)
        money["turned_amount"] = _money((-total["turned_m"]).clip(lower=0))
    sums = {name: total[name].to_numpy() for name in total.columns if name[-3:] in {"_hh", "_hl", "_ll"}}
    names = {"opening": "opening", "churned": "churned", "expansion": "expanded", "contraction": "contracted"}
    squares = {f"{name}_sq": squared(sums, stem) for name, stem in names.items()}
    return total[cell_keys].assign(**counts, **money, **squares)


def _in_force(grid: Dense, keys: list[str], period: int) -> pd.DataFrame:
    v, first = grid.values, grid.tenure == 0
    columns: dict[str, Ints] = {"tenure": grid.tenure, "elapsed": grid.months - grid.open_tenure * period}
    columns["accounts"] = v["opening_n"] + v["joining_n"] - v["churned_n"]
    columns["lost_accounts"] = v["churned_n"]
    columns["carried"] = v["opening_m"] - v["late_m"]
    columns["fresh"] = np.where(first, v["late_m"], 0)
    columns["late"] = np.where(first, 0, v["late_m"]) + v["joining_m"]
    columns["moved"] = v["expanded_m"] - v["contracted_m"]
    columns["lost"] = v["churned_m"]
    for part in ("hh", "hl", "ll"):
        columns[f"held_{part}"] = v[f"opening_{part}"] + v[f"joining_{part}"] + v[f"held_{part}"]
    cell_keys = [*keys, "tenure", "elapsed"]
    total = _group(grid, columns, grid.tenure == grid.open_tenure, cell_keys)
    total = total[(total["accounts"] > 0) | (total["lost_accounts"] > 0)].reset_index(drop=True)
    amount = total["carried"] + total["fresh"] + total["late"] + total["moved"] - total["lost"]
    return total[[*cell_keys, "accounts"]].assign(
        amount=_money(amount),
        amount_sq=squared({name: total[name].to_numpy() for name in total.columns}, "held"),
        opening=_money(total["carried"]),
        new=_money(total["fresh"]),
        late_entries=_money(total["late"]),
        change=_money(total["moved"]),
        lost_accounts=total["lost_accounts"],
        lost_amount=_money(total["lost"]),
    )


def _new(steps: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Collect the accounts that entered at their acquisition, by completed months since."""
    group_keys = [*keys, "months"]
    entered = steps[(steps["tenure"] == -1) & (steps["x_entered_n"] > 0)]
    columns = [c for c in steps.columns if c.startswith("x_entered_")]
    total = sum_by(entered, group_keys, columns)
    parts = {name[2:]: total[name].to_numpy() for name in columns}
    return total[group_keys].assign(
        accounts=total["x_entered_n"],
        amount=_money(total["x_entered_m"]),
        amount_sq=squared(parts, "entered"),
    )


def cut_steps(steps: pd.DataFrame, months: int, period: int) -> pd.DataFrame:
    """Take the steps back in time: drop those not yet acquired and what the open tenure cannot tell."""
    moved = steps.assign(months=steps["months"] - months)
    known = (moved["months"] >= 0) & (moved["tenure"] < moved["months"] // period)
    return moved[known].reset_index(drop=True)
