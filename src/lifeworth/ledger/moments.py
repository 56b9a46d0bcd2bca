"""Adding steps up in the engine: counts, money and exact squares per cohort, segments, age and tenure.

A square of ten-thousandths leaves 64 bits, so it is carried as three whole sums of its halves,
``(h * 10**6 + l)**2 = h*h * 10**12 + 2*h*l * 10**6 + l*l``: exact in any order of rows, on any engine.
"""

from __future__ import annotations

from typing import Any, Final

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from lifeworth.errors import DataError
from lifeworth.ledger.checks import collect
from lifeworth.ledger.columns import SCALE
from lifeworth.ledger.expanded import EXPANDED_COLUMN, FIRST, turned_over
from lifeworth.ledger.lives import UNKNOWN_CAUSE, Grid, segment_names, steps
from lifeworth.ledger.months import cohort_label
from lifeworth.ledger.sources import Lazy
from lifeworth.ledger.spells import effective

HALF: Final = 10**6
PARTS: Final = ("n", "m", "hh", "hl", "ll")
FLOWS: Final = ("entered", "churned", "expanded", "contracted")
REACTIVATED: Final = "reactivated"
MAX_CAUSES: Final = 30

_OPEN, _CLOSE = nw.col("lw_opening"), nw.col("lw_closing")


def squared(parts: dict[str, Any], stem: str) -> Any:
    """Put the three sums of a square together, in money units squared."""
    high, cross, low = (np.asarray(parts[f"{stem}_{p}"], dtype=float) for p in ("hh", "hl", "ll"))
    return (high * HALF**2 + 2 * cross * HALF + low) / SCALE**2


def _sums(stem: str, condition: nw.Expr, money: nw.Expr) -> dict[str, nw.Expr]:
    hit = nw.when(condition).then(money).otherwise(nw.lit(0)).cast(nw.Int64)
    high, low = hit // HALF, hit % HALF
    counted = nw.when(condition).then(nw.lit(1)).otherwise(nw.lit(0))
    values = {"n": counted, "m": hit, "hh": high * high, "hl": high * low, "ll": low * low}
    return {f"{stem}_{part}": value.sum().cast(nw.Int64) for part, value in values.items()}


def _squares_held() -> dict[str, nw.Expr]:
    opened, closed = ({"h": level // HALF, "l": level % HALF} for level in (_OPEN, _CLOSE))

    def net(first: str, second: str) -> nw.Expr:
        change = closed[first] * closed[second] - opened[first] * opened[second]
        return nw.when(_OPEN > 0).then(change).otherwise(nw.lit(0)).sum().cast(nw.Int64)

    return {f"held_{part}": net(*part) for part in ("hh", "hl", "ll")}


def causes_of(rows: Lazy, grid: Grid) -> tuple[str, ...]:
    """List the causes found on rows that ended by `as_of`."""
    ended = effective(rows, grid.as_of).filter(grid.as_of >= nw.col("lw_end"))
    found = collect(ended.select("lw_cause").unique().sort("lw_cause").head(MAX_CAUSES + 1))
    if len(found) > MAX_CAUSES:
        raise DataError(f"the cause column has more than {MAX_CAUSES} values. Group them first, or leave cause= out.")
    clash = [row["lw_cause"] for row in found if row["lw_cause"] in {"amount", "sq"}]
    if clash:
        raise DataError(f"the cause {clash[0]!r} would name a money column, churned_{clash[0]}. Rename it.")
    return tuple(sorted({UNKNOWN_CAUSE if row["lw_cause"] is None else row["lw_cause"] for row in found}))


def aggregate(rows: Lazy, grid: Grid, causes: tuple[str, ...]) -> pd.DataFrame:
    """Run the one pass: whole numbers per cohort, segments, completed months and tenure."""
    segments = segment_names(grid.by)
    is_new, is_gone = _OPEN == 0, (_OPEN > 0) & (_CLOSE == 0)
    up, down = (_OPEN > 0) & (_CLOSE > _OPEN), (_CLOSE > 0) & (_CLOSE < _OPEN)
    sums = {
        **_sums("entered", is_new & (_CLOSE > 0), _CLOSE),
        **_sums("churned", is_gone, _OPEN),
        **_sums("expanded", up, _CLOSE - _OPEN),
        **_sums("contracted", down, _OPEN - _CLOSE),
        **_squares_held(),
        "lost_early_n": _flag(is_new & (_CLOSE == 0)),
        **{f"moved_{i}_n": _flag(nw.col(f"{seg}_moved")) for i, seg in enumerate(segments)},
        **{f"cause_{i}_n": _flag(is_gone & (nw.col("lw_cause") == c)) for i, c in enumerate(causes)},
    }
    if grid.expanded_at:
        sums |= _sums("turned", up & (nw.col("lw_tenure") == FIRST).fill_null(False), _CLOSE)
    keys = ["lw_cohort", *segments, "lw_months", "lw_tenure"]
    found = steps(rows, grid).group_by(*keys).agg(*(value.alias(name) for name, value in sums.items()))
    return _tidy(found.collect(backend="pyarrow").to_native().to_pydict(), grid, list(sums))


def _flag(condition: nw.Expr) -> nw.Expr:
    return nw.when(condition).then(nw.lit(1)).otherwise(nw.lit(0)).sum().cast(nw.Int64)


def _tidy(found: dict[str, list[Any]], grid: Grid, measures: list[str]) -> pd.DataFrame:
    cohorts = [REACTIVATED if c < 0 else cohort_label(c, grid.cohort) for c in found["lw_cohort"]]
    table = {"cohort": pd.Series(cohorts, dtype="str")}
    for name, seg in zip(grid.by, segment_names(grid.by), strict=True):
        table[name] = pd.Series(found[seg], dtype="str")
    for name, column in (("months", "lw_months"), ("tenure", "lw_tenure")):
        table[name] = pd.Series(found[column], dtype="int64")
    for name in measures:
        table[f"x_{name}"] = pd.Series(found[name], dtype="int64")
    keys = ["cohort", *grid.by, "months", "tenure"]
    steps = pd.DataFrame(table)
    if EXPANDED_COLUMN in grid.by:
        steps = turned_over(steps, keys)
    return steps.sort_values(keys, kind="stable", ignore_index=True)
