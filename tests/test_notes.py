"""Each note is said of a table that deserves it, and not of one that does not."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lifeworth.errors import MoneyChurnWarning, NoRenewalWarning, ShortHistoryWarning, TrendWarning
from lifeworth.ledger import CohortTable, Ledger
from lifeworth.notes import notes


def calendar_table(churned, at_risk=1000, period="month"):
    """Accounts only: one cell a bucket, oldest first."""
    n = len(churned)
    counts = pd.DataFrame(
        {"cohort": [f"c{i:02d}" for i in range(n)], "tenure": 0, "at_risk": at_risk, "churned": churned}
    )
    table = CohortTable.from_counts(counts, period=period)
    frame = table.frame.assign(bucket=np.arange(n) - n + 1)
    return replace(table, frame=frame, has_calendar=True, calendar="quarter")


def ledger_table(rows, **options):
    columns = ["customer_id", "start", "end", "amount", "acquired"]
    ledger = Ledger.from_spells(pd.DataFrame(rows, columns=columns), as_of="2026-06-30", acquired="acquired")
    return ledger.cohort_table(**{"period": "year", "cohort": "year", "calendar": "quarter"} | options)


def sized_table(lost_large, lost_small, each=100):
    return ledger_table(sized_rows(lost_large, lost_small, each))


def sized_rows(lost_large, lost_small, each=100):
    """`each` large accounts of 900 and small ones of 100, some of either lost at the first renewal."""
    rows = []
    for amount, lost in ((900.0, lost_large), (100.0, lost_small)):
        for i in range(each):
            end = "2025-03-10" if i < lost else None
            rows.append((f"{amount}-{i}", "2024-03-10", end, amount, "2024-03-10"))
    return rows


def said(table):
    return {kind: text for kind, text in notes(table)}


def test_seven_buckets_are_a_short_history():
    text = said(calendar_table([50] * 7))[ShortHistoryWarning]
    assert text.startswith("7 calendar buckets (quarter)")


def test_eight_buckets_are_not():
    assert said(calendar_table([50] * 8)) == {}


@pytest.mark.parametrize(
    ("last", "way", "ends"),
    [([200, 160, 120, 80], "fell", "from 20.0% to 8.0%"), ([80, 120, 160, 200], "rose", "from 8.0% to 20.0%")],
)
def test_four_buckets_one_way_beyond_noise_are_a_trend(last, way, ends):
    text = said(calendar_table([100] * 5 + last))[TrendWarning]
    assert way in text
    assert ends in text


def test_a_trend_in_the_past_is_not_one_now():
    assert TrendWarning not in said(calendar_table([200, 160, 120, 80, 100, 100, 90, 100]))


def test_moves_within_their_noise_are_no_trend():
    assert TrendWarning not in said(calendar_table([100] * 5 + [104, 102, 100, 98]))


def test_the_same_moves_of_many_accounts_are_a_trend():
    counts = [100_000] * 5 + [104_000, 102_000, 100_000, 98_000]
    assert TrendWarning in said(calendar_table(counts, at_risk=1_000_000))


def test_one_step_back_breaks_a_trend():
    assert TrendWarning not in said(calendar_table([100] * 5 + [200, 120, 160, 80]))


def test_three_buckets_are_too_few_for_a_trend():
    assert TrendWarning not in said(calendar_table([300, 200, 100]))


def test_large_accounts_that_leave_more_are_said():
    """Lost 37,000 of 100,000 and then of 63,000; 50 accounts of 200 and then of 150."""
    text = said(sized_table(lost_large=40, lost_small=10))[MoneyChurnWarning]
    assert "money churn is 22.70%" in text
    assert "14.29% if accounts of all sizes left alike" in text
    assert "large accounts leave more" in text


def test_small_accounts_that_leave_more_are_said():
    assert "small accounts leave more" in said(sized_table(lost_large=10, lost_small=40))[MoneyChurnWarning]


def test_alike_churn_of_large_and_small_is_not_said():
    assert MoneyChurnWarning not in said(sized_table(lost_large=25, lost_small=25))


def test_a_difference_between_segments_is_not_one_between_sizes():
    """Segments of one size each, that leave at different rates: the mix makes money churn 22.70%, and is known."""
    table = sized_table(lost_large=40, lost_small=10)
    assert MoneyChurnWarning in said(table)
    rows = sized_rows(lost_large=40, lost_small=10)
    spells = pd.DataFrame(rows, columns=["customer_id", "start", "end", "amount", "acquired"])
    spells["size"] = spells["amount"].map({900.0: "large", 100.0: "small"})
    ledger = Ledger.from_spells(spells, as_of="2026-06-30", acquired="acquired")
    assert MoneyChurnWarning not in said(ledger.cohort_table(period="year", cohort="year", by=["size"]))


def test_a_gap_within_the_noise_of_few_accounts_is_not_said():
    assert MoneyChurnWarning not in said(sized_table(lost_large=2, lost_small=1, each=5))


def test_a_book_whose_first_renewals_are_all_ahead_is_said():
    rows = [("a", "2025-09-10", None, 10.0, "2025-09-10"), ("b", "2025-10-10", None, 10.0, "2025-10-10")]
    assert "first renewal" in said(ledger_table(rows))[NoRenewalWarning]


def test_a_book_whose_first_renewals_were_all_before_the_window_is_said():
    rows = [(c, "2023-05-03", None, 10.0, "2019-09-10") for c in "ab"]
    assert NoRenewalWarning in said(ledger_table(rows))


def test_a_book_with_a_first_renewal_is_not():
    assert NoRenewalWarning not in said(sized_table(1, 1))


def test_monthly_tables_have_no_renewal_to_wait_for():
    rows = [(c, "2026-06-10", None, 10.0, "2026-06-10") for c in "ab"]
    assert NoRenewalWarning not in said(ledger_table(rows, period="month", cohort="month"))


def term_table(months):
    """Twelve contracts of a year that began so many months ago, and one of each month; monthly cells."""
    start = (pd.Timestamp("2026-06-10") - pd.DateOffset(months=months)).strftime("%Y-%m-%d")
    rows = [(f"{i}-{term}", start, None, 10.0, term) for i in range(12) for term in (1, 12)]
    spells = pd.DataFrame(rows, columns=["customer_id", "start", "end", "amount", "term"])
    ledger = Ledger.from_spells(spells, as_of="2026-06-30", term_months="term")
    return ledger.cohort_table(period="month", cohort="month", by=["term_months"])


def test_contracts_of_which_no_renewal_was_seen_are_said():
    assert "on a term of 12 months has reached a renewal" in said(term_table(11))[NoRenewalWarning]


def test_contracts_that_came_to_a_renewal_are_not():
    assert NoRenewalWarning not in said(term_table(12))


def test_counts_without_calendar_or_money_have_no_notes():
    counts = pd.DataFrame({"cohort": "a", "tenure": [0, 1], "at_risk": [10, 8], "churned": [2, 1]})
    assert said(CohortTable.from_counts(counts, period="year")) == {}
