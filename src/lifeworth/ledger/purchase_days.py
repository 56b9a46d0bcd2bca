"""From transactions to customers, in the engine: purchase days, refunds taken off them, one row per customer."""

from __future__ import annotations

from datetime import date
from typing import Final

import narwhals.stable.v2 as nw

from lifeworth.ledger.checks import Check, Rule, collect, count, name_customers
from lifeworth.ledger.columns import MAX_AMOUNT, SCALE, is_finer
from lifeworth.ledger.lives import NONE_LABEL, segment_names
from lifeworth.ledger.months import day_number
from lifeworth.ledger.sources import Lazy

_ID, _DATE, _MONEY, _AMOUNT = (nw.col(f"lw_{name}") for name in ("id", "start", "money", "amount"))
_ON: Final = nw.col("lw_on")


def transaction_rules(as_of: date) -> list[Rule]:
    """List what one transaction must keep."""
    finite = _AMOUNT.is_finite()
    unread = nw.col("lw_unreadable")
    fill = "Fill it, or leave the row out."
    return [
        Rule("id_missing", "error", _ID.is_null(), "{rows} rows have no customer_id", fill),
        Rule("date_unreadable", "error", unread, "{rows} rows have a date that cannot be read", "Write YYYY-MM-DD."),
        Rule("date_missing", "error", _DATE.is_null() & ~unread, "{rows} rows have no date", fill),
        Rule(
            "amount_missing",
            "error",
            _AMOUNT.is_null() | ~finite,
            "{rows} rows have an amount that is null or not finite",
            fill,
        ),
        Rule(
            "amount_too_large",
            "error",
            finite & (_AMOUNT.abs() > MAX_AMOUNT),
            f"{{rows}} rows have an amount beyond {MAX_AMOUNT:.0e}, too large to be added exactly",
            "State money in a larger unit.",
        ),
        Rule(
            "amount_rounded",
            "note",
            is_finer(_AMOUNT, _MONEY),
            "{rows} rows have an amount finer than 0.0001 and were rounded to it",
        ),
        Rule("amount_zero", "note", _MONEY == 0, "{rows} rows cost nothing; they are purchases all the same"),
        Rule("date_after_as_of", "note", as_of < _DATE, "{rows} rows are dated after as_of and were left out"),
    ]


def purchase_days(rows: Lazy, until: date, by: tuple[str, ...] = ()) -> Lazy:
    """One row per customer and day of purchase (`lw_on`) up to `until`.

    `lw_gross` is what was bought on the day, `lw_refund` what was given back from then until the next purchase;
    `lw_on` is 0 where there was no purchase before. Segments are those of the day's purchases.
    """
    bought = _MONEY >= 0
    names = zip(segment_names(by), by, strict=True)
    labels = {seg: nw.when(bought).then(nw.col(name).cast(nw.String)) for seg, name in names}
    known = rows.filter(until >= _DATE).with_columns(
        **labels,
        lw_kind=nw.when(bought).then(nw.lit(0)).otherwise(nw.lit(1)),
        lw_bought=nw.when(bought).then(day_number(_DATE)).otherwise(nw.lit(0)).cast(nw.Int64),
    )
    dated = known.with_columns(lw_on=nw.col("lw_bought").cum_max().over("lw_id", order_by=["lw_start", "lw_kind"]))
    return dated.group_by("lw_id", "lw_on").agg(
        nw.when(bought).then(_DATE).min().alias("lw_date"),
        nw.when(bought).then(_MONEY).otherwise(nw.lit(0)).sum().cast(nw.Int64).alias("lw_gross"),
        nw.when(~bought).then(_MONEY).otherwise(nw.lit(0)).sum().cast(nw.Int64).alias("lw_refund"),
        count(bought).alias("lw_rows"),
        count(~bought).alias("lw_refunds"),
        *(nw.col(seg).min().alias(seg) for seg in labels),
        *(nw.col(seg).max().alias(f"{seg}_high") for seg in labels),
    )


def customers(rows: Lazy, as_of: date, by: tuple[str, ...] = ()) -> Lazy:
    """One row per customer who bought by `as_of`: days of the first and last purchase, how many, and money."""
    days = purchase_days(rows, as_of, by).filter(_ON > 0)
    start, segments = nw.col("lw_first"), segment_names(by)
    opened = start == _ON
    held = {f"{seg}_held": nw.when(opened).then(nw.col(seg).fill_null(NONE_LABEL)) for seg in segments}
    first = days.with_columns(lw_first=_ON.min().over("lw_id")).with_columns(start, **held)
    first = first.with_columns(start, **{name: nw.col(name).min().over("lw_id") for name in held})
    moved = {
        seg: (nw.col(seg) != nw.col(f"{seg}_held")) | (nw.col(f"{seg}_high") != nw.col(f"{seg}_held"))
        for seg in segments
    }
    gross, refund = nw.col("lw_gross"), nw.col("lw_refund")
    money = {
        "lw_first_spend": nw.when(opened).then(gross).otherwise(nw.lit(0)),
        "lw_repeat_spend": nw.when(opened).then(nw.lit(0)).otherwise(gross),
        "lw_refunds": refund,
        "lw_first_refunds": nw.when(opened).then(refund).otherwise(nw.lit(0)),
        "lw_net": nw.when(opened).then(nw.lit(0)).otherwise(gross + refund),
    }
    return first.group_by("lw_id").agg(
        nw.col("lw_first").min(),
        _ON.max().alias("lw_last"),
        nw.col("lw_date").min(),
        (nw.len() - 1).cast(nw.Int64).alias("lw_frequency"),
        *(value.sum().cast(nw.Int64).alias(name) for name, value in money.items()),
        *(nw.col(f"{seg}_held").min().alias(seg) for seg in segments),
        *(count(condition).alias(f"{seg}_moved") for seg, condition in moved.items()),
    )


def later(rows: Lazy, as_of: date, until: date) -> Lazy:
    """Purchase days and net money of each customer after `as_of` up to `until`."""
    ahead = rows.filter((as_of < _DATE) & (until >= _DATE))
    daily = ahead.group_by("lw_id", "lw_start").agg(
        count(_MONEY >= 0).alias("lw_rows"), _MONEY.sum().cast(nw.Int64).alias("lw_money")
    )
    return daily.group_by("lw_id").agg(
        count(nw.col("lw_rows") > 0).alias("lw_later_purchases"),
        _MONEY.sum().cast(nw.Int64).alias("lw_later_amount"),
    )


def refund_checks(rows: Lazy, as_of: date) -> tuple[Check, ...]:
    """Count refunds, those without a purchase before them, and purchases that share their day."""
    days = purchase_days(rows, as_of)
    lost, refund = _ON == 0, nw.col("lw_refund")
    taken = nw.when(lost).then(nw.lit(0))
    found = collect(
        days.select(
            refunds=taken.otherwise(nw.col("lw_refunds")).sum().cast(nw.Int64),
            money=taken.otherwise(refund).sum().cast(nw.Int64),
            lost=nw.when(lost).then(nw.col("lw_refunds")).otherwise(nw.lit(0)).sum().cast(nw.Int64),
            lost_money=nw.when(lost).then(refund).otherwise(nw.lit(0)).sum().cast(nw.Int64),
            shared=nw.when(nw.col("lw_rows") > 1).then(nw.col("lw_rows") - 1).otherwise(nw.lit(0)).sum().cast(nw.Int64),
        )
    )[0]
    checks = []
    if found["shared"]:
        message = f"{found['shared']:,} rows share customer and day with another; a day is one purchase"
        checks.append(Check("same_day", "note", found["shared"], (), message, ""))
    if found["refunds"]:
        named = name_customers(days, ~lost & (nw.col("lw_refunds") > 0))
        message = (
            f"{found['refunds']:,} refunds, {found['money'] / SCALE:,.2f}, were taken off the purchase before them"
        )
        checks.append(Check("refund", "note", found["refunds"], named, message, ""))
    if found["lost"]:
        message = (
            f"{found['lost']:,} refunds, {found['lost_money'] / SCALE:,.2f}, come before any purchase of their "
            "customer and were left out"
        )
        remedy = "Begin the source at each customer's first purchase."
        named = name_customers(days, lost)
        checks.append(Check("refund_unmatched", "warning", found["lost"], named, message, remedy))
    return tuple(checks)


def copies(rows: Lazy, own: list[str]) -> tuple[Check, ...]:
    """Count rows that equal another one in every column: a note, and a warning from one in ten on."""
    many = rows.group_by(*dict.fromkeys((*own, "lw_id"))).agg(lw_copies=nw.len())
    total = nw.col("lw_copies").sum().cast(nw.Int64)
    found = collect(many.select(rows=total, extra=(nw.col("lw_copies") - 1).sum().cast(nw.Int64)))[0]
    if not found["extra"]:
        return ()
    message = f"{found['extra']:,} rows are exact copies of another row; both count"
    named = name_customers(many, nw.col("lw_copies") > 1)
    if found["extra"] * 10 < found["rows"]:
        return (Check("copies", "note", found["extra"], named, message, ""),)
    return (Check("copies", "warning", found["extra"], named, message, "Was a file loaded twice?"),)
