"""The whole engine against a reference that walks every customer day by day."""

import os
import warnings
from datetime import date, timedelta

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lifeworth.errors import DataError, DataWarning
from lifeworth.ledger import CohortTable, Ledger

MONTHS = {"month": 1, "quarter": 3, "year": 12}
SQUARED = 10_000**2


def as_frame(rows: list[dict]) -> pl.DataFrame:
    schema = {
        "customer_id": pl.String,
        "start": pl.Date,
        "end": pl.Date,
        "amount": pl.Float64,
        "acquired": pl.Date,
        "plan": pl.String,
        "row": pl.Int64,
    }
    return pl.DataFrame(rows, schema=schema)


def table_of(source, *, as_of, period, cohort, calendar, bridge_days) -> CohortTable:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        ledger = Ledger.from_spells(source, as_of=as_of, acquired="acquired", bridge_gap_days=bridge_days)
        return ledger.cohort_table(period=period, cohort=cohort, calendar=calendar, by=["plan"])


def assert_same(frame: pd.DataFrame, expected: dict, keys: list[str]) -> None:
    rows = {k: v for k, v in expected.items() if any(v[c] for c in ("accounts", "at_risk", "lost_accounts"))}
    have = {tuple(row[k] for k in keys): row for row in frame.to_dict("records")}
    assert set(have) == set(rows)
    for key, row in have.items():
        for name in frame.columns.drop([*keys, "bucket_end"], errors="ignore"):
            whole = frame[name].dtype.kind == "i"
            scale = 1 if whole else SQUARED if name.endswith("_sq") else 10_000
            assert row[name] == pytest.approx(rows[key][name] / scale, rel=1e-12, abs=1e-9), (key, name)


def check(reference, rows: list[dict], table: CohortTable, *, as_of, period, cohort, calendar, bridge_days) -> None:
    cells, force, new = reference(
        rows,
        as_of=as_of,
        period=MONTHS[period],
        cohort=cohort,
        calendar_months=MONTHS[calendar],
        bridge_days=bridge_days,
        by="plan",
    )
    assert_same(table.frame, cells, ["cohort", "plan", "tenure", "bucket"])
    assert_same(table.in_force, force, ["cohort", "plan", "tenure", "elapsed"])
    assert_same(table.acquisitions, new, ["cohort", "plan", "months"])


units = st.sampled_from(sorted(MONTHS))
first = date(2023, 11, 28)
edges = [date(2024, 1, 30), date(2024, 1, 31), date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 31)]
days = st.one_of(st.sampled_from(edges), st.integers(0, 480).map(lambda n: first + timedelta(days=n)))


@st.composite
def spells(draw):
    rows = []
    for n in range(draw(st.integers(1, 12))):
        start = draw(days)
        length = draw(st.one_of(st.none(), st.sampled_from([0, 1, 28, 29, 30, 31, 365]), st.integers(0, 200)))
        rows.append(
            {
                "customer_id": draw(st.sampled_from("abc")),
                "start": start,
                "end": None if length is None else start + timedelta(days=length),
                "amount": draw(st.sampled_from([0.0, 10.0, 10.5, 20.0, 0.0001])),
                "acquired": draw(st.one_of(st.none(), days)),
                "plan": draw(st.sampled_from(["x", "y", None])),
                "row": n,
            }
        )
    return rows


@settings(
    max_examples=int(os.environ.get("LIFEWORTH_EXAMPLES", "30")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    rows=spells(),
    as_of=st.sampled_from([date(2024, 2, 29), date(2025, 2, 28), date(2025, 3, 15), date(2024, 12, 31)]),
    period=units,
    cohort=units,
    calendar=units,
    bridge_days=st.sampled_from([0, 1, 5, 31]),
)
def test_small_ledgers_match_the_day_by_day_reference(reference, rows, as_of, period, cohort, calendar, bridge_days):
    asked = {
        "as_of": as_of,
        "period": period,
        "cohort": cohort,
        "calendar": calendar,
        "bridge_days": bridge_days,
    }
    if not any(r["start"] <= as_of and r["amount"] and r["end"] != r["start"] for r in rows):
        with pytest.raises(DataError, match="no row was in force by as_of"):
            table_of(as_frame(rows).lazy(), **asked)
        return
    table = table_of(as_frame(rows).lazy(), **asked)
    check(reference, rows, table, **asked)


def random_rows(seed: int, customers: int = 150) -> list[dict]:
    rng, rows = np.random.default_rng(seed), []
    for customer in range(customers):
        at = date(2023, 1, 1) + timedelta(days=int(rng.integers(0, 700)))
        acquired = at - timedelta(days=int(rng.integers(0, 90))) if rng.random() < 0.3 else None
        for _ in range(int(rng.integers(1, 6))):
            length = int(rng.choice([28, 30, 31, 61, 90, 365, int(rng.integers(0, 300))]))
            rows.append(
                {
                    "customer_id": f"c{customer}",
                    "start": at,
                    "end": None if rng.random() < 0.25 else at + timedelta(days=length),
                    "amount": float(rng.choice([0.0, 9.99, 19.99, 50.0, 1234.5678])),
                    "acquired": acquired,
                    "plan": [None, "x", "y"][int(rng.integers(0, 3))],
                    "row": len(rows),
                }
            )
            at += timedelta(days=length + int(rng.choice([0, 0, 0, 1, 5, 40])))
    return rows


CASES = [
    (1, "month", "quarter", "quarter", 0, date(2025, 6, 30)),
    (2, "quarter", "month", "month", 5, date(2025, 2, 28)),
    (3, "year", "year", "quarter", 30, date(2025, 5, 17)),
    (4, "month", "year", "year", 1, date(2024, 2, 29)),
]


@pytest.mark.parametrize(("seed", "period", "cohort", "calendar", "bridge_days", "as_of"), CASES)
def test_duckdb_matches_the_reference(reference, seed, period, cohort, calendar, bridge_days, as_of):
    rows = random_rows(seed)
    asked = {
        "as_of": as_of,
        "period": period,
        "cohort": cohort,
        "calendar": calendar,
        "bridge_days": bridge_days,
    }
    check(reference, rows, table_of(as_frame(rows), **asked), **asked)


def test_engines_and_row_order_give_one_fingerprint():
    rows = random_rows(5)
    asked = {
        "as_of": date(2025, 6, 30),
        "period": "month",
        "cohort": "quarter",
        "calendar": "quarter",
        "bridge_days": 5,
    }
    frame = as_frame(rows)
    shuffled = frame.sample(fraction=1.0, shuffle=True, seed=1)
    connection = duckdb.connect()
    sources = [frame, shuffled, frame.to_arrow(), frame.to_pandas(), frame.lazy(), shuffled.lazy()]
    sources.append(connection.from_arrow(frame.to_arrow()))
    tables = [table_of(source, **asked) for source in sources]
    assert len({table.fingerprint for table in tables}) == 1
    for table in tables[1:]:
        pd.testing.assert_frame_equal(table.frame, tables[0].frame, check_exact=True)
        pd.testing.assert_frame_equal(table.in_force, tables[0].in_force, check_exact=True)


@pytest.mark.parametrize(
    ("back", "period", "calendar"),
    [(1, "month", "quarter"), (2, "month", "quarter"), (5, "quarter", "month"), (1, "year", "year")],
)
def test_cut_equals_the_ledger_built_at_the_bucket_edge(back, period, calendar):
    rows = [r for r in random_rows(6) if r["customer_id"] != "c0"]
    firsts = {}
    for row in rows:  # gap-free: keep the first spell of each customer
        firsts.setdefault(row["customer_id"], row | {"amount": row["amount"] or 5.0})
    frame, end = as_frame(list(firsts.values())).lazy(), date(2025, 6, 30)
    asked = {"period": period, "cohort": "quarter", "calendar": calendar, "bridge_days": 0}
    whole = table_of(frame, as_of=end, **asked)
    month = end.year * 12 + end.month - back * MONTHS[calendar]
    then = date(month // 12, month % 12 + 1, 1) - timedelta(days=1)
    built, cut = table_of(frame, as_of=then, **asked), whole.cut(back)
    assert cut.as_of == then
    pd.testing.assert_frame_equal(cut.frame, built.frame, check_exact=True)
    pd.testing.assert_frame_equal(cut.acquisitions, built.acquisitions, check_exact=True)
