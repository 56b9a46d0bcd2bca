"""Spells: what one row means, the rules a row must keep, and the rules between rows of a customer."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

import narwhals.stable.v2 as nw

from lifeworth.errors import DataError
from lifeworth.ledger.checks import Check, Rule, collect, count, name_customers
from lifeworth.ledger.columns import FAR, MAX_AMOUNT, MAX_SQUARES, MAX_TOTAL, SCALE, is_finer
from lifeworth.ledger.sources import Lazy

ID, START, END, MONEY = nw.col("lw_id"), nw.col("lw_start"), nw.col("lw_end"), nw.col("lw_money")
AMOUNT, TERM = nw.col("lw_amount"), nw.col("lw_term")

TERM_COLUMN: Final = "term_months"
"""The segment column that holds the contract term of a life, for `by`."""

CORE: Final = ("lw_id", "lw_start", "lw_end", "lw_amount", "lw_money", "lw_acquired", "lw_cause", "lw_term")


def effective(rows: Lazy, as_of: date) -> Lazy:
    """Keep the rows that were ever in force by `as_of`: positive money over at least a day."""
    return rows.filter((MONEY > 0) & (as_of >= START) & (END.is_null() | (END > START)))


def in_force_at(rows: Lazy, as_of: date) -> Lazy:
    """Keep the rows in force at `as_of`: start <= as_of < end."""
    return rows.filter((MONEY > 0) & (as_of >= START) & (END.is_null() | ((END > START) & (as_of < END))))


def amount_rules() -> list[Rule]:
    """List what an amount must keep."""
    finite = AMOUNT.is_finite()
    return [
        Rule(
            "amount_missing",
            "error",
            AMOUNT.is_null() | ~finite,
            "{rows} rows have an amount that is null or not finite",
            "Fill it, or leave the row out.",
        ),
        Rule(
            "amount_negative",
            "error",
            finite & (AMOUNT < 0),
            "{rows} rows have a negative amount",
            "Net credits against the spell they belong to.",
        ),
        Rule(
            "amount_too_large",
            "error",
            finite & (AMOUNT > MAX_AMOUNT),
            f"{{rows}} rows have an amount above {MAX_AMOUNT:.0e}, too large to be added exactly",
            "State money in a larger unit.",
        ),
        Rule(
            "amount_rounded",
            "note",
            is_finer(AMOUNT, MONEY),
            "{rows} rows have an amount finer than 0.0001 and were rounded to it",
        ),
        Rule(
            "amount_zero",
            "note",
            MONEY == 0,
            "{rows} rows have a zero amount: a trial, not yet acquired",
        ),
    ]


def row_rules(as_of: date) -> list[Rule]:
    """List what one spell must keep."""
    return [*_key_rules(), *amount_rules(), *_date_notes(as_of)]


def _key_rules() -> list[Rule]:
    return [
        Rule(
            "id_missing",
            "error",
            ID.is_null(),
            "{rows} rows have no customer_id",
            "Fill it, or leave the row out.",
        ),
        Rule(
            "date_unreadable",
            "error",
            nw.col("lw_unreadable"),
            "{rows} rows have a date that cannot be read",
            "Write dates as YYYY-MM-DD.",
        ),
        Rule(
            "start_missing",
            "error",
            START.is_null() & ~nw.col("lw_unreadable"),
            "{rows} rows have no start",
            "Fill it with the first day the amount applied.",
        ),
        Rule(
            "end_before_start",
            "error",
            END < START,
            "{rows} rows end before they start",
            "Swap the dates, or drop the row if it was cancelled before it began.",
        ),
    ]


def _date_notes(as_of: date) -> list[Rule]:
    return [
        Rule(
            "zero_length",
            "note",
            START == END,
            "{rows} rows end on the day they start and were never in force",
        ),
        Rule(
            "start_after_as_of",
            "note",
            as_of < START,
            "{rows} rows start after as_of and were left out",
        ),
        Rule(
            "end_after_as_of",
            "note",
            (as_of < END) & (as_of >= START),
            "{rows} rows end after as_of and were read as still active",
        ),
    ]


def totals(rows: Lazy) -> tuple[Check, ...]:
    """Refuse an empty ledger, and one whose total leaves the exact range."""
    safe = nw.when(MONEY > 0).then(MONEY.cast(nw.Float64) / SCALE).otherwise(nw.lit(0.0))
    found = collect(rows.select(rows=nw.len(), total=safe.sum(), squares=(safe * safe).sum()))[0]
    if not found["rows"]:
        raise DataError("the ledger is empty. Hand in at least one row per customer.")
    if found["total"] <= MAX_TOTAL and found["squares"] <= MAX_SQUARES:
        return ()
    message = f"the amounts sum to {found['total']:.3g}, too large to be added exactly"
    return (Check("total_too_large", "error", found["rows"], (), message, "State money in a larger unit."),)


def currencies(rows: Lazy, column: str) -> tuple[str | None, tuple[Check, ...]]:
    """Find the one currency of a column, or refuse several."""
    found = collect(rows.select(c=nw.col(column).cast(nw.String)).unique().sort("c").head(6))
    names = [row["c"] for row in found]
    if len(names) == 1 and names[0] is not None:
        return names[0], ()
    n = collect(rows.select(n=nw.len()))[0]["n"]
    shown = ", ".join("(none)" if name is None else str(name) for name in names)
    message = f"column {column!r} mixes currencies: {shown}"
    remedy = "Convert to one currency, or build one ledger for each."
    return None, (Check("currency_mixed", "error", n, (), message, remedy),)


def _consecutive(rows: Lazy, as_of: date) -> Lazy:
    order = ["lw_start", "lw_last", "lw_money"]
    live = effective(rows, as_of).select("lw_id", "lw_start", "lw_money", lw_last=nw.coalesce(END, nw.lit(FAR)))
    last = nw.col("lw_last")
    with_reach = live.with_columns(lw_reach=last.cum_max().over("lw_id", order_by=order))
    before = {
        "lw_start_0": START.shift(1),
        "lw_last_0": last.shift(1),
        "lw_money_0": MONEY.shift(1),
        "lw_reach_0": nw.col("lw_reach").shift(1),
    }
    return with_reach.with_columns(**{name: value.over("lw_id", order_by=order) for name, value in before.items()})


def between_rows(rows: Lazy, as_of: date, *, bridge_gap_days: int, inclusive: bool) -> tuple[Check, ...]:
    """Look at consecutive spells of a customer: duplicates, overlaps, gaps, and ends that look inclusive."""
    pairs, reach = _consecutive(rows, as_of), nw.col("lw_reach_0")
    bridge = reach.dt.offset_by(f"{bridge_gap_days}d").cast(nw.Date) if bridge_gap_days else reach
    later = ~reach.is_null() & (reach < START)
    conditions = {
        "twin": (nw.col("lw_start_0") == START)
        & (nw.col("lw_last_0") == nw.col("lw_last"))
        & (nw.col("lw_money_0") == MONEY),
        "overlap": reach > START,
        "bridged": later & (bridge >= START),
        "returned": later & (bridge < START),
        "day": later & (reach.dt.offset_by("1d").cast(nw.Date) == START),
        "pairs": ~reach.is_null(),
    }
    found = collect(pairs.select(**{name: count(condition) for name, condition in conditions.items()}))[0]
    checks = list(duplicates(rows) if found["twin"] else ())
    texts = {
        "overlap": "{} spells overlap an earlier one of their customer; overlapping spells sum",
        "bridged": f"{{}} gaps of at most {bridge_gap_days} days were bridged",
        "returned": "{} returns after a gap began a new life in the cohort 'reactivated'",
    }
    for name, text in texts.items():
        if found[name]:
            named = name_customers(pairs, conditions[name])
            checks.append(Check(name, "note", found[name], named, text.format(f"{found[name]:,}"), ""))
    if not inclusive and found["day"] > 0.9 * found["pairs"]:
        checks.append(_looks_inclusive(found, name_customers(pairs, conditions["day"])))
    return tuple(checks)


def _looks_inclusive(found: dict[str, Any], named: tuple[str, ...]) -> Check:
    message = (
        f"{found['day']:,} of {found['pairs']:,} consecutive spells leave a gap of exactly one day: ends look inclusive"
    )
    return Check("end_inclusive", "warning", found["day"], named, message, "Pass end_inclusive=True.")


def duplicates(rows: Lazy) -> tuple[Check, ...]:
    """Count exact duplicates over every column of the source."""
    names = [name for name in rows.collect_schema().names() if name != "lw_unreadable"]
    many = rows.group_by(*names).agg(lw_copies=nw.len()).filter(nw.col("lw_copies") > 1)
    found = collect(many.select(extra=(nw.col("lw_copies") - 1).sum().cast(nw.Int64)))[0]["extra"]
    if not found:
        return ()
    message = f"{found:,} rows are exact duplicates of another row"
    remedy = "Drop them; two equal subscriptions of one customer need a column that tells them apart."
    return (Check("duplicates", "error", found, name_customers(many), message, remedy),)


def late_acquired(rows: Lazy, as_of: date) -> tuple[Check, ...]:
    """Find customers acquired after their first start: the start is used."""
    first = effective(rows, as_of).group_by("lw_id").agg(nw.col("lw_start", "lw_acquired").min())
    late = first.filter(nw.col("lw_acquired") > START)
    n = collect(late.select(n=nw.len()))[0]["n"]
    if not n:
        return ()
    message = f"{n:,} customers have `acquired` after their first start; the start was used"
    remedy = "Correct `acquired` if they are the same contract."
    return (Check("acquired_after_start", "warning", n, name_customers(late), message, remedy),)


def long_terms(rows: Lazy, as_of: date, months: int, period: str) -> None:
    """Refuse contracts longer than the period where the cells do not tell terms apart."""
    long = effective(rows, as_of).filter(months < TERM)
    by_term = long.select("lw_id", "lw_term").unique().group_by("lw_term").agg(n=nw.len()).sort("lw_term")
    found = collect(by_term)
    if not found:
        return
    terms = ", ".join(f"{row['n']:,} customers have {row['lw_term']}-month terms" for row in found[:5])
    worst = max(row["lw_term"] for row in found)
    unit = {1: "monthly", 3: "quarterly", 12: "yearly"}[months]
    longest = next((name for name, size in (("quarter", 3), ("year", 12)) if size >= worst), None)
    fix = f'add "{TERM_COLUMN}" to `by`, and `fit` models the renewals' + (
        f", or use period={longest!r}" * bool(longest)
    )
    raise DataError(
        f"{terms} in {unit} cells (customers {', '.join(name_customers(long))}): "
        f"{period}s between renewals (1-{worst // months - 1}) would read as loyalty. "
        f"{fix[0].upper()}{fix[1:]}."
    )
