"""A reference that shares nothing with the package: one customer, one day and one anniversary at a time."""

import calendar
from collections import defaultdict
from datetime import date, timedelta

import pytest

DAY = timedelta(days=1)


def anniversary(acquired: date, months: int) -> date:
    year, month = divmod(acquired.year * 12 + acquired.month - 1 + months, 12)
    return date(year, month + 1, min(acquired.day, calendar.monthrange(year, month + 1)[1]))


def daily_levels(rows: list[dict], as_of: date) -> dict[date, int]:
    """Level in ten-thousandths on every day from the first start to as_of."""
    live = [r for r in rows if r["start"] <= as_of and round(r["amount"] * 10_000) > 0]
    live = [r for r in live if r["end"] is None or r["end"] > r["start"]]
    levels = {}
    day = min((r["start"] for r in live), default=as_of + DAY)
    while day <= as_of:
        inside = [r for r in live if r["start"] <= day and (r["end"] is None or day < r["end"])]
        levels[day] = sum(round(r["amount"] * 10_000) for r in inside)
        day += DAY
    return levels


def bridge(levels: dict[date, int], days: int) -> dict[date, int]:
    """Fill gaps of at most `days` days that are followed by a return with the level before them."""
    out, gap, before = dict(levels), [], 0
    for day in sorted(levels):
        if levels[day] == 0:
            gap.append(day)
            continue
        if before and gap and len(gap) <= days:
            for empty in gap:
                out[empty] = before
        gap, before = [], levels[day]
    return out


def lives(levels: dict[date, int]) -> list[tuple[date, date | None]]:
    """First day of each life and the day it was over (None: still running)."""
    found, first = [], None
    for day in sorted(levels):
        if levels[day] > 0 and first is None:
            first = day
        if levels[day] == 0 and first is not None:
            found.append((first, day))
            first = None
    return found + ([(first, None)] if first else [])


def label(day: date, cohort: str) -> str:
    quarter = f"{day.year}-Q{(day.month - 1) // 3 + 1}"
    return {"year": str(day.year), "quarter": quarter, "month": f"{day.year}-{day.month:02d}"}[cohort]


def steps_back(acquired: date, months: int, bucket: int, as_of: date) -> int:
    """How many whole buckets fit between a scheduled end and as_of, on the account's own anniversaries."""
    count = 0
    while anniversary(acquired, months + (count + 1) * bucket) <= as_of:
        count += 1
    return count


def by_hand(rows, *, as_of, period, cohort, calendar_months, bridge_days=0, by=None):
    """Give cells, in_force and acquisitions as dicts of plain numbers, money in ten-thousandths."""
    cells, force, new = (defaultdict(lambda: defaultdict(int)) for _ in range(3))
    customers = defaultdict(list)
    for row in rows:
        customers[row["customer_id"]].append(row)
    for own in customers.values():
        levels = bridge(daily_levels(own, as_of), bridge_days)
        for number, (entry, over) in enumerate(lives(levels)):
            started = [r for r in own if r["start"] <= as_of and r["amount"] > 0]
            started = [r for r in started if r["end"] is None or r["end"] > r["start"]]
            given = [r["acquired"] for r in started if r.get("acquired")]
            acquired = min(given) if number == 0 and given and min(given) <= entry else entry
            name = "reactivated" if number else label(acquired, cohort)
            key = (name,)
            if by:
                tags = [r[by] for r in started if r["start"] == entry and r[by] is not None]
                key = (name, min(tags) if tags else "(none)")
            one_life(cells, force, new, key, levels, acquired, entry, over, as_of, period, calendar_months)
    return cells, force, new


def one_life(  # noqa: C901  one plain walk is what makes it easy to check
    cells, force, new, key, levels, acquired, entry, over, as_of, period, calendar_months
):
    def alive(day):
        return day >= entry and (over is None or day < over)

    months = 0
    while anniversary(acquired, months + 1) <= as_of:
        months += 1
    if entry == acquired:
        add(new[(*key, months)], accounts=1, amount=levels[entry], amount_sq=levels[entry] ** 2)
    tenure, joined = 0, False
    while anniversary(acquired, (tenure + 1) * period) <= as_of:
        opens, closes = anniversary(acquired, tenure * period), anniversary(acquired, (tenure + 1) * period)
        if alive(opens):
            cell = cells[(*key, tenure, -steps_back(acquired, (tenure + 1) * period, calendar_months, as_of))]
            before, after = levels[opens], levels[closes] if alive(closes) else 0
            add(cell, at_risk=1, opening=before, opening_sq=before**2, closing=after)
            if not joined and tenure > 0:
                add(cell, late_entered=1, late_entries=before)
            joined = True
            if not after:
                add(cell, churned=1, churned_amount=before, churned_sq=before**2)
            elif after > before:
                add(cell, expanded=1, expansion=after - before, expansion_sq=(after - before) ** 2)
            elif after < before:
                add(cell, contracted=1, contraction=before - after, contraction_sq=(before - after) ** 2)
        tenure += 1
    opens = anniversary(acquired, tenure * period)
    row = force[(*key, tenure, months - tenure * period)]
    now = levels[as_of] if over is None else 0
    add(row, accounts=int(over is None), amount=now, amount_sq=now**2)
    if alive(opens):
        before = levels[opens]
        add(row, **{"opening" if joined else "late_entries" if tenure else "new": before})
        add(row, **({"change": now - before} if now else {"lost_accounts": 1, "lost_amount": before}))
    elif entry > opens:
        add(row, late_entries=now)


def add(cell, **values):
    for name, value in values.items():
        cell[name] += value


@pytest.fixture(scope="session")
def reference():
    return by_hand
