"""Two real books, recounted with plain pandas that shares nothing with the engine."""

from collections import defaultdict
from datetime import date

import pandas as pd
import pytest

from lifeworth.errors import DataWarning
from lifeworth.ledger import Ledger

BY = ["channel", "risk"]


@pytest.fixture(scope="module")
def motor(shared):
    path = shared / "motor_insurance" / "ledger.parquet"
    if not path.exists():
        path = shared / "data" / "motor_insurance" / "ledger.parquet"
    return path


def anniversary(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 2, 28)


def recount(rows: pd.DataFrame, end_of_time: date):  # noqa: C901  one plain walk is easy to check
    """Yearly cells of a book without overlaps: walk each contract's terms along its anniversaries."""
    cells, force = defaultdict(lambda: [0, 0, 0.0, 0.0, 0.0]), defaultdict(lambda: [0, 0.0])
    contracts = defaultdict(list)
    for name in ("acquired", "start", "end"):
        rows[name] = rows[name].dt.date
    for row in rows.sort_values("start").itertuples():
        contracts[row.customer_id].append(row)
    for terms in contracts.values():
        head = terms[0]
        acquired = min(head.acquired, head.start)
        name = (str(acquired.year), head.channel, head.risk)

        def at(day, terms=terms):
            inside = (t for t in terms if t.start <= day and (pd.isna(t.end) or t.end > day))
            return sum(t.amount for t in inside)

        years = 0
        while (closes := anniversary(acquired, years + 1)) <= end_of_time:
            before, after = at(anniversary(acquired, years)), at(closes)
            if before:
                cell = cells[(*name, years)]
                for i, value in enumerate((1, not after, before, 0 if after else before, after)):
                    cell[i] += value
            years += 1
        if at(end_of_time):
            force[(*name, years)][0] += 1
            force[(*name, years)][1] += at(end_of_time)
    return cells, force


def table_of(path, as_of):
    with pytest.warns(DataWarning, match="customers have `acquired` after their first start"):
        ledger = Ledger.from_spells(path, as_of=as_of, amount_per="year", acquired="acquired")
    return ledger, ledger.cohort_table(period="year", cohort="year", by=BY)


def test_motor_book_is_recounted_to_the_cent(motor):
    ledger, table = table_of(motor, "2018-11-30")
    late = next(check for check in ledger.checks if check.name == "acquired_after_start")
    assert late.rows == 45
    assert len(late.customers) == 5
    cells, force = recount(pd.read_parquet(motor), date(2018, 11, 30))
    keys = ["cohort", *BY, "tenure"]
    columns = ["at_risk", "churned", "opening", "churned_amount", "closing"]
    have = table.frame.groupby(keys)[columns].sum()
    expected = pd.DataFrame.from_dict(cells, orient="index", columns=columns)
    expected.index = pd.MultiIndex.from_tuples(expected.index, names=keys)
    pd.testing.assert_frame_equal(have, expected.sort_index(), check_dtype=False, atol=0.005, rtol=0)
    have = table.in_force[table.in_force["accounts"] > 0].groupby(keys)[["accounts", "amount"]].sum()
    expected = pd.DataFrame.from_dict(force, orient="index", columns=["accounts", "amount"])
    expected.index = pd.MultiIndex.from_tuples(expected.index, names=keys)
    pd.testing.assert_frame_equal(have, expected.sort_index(), check_dtype=False, atol=0.005, rtol=0)
    assert have["accounts"].sum() == 22_450
    assert have["amount"].sum() == pytest.approx(6_939_378.52, abs=0.005)


def test_motor_book_before_the_holdout(motor):
    """Full terms alone: 17,645 offers, 25.7 to 20.8% declined; losses inside a term add to both."""
    _, table = table_of(motor, "2017-11-30")
    total = table.frame.groupby("bucket")[["at_risk", "churned"]].sum().loc[-3:]
    declined = total["churned"] / total["at_risk"]
    assert table.frame["at_risk"].sum() == 18_063
    assert declined.round(3).tolist() == [0.296, 0.306, 0.266, 0.246]
    _, whole = table_of(motor, "2018-11-30")
    cut = whole.cut(4)
    assert cut.as_of == date(2017, 11, 30)
    columns = ["cohort", *BY, "tenure", "bucket", "at_risk"]
    left, right = (t.frame.set_index(columns[:-1])["at_risk"] for t in (table, cut))
    assert left.sum() == pytest.approx(right.sum(), rel=0.002)  # 45 contracts and the gaps differ in hindsight


def test_motor_accounts_in_force_are_the_table_account_by_account(motor):
    ledger, table = table_of(motor, "2018-11-30")
    listed = ledger.accounts_in_force(period="year", cohort="year", by=BY).collect(backend="pandas").to_native()
    keys = ["cohort", *BY, "tenure", "elapsed"]
    grouped = listed.groupby(keys).agg(accounts=("amount", "size"), amount=("amount", "sum")).reset_index()
    have = table.in_force.loc[table.in_force["accounts"] > 0, [*keys, "accounts", "amount"]]
    pd.testing.assert_frame_equal(grouped, have.reset_index(drop=True), check_dtype=False)
    assert listed["customer_id"].is_unique


@pytest.fixture(scope="module")
def life(shared):
    return shared / "data" / "us_life_insurance" / "ledger.parquet"


def test_us_life_book_and_its_causes(life):
    ledger = Ledger.from_spells(life, as_of="2010-05-15", amount_per="year", cause="cause")
    table = ledger.cohort_table(period="year", cohort="year")
    rows = pd.read_parquet(life)
    rows = rows[(rows["end"] != rows["start"]) & (rows["start"] <= "2010-05-15")]
    ended = rows[rows["end"].notna() & (rows["end"] <= "2010-05-15")]
    seen = table.frame[[f"churned_{cause}" for cause in table.causes]].sum()
    assert seen.sum() == table.frame["churned"].sum()
    assert table.in_force["accounts"].sum() == len(rows) - len(ended)
    assert table.acquisitions["accounts"].sum() == len(rows)
    lost = table.frame["churned"].sum() + table.in_force["lost_accounts"].sum()
    assert lost == len(ended)
    assert table.frame["opening"].sum() > 0
    assert (table.frame["expanded"] == 0).all()
