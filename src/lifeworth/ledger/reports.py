"""What making a table settled: segments that moved or are empty, late entrants, losses never at risk."""

from __future__ import annotations

import narwhals.stable.v2 as nw
import pandas as pd

from lifeworth.ledger.checks import Check, collect, name_customers
from lifeworth.ledger.lives import NONE_LABEL, Grid, lives, segment_names
from lifeworth.ledger.sources import Lazy


def table_checks(steps: pd.DataFrame, rows: Lazy, grid: Grid) -> tuple[Check, ...]:
    """Report what the aggregate of steps counted on the way."""
    checks: list[Check] = []
    for i, (name, seg) in enumerate(zip(grid.by, segment_names(grid.by), strict=True)):
        if steps[f"x_moved_{i}_n"].any():
            checks.append(_moved(rows, grid, name, nw.col(f"{seg}_moved")))
        empty = int(steps.loc[steps[name] == NONE_LABEL, "x_entered_n"].sum())
        if empty:
            message = f"{empty:,} lives have no {name!r}; they are in the segment {NONE_LABEL!r}"
            checks.append(Check("segment_missing", "note", empty, (), message, ""))
    late = int(steps.loc[steps["tenure"] >= 0, "x_entered_n"].sum())
    if late:
        message = (
            f"{late:,} accounts entered late, after their acquisition; they are at risk from their "
            "first whole tenure and their exposure before it is left out"
        )
        checks.append(Check("late_entry", "note", late, (), message, ""))
    lost = int(steps["x_lost_early_n"].sum())
    if lost:
        message = f"{lost:,} late entrants were lost before the first whole tenure and never were at risk"
        checks.append(Check("lost_before_first_tenure", "note", lost, (), message, ""))
    return tuple(checks)


def _moved(rows: Lazy, grid: Grid, name: str, condition: nw.Expr) -> Check:
    hit = lives(rows, grid).filter(condition).select("lw_id", "lw_life").unique()
    moved = int(collect(hit.select(n=nw.len()))[0]["n"])
    message = f"{moved:,} lives change {name!r}; the value at acquisition was used"
    return Check("segment_changed", "warning", moved, name_customers(hit), message, "")
