"""Lives: spells become dated changes of a level, lives of a customer, and one step per tenure that moved.

No customer is ever multiplied by tenures: a life has one step for each tenure in which something changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import narwhals.stable.v2 as nw

from lifeworth.ledger.expanded import EXPANDED_COLUMN, NOT_YET, first_expansion, state_at
from lifeworth.ledger.months import cohort_index, completed_months, tenure_of
from lifeworth.ledger.sources import Lazy
from lifeworth.ledger.spells import TERM_COLUMN, effective

NONE_LABEL = "(none)"
UNKNOWN_CAUSE = "unknown"

_DATE, _DELTA, _LEVEL, _BEFORE = (nw.col(f"lw_{name}") for name in ("date", "delta", "level", "before"))
_LIFE, _OPENS, _TENURE, _ACQ = (nw.col(f"lw_{name}") for name in ("life", "opens", "tenure", "acquired"))
_IN_LIFE = ("lw_id", "lw_life")


@dataclass(frozen=True)
class Grid:
    """What a cohort table is asked for, in months, with its segment columns."""

    as_of: date
    period: int
    cohort: int
    by: tuple[str, ...]
    bridge_gap_days: int
    has_acquired: bool

    @property
    def expanded_at(self) -> str | None:
        """The engine-side name of the column that holds the state of expansion, where one was asked for."""
        asked = EXPANDED_COLUMN in self.by
        return segment_names(self.by)[self.by.index(EXPANDED_COLUMN)] if asked else None


def segment_names(by: tuple[str, ...]) -> list[str]:
    """Give the engine-side names of the segment columns."""
    return [f"lw_seg_{i}" for i in range(len(by))]


def changes(rows: Lazy, grid: Grid) -> Lazy:
    """Sum spells into one signed change per customer and day up to `as_of`."""
    live, segments = effective(rows, grid.as_of), segment_names(grid.by)
    starts = live.select(
        "lw_id",
        "lw_acquired",
        lw_date=nw.col("lw_start"),
        lw_delta=nw.col("lw_money"),
        lw_cause=nw.lit(None).cast(nw.String),
        **{seg: _label(live, name) for seg, name in zip(segments, grid.by, strict=True)},
    )
    ends = live.filter(grid.as_of >= nw.col("lw_end")).select(
        "lw_id",
        "lw_acquired",
        lw_date=nw.col("lw_end"),
        lw_delta=-nw.col("lw_money"),
        lw_cause=nw.col("lw_cause"),
        **{seg: nw.lit(None).cast(nw.String) for seg in segments},
    )
    return (
        nw.concat([starts, ends], how="vertical")
        .group_by("lw_id", "lw_date")
        .agg(
            _DELTA.sum().cast(nw.Int64),
            _ACQ.min(),
            nw.col("lw_cause").min(),
            *(nw.col(seg).min().alias(seg) for seg in segments),
            *(nw.col(seg).max().alias(f"{seg}_high") for seg in segments),
        )
    )


def _label(rows: Lazy, name: str) -> nw.Expr:
    """Give a segment column as text; the contract term is the one that was checked, where one was named."""
    if name == EXPANDED_COLUMN:
        return nw.lit(NOT_YET)
    if name != TERM_COLUMN:
        return nw.col(name).cast(nw.String)
    checked = nw.col("lw_term").cast(nw.String)
    own = name in rows.collect_schema().names()
    return nw.coalesce(checked, nw.col(name).cast(nw.String)) if own else checked


def levels(rows: Lazy, grid: Grid) -> Lazy:
    """Turn changes into levels, with the level before each change and whether it opens a life."""
    base = changes(rows, grid)
    order = {"order_by": "lw_date"}
    level = base.with_columns(lw_level=_DELTA.cum_sum().over("lw_id", **order).cast(nw.Int64))
    level = level.with_columns(lw_before=_LEVEL - _DELTA)
    if not grid.bridge_gap_days:
        return level.with_columns(lw_opens=_BEFORE == 0)
    days = f"{grid.bridge_gap_days}d"
    around = level.with_columns(
        lw_date_0=_DATE.shift(1).over("lw_id", **order),
        lw_delta_0=_DELTA.shift(1).over("lw_id", **order),
        lw_date_1=_DATE.shift(-1).over("lw_id", **order),
    )
    reach_0 = nw.col("lw_date_0").dt.offset_by(days).cast(nw.Date)
    back = ((_BEFORE == 0) & (reach_0 >= _DATE)).fill_null(False)
    reach = _DATE.dt.offset_by(days).cast(nw.Date)
    leaving = ((_LEVEL == 0) & (reach >= nw.col("lw_date_1"))).fill_null(False)
    marked = around.with_columns(
        lw_opens=(_BEFORE == 0) & ~back,
        lw_before=nw.when(back).then(-nw.col("lw_delta_0")).otherwise(_BEFORE),
        lw_bridged=leaving,
    )
    return marked.filter(~nw.col("lw_bridged")).drop("lw_date_0", "lw_delta_0", "lw_date_1", "lw_bridged")


def lives(rows: Lazy, grid: Grid) -> Lazy:
    """Give every change the number, acquisition, cohort and segments of its life, and its tenure."""
    segments = segment_names(grid.by)
    at_opening = {"lw_entry": _DATE, **{f"{seg}_held": nw.col(seg).fill_null(NONE_LABEL) for seg in segments}}
    carried = {name: nw.when(_OPENS).then(value) for name, value in at_opening.items()}
    numbered = levels(rows, grid).with_columns(
        lw_life=_OPENS.cast(nw.Int64).cum_sum().over("lw_id", order_by="lw_date").cast(nw.Int64),
        **{
            name: value.fill_null(strategy="forward").over("lw_id", order_by="lw_date")
            for name, value in carried.items()
        },
    )
    if grid.has_acquired:
        numbered = numbered.with_columns(_ACQ.min().over("lw_id"))
    entry = nw.col("lw_entry")
    own = (_LIFE == 1) & (entry >= _ACQ)
    dated = numbered.with_columns(lw_acquired=nw.when(own).then(_ACQ).otherwise(entry))
    return dated.with_columns(
        lw_months=completed_months(_ACQ, grid.as_of),
        lw_tenure=tenure_of(_ACQ, _DATE, months=grid.period),
        lw_cohort=nw.when(_LIFE > 1).then(nw.lit(-1)).otherwise(cohort_index(_ACQ, months=grid.cohort)),
        **{seg: nw.col(f"{seg}_held") for seg in segments},
        **{f"{seg}_moved": _moved(seg) for seg in segments},
    )


def _moved(seg: str) -> nw.Expr:
    """Say whether a change brought a segment other than the life's own."""
    held = nw.col(f"{seg}_held")
    return ((nw.col(seg) != held) | (nw.col(f"{seg}_high") != held)).fill_null(False)


def steps(rows: Lazy, grid: Grid) -> Lazy:
    """Collapse a life's changes to one step per tenure: level at its opening, level at its close."""
    around = lives(rows, grid).with_columns(
        lw_tenure_0=_TENURE.shift(1).over(*_IN_LIFE, order_by="lw_date"),
        lw_tenure_1=_TENURE.shift(-1).over(*_IN_LIFE, order_by="lw_date"),
    )
    segments = segment_names(grid.by)
    opening = nw.when(nw.col("lw_tenure_0") == _TENURE).then(nw.lit(0)).otherwise(_BEFORE)
    closing = nw.when(nw.col("lw_tenure_1") == _TENURE).then(nw.lit(0)).otherwise(_LEVEL)
    cause = nw.when(_LEVEL == 0).then(nw.col("lw_cause").fill_null(UNKNOWN_CAUSE))
    flat = around.with_columns(lw_opening=opening, lw_closing=closing, lw_cause=cause)
    keep = ["lw_cohort", "lw_months", *segments, *(f"{seg}_moved" for seg in segments), "lw_cause"]
    found = flat.group_by(*_IN_LIFE, "lw_tenure").agg(
        nw.col("lw_opening", "lw_closing").sum().cast(nw.Int64), nw.col(*keep).max()
    )
    if grid.expanded_at is None:
        return found
    return first_expansion(found).with_columns(**{grid.expanded_at: state_at(_TENURE)})


def last_levels(rows: Lazy, grid: Grid) -> Lazy:
    """Keep, of each customer in force at `as_of`, the last change of the running life."""
    around = lives(rows, grid).with_columns(lw_date_1=_DATE.shift(-1).over("lw_id", order_by="lw_date"))
    last = around.filter(nw.col("lw_date_1").is_null() & (_LEVEL > 0))
    if grid.expanded_at is None:
        return last
    first = steps(rows, grid).group_by(*_IN_LIFE).agg(nw.col("lw_first_up").min())
    known = last.join(first, on=list(_IN_LIFE), how="left")
    return known.with_columns(**{grid.expanded_at: state_at(nw.col("lw_months") // grid.period)})
