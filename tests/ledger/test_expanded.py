"""Cells split by whether an account had expanded: the same accounts and money, in two states."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from lifeworth.errors import DefinitionError
from lifeworth.ledger import EXPANDED_COLUMN, Ledger

SUMS = ["at_risk", "churned", "expanded", "contracted", "opening", "churned_amount", "expansion", "contraction"]
SQUARES = ["opening_sq", "churned_sq", "expansion_sq", "contraction_sq"]


def by_hand():
    """One account expands in its third month, one leaves before it could, one goes down and then up."""
    rows = [
        ("up", "2025-01-10", "2025-03-20", 100.0),
        ("up", "2025-03-20", None, 150.0),
        ("gone", "2025-01-10", "2025-02-10", 80.0),
        ("back", "2025-01-10", "2025-02-20", 60.0),
        ("back", "2025-02-20", "2025-04-20", 50.0),
        ("back", "2025-04-20", None, 55.0),
    ]
    return pd.DataFrame(rows, columns=["customer_id", "start", "end", "amount"])


def test_an_expansion_counts_from_the_next_tenure_on():
    table = Ledger.from_spells(by_hand(), as_of="2025-05-31").cohort_table(by=["has_expanded"])
    cells = table.frame.set_index([EXPANDED_COLUMN, "tenure"])
    assert cells.loc["no", "at_risk"].tolist() == [3, 2, 2, 1]
    assert cells.loc["yes", "at_risk"].to_dict() == {3: 1}
    assert cells.loc["no", "turned"].tolist() == [0, 0, 1, 1]
    assert cells.loc["no", "turned_amount"].tolist() == [0, 0, 150, 55]
    assert cells.loc[("yes", 3), ["opening", "late_entries"]].tolist() == [150, 150]
    assert table.in_force.set_index(EXPANDED_COLUMN)["amount"].to_dict() == {"yes": 205.0}


def test_an_expansion_in_the_open_tenure_has_not_happened_yet():
    ledger = Ledger.from_spells(by_hand(), as_of="2025-03-31")
    table = ledger.cohort_table(by=["has_expanded"])
    assert table.in_force.set_index(EXPANDED_COLUMN)[["accounts", "amount"]].to_dict("index") == {
        "no": {"accounts": 2, "amount": 200.0}
    }
    assert set(ledger.accounts_in_force(by=["has_expanded"]).collect().to_pandas()[EXPANDED_COLUMN]) == {"no"}


def random_spells(seed, customers=200):
    rng, rows = np.random.default_rng(seed), []
    for customer in range(customers):
        at, amount = pd.Timestamp("2023-01-01") + pd.Timedelta(days=int(rng.integers(500))), 100.0
        for _ in range(int(rng.integers(1, 6))):
            until = at + pd.Timedelta(days=int(rng.integers(10, 200)))
            rows.append((f"c{customer}", at, None if rng.random() < 0.2 else until, amount, "ab"[customer % 2]))
            at, amount = (
                until + pd.Timedelta(days=int(rng.choice([0, 0, 0, 50]))),
                amount * rng.choice([0.8, 1.0, 1.25]),
            )
    return pd.DataFrame(rows, columns=["customer_id", "start", "end", "amount", "plan"])


@pytest.mark.parametrize(("seed", "period"), [(1, "month"), (2, "month"), (3, "quarter")])
def test_both_states_together_are_the_table_without_them(seed, period):
    ledger = Ledger.from_spells(random_spells(seed), as_of=date(2025, 6, 30))
    plain = ledger.cohort_table(period=period, by=["plan"])
    split = ledger.cohort_table(period=period, by=["plan", EXPANDED_COLUMN])
    for frame, keys, names in (
        ("frame", ["cohort", "plan", "tenure", "bucket"], [*SUMS, *SQUARES, "closing"]),
        ("in_force", ["cohort", "plan", "tenure", "elapsed"], ["accounts", "amount", "amount_sq", "lost_amount"]),
        ("acquisitions", ["cohort", "plan", "months"], ["accounts", "amount", "amount_sq"]),
    ):
        have, want = (getattr(t, frame).groupby(keys)[names].sum() for t in (split, plain))
        pd.testing.assert_frame_equal(have, want.astype(have.dtypes), rtol=1e-9)
    turned = split.frame.groupby(EXPANDED_COLUMN)[["expanded", "turned", "at_risk"]].sum()
    assert turned.loc["no", "expanded"] == turned.loc["no", "turned"] > 20
    assert turned.loc["yes", "turned"] == 0
    in_force = ledger.accounts_in_force(period=period, by=["plan", EXPANDED_COLUMN]).collect().to_pandas()
    pd.testing.assert_series_equal(
        in_force.groupby(["plan", EXPANDED_COLUMN])["amount"].sum(),
        split.in_force.groupby(["plan", EXPANDED_COLUMN])["amount"].sum(),
        check_dtype=False,
    )


def test_a_cut_is_the_table_built_then():
    """Without gaps, as a gap is known in hindsight only."""
    spells = random_spells(4).drop_duplicates("customer_id")
    up = spells.assign(start=spells["start"] + pd.Timedelta(days=70), amount=spells["amount"] * 1.5)
    rows = pd.concat([spells.assign(end=up["start"]), up.assign(end=None)], ignore_index=True)
    then, now = (
        Ledger.from_spells(rows, as_of=day).cohort_table(by=[EXPANDED_COLUMN])
        for day in (date(2024, 12, 31), date(2025, 6, 30))
    )
    pd.testing.assert_frame_equal(now.cut(2).frame, then.frame)


def test_a_column_of_that_name_is_refused():
    ledger = Ledger.from_spells(by_hand().assign(has_expanded="?"), as_of="2025-05-31")
    with pytest.raises(DefinitionError, match="which the table makes"):
        ledger.cohort_table(by=[EXPANDED_COLUMN])
