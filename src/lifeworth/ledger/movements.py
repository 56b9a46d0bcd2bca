"""Movements: signed changes of a customer's recurring revenue, turned into spells of constant level."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final

import narwhals.stable.v2 as nw

from lifeworth.errors import DataError
from lifeworth.ledger.checks import Check, Rule, collect, raise_errors, run_rules
from lifeworth.ledger.columns import MAX_AMOUNT, is_finer
from lifeworth.ledger.read import Optional, Relation, core_rows, finish
from lifeworth.ledger.sources import Lazy, Source, column_names
from lifeworth.ledger.spells import AMOUNT, ID, MONEY, START, duplicates, totals

GAINS: Final = ("new", "expansion", "reactivation")
LOSSES: Final = ("contraction", "churn")
OPENERS: Final = ("new", "reactivation")

KIND = nw.col("lw_kind")
_DATE_ORDER: Final = "lw_start"


def movement_rules(as_of: date) -> list[Rule]:
    """List what one movement must keep."""
    late = "{rows} movements are after as_of and were left out"
    return [*_key_rules(), *_delta_rules(), Rule("start_after_as_of", "note", as_of < START, late)]


def _key_rules() -> list[Rule]:
    return [
        Rule("id_missing", "error", ID.is_null(), "{rows} movements have no customer_id", "Fill it."),
        Rule(
            "date_unreadable",
            "error",
            nw.col("lw_unreadable"),
            "{rows} movements have a date that cannot be read",
            "Write dates as YYYY-MM-DD.",
        ),
        Rule(
            "date_missing",
            "error",
            START.is_null() & ~nw.col("lw_unreadable"),
            "{rows} movements have no date",
            "Fill it.",
        ),
        Rule("kind_missing", "error", KIND.is_null(), "{rows} movements have no kind", "Fill it."),
    ]


def _delta_rules() -> list[Rule]:
    finite = AMOUNT.is_finite()
    return [
        Rule(
            "delta_missing",
            "error",
            AMOUNT.is_null() | ~finite,
            "{rows} movements have a delta that is null or not finite",
            "Fill it, or leave the row out.",
        ),
        Rule(
            "delta_too_large",
            "error",
            finite & (AMOUNT.abs() > MAX_AMOUNT),
            f"{{rows}} movements exceed {MAX_AMOUNT:.0e}, too large to be added exactly",
            "State money in a larger unit.",
        ),
        Rule(
            "delta_sign",
            "error",
            (KIND.is_in(list(GAINS)) & (MONEY <= 0)) | (KIND.is_in(list(LOSSES)) & (MONEY >= 0)),
            "{rows} movements have a delta whose sign contradicts their kind",
            f"{', '.join(GAINS)} are positive, {' and '.join(LOSSES)} negative; name other moves otherwise.",
        ),
        Rule(
            "amount_rounded",
            "note",
            is_finer(AMOUNT, MONEY),
            "{rows} movements are finer than 0.0001 and were rounded to it",
        ),
    ]


def read_movements(
    source: Source,
    as_of: date,
    columns: Mapping[str, str] | None,
    optional: Optional,
    *,
    strip: tuple[str, ...],
    bridge_gap_days: int,
) -> Relation:
    """Read movements into spells of constant level."""
    own = source.frame.collect_schema().names()
    found = column_names(("customer_id", "date", "kind", "delta"), columns, own)
    names = {"id": found["customer_id"], "start": found["date"], "amount": found["delta"]}
    rows, zones = core_rows(source.frame, names, optional)
    rows = rows.with_columns(lw_kind=nw.col(found["kind"]).cast(nw.String))
    checks = (*run_rules(rows, movement_rules(as_of)), *totals(rows), *duplicates(rows), *zones)
    raise_errors(checks)
    full = levels(rows, own)
    raise_errors(_level_checks(full, stripped=False))
    if strip:
        _check_strip(rows, strip)
        full = levels(rows.filter(~KIND.is_in(list(strip))), own)
        raise_errors(_level_checks(full, stripped=True))
    return finish(source, _spells(full, own), own, as_of, checks, optional, bridge_gap_days)


def _check_strip(rows: Lazy, strip: tuple[str, ...]) -> None:
    if "churn" in strip:
        raise DataError("strip=('churn',) would leave nobody ever leaving. Strip kinds such as 'price'.")
    kinds = [row["lw_kind"] for row in collect(rows.select("lw_kind").unique().sort("lw_kind").head(50))]
    absent = [kind for kind in strip if kind not in kinds]
    if absent:
        raise DataError(f"strip= names kinds that do not occur: {', '.join(absent)}. Kinds: {', '.join(kinds)}.")


def levels(rows: Lazy, own: list[str]) -> Lazy:
    """Give the level after each day of movements; a churn sets it to zero, whatever was left."""
    churn, opener = KIND == "churn", KIND.is_in(list(OPENERS))
    zero = nw.lit(0)
    carried = [name for name in own if not name.startswith("lw_")]
    day = (
        rows.with_columns(
            lw_opened=nw.when(opener).then(MONEY).otherwise(zero),
            lw_churned=nw.when(churn).then(nw.lit(1)).otherwise(zero),
        )
        .group_by("lw_id", "lw_start")
        .agg(
            nw.col("lw_money", "lw_opened").sum().cast(nw.Int64),
            nw.col("lw_churned", "lw_acquired", "lw_cause", "lw_term").max(),
            *(nw.col(name).min() for name in carried),
        )
    )
    gone = nw.col("lw_churned") == 1
    eras = day.with_columns(
        lw_era=nw.col("lw_churned").cum_sum().over("lw_id", order_by=_DATE_ORDER).cast(nw.Int64),
        lw_plain=MONEY.cum_sum().over("lw_id", order_by=_DATE_ORDER).cast(nw.Int64),
        lw_step=nw.when(gone).then(nw.col("lw_opened")).otherwise(MONEY),
    )
    in_era = nw.col("lw_step").cum_sum().over("lw_id", "lw_era", order_by=_DATE_ORDER)
    return eras.with_columns(lw_level=in_era.cast(nw.Int64))


def _level_checks(full: Lazy, *, stripped: bool) -> tuple[Check, ...]:
    level = nw.col("lw_level")
    after = " once stripped" if stripped else ""
    rules = [
        Rule(
            "level_negative",
            "error",
            level < 0,
            f"the level falls below zero on {{rows}} days{after}",
            "Add the missing opening movement, or correct the signs.",
        )
    ]
    if not stripped:
        left = (nw.col("lw_churned") == 1) & (nw.col("lw_plain") != nw.col("lw_opened"))
        fix = "Make the churn as large as the level, or call it contraction."
        rules.append(Rule("churn_leaves_money", "error", left, "churn does not leave zero on {rows} days", fix))
    return run_rules(full, rules)


def _spells(full: Lazy, own: list[str]) -> Lazy:
    """Make one spell per stretch of constant level; its end carries the cause of the churn that ended it."""
    following = {"lw_end": START.shift(-1), "lw_why": nw.col("lw_cause").shift(-1)}
    dated = full.with_columns(**{name: value.over("lw_id", order_by=_DATE_ORDER) for name, value in following.items()})
    level = nw.col("lw_level")
    kept = [name for name in own if not name.startswith("lw_")]
    return dated.filter(level > 0).select(
        *kept,
        "lw_id",
        "lw_start",
        "lw_end",
        "lw_acquired",
        "lw_term",
        lw_cause=nw.col("lw_why"),
        lw_money=level,
    )
