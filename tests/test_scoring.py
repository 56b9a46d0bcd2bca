import narwhals.stable.v2 as nw
import pandas as pd
import pytest

import lifeworth as lw
from lifeworth.errors import ComparisonError

TERMS = lw.Economics(gross_margin=0.8, discount_rate_annual=0.1, horizon_years=4, service_cost_annual=12)


@pytest.fixture(scope="module")
def valued(constant_fit):
    return lw.value(constant_fit(), TERMS)


def test_residuals_of_all_accounts_add_up_to_the_book(valued, constant_ledger):
    scores = lw.score(valued, constant_ledger)
    total = scores.frame.select(nw.col("residual").sum()).collect().item()
    assert total == pytest.approx(valued.sample("total_residual").mean(), rel=1e-9)
    assert scores.accounts == valued.fit.table.in_force["accounts"].sum()


def test_retention_of_an_account_is_that_of_its_segment(valued, constant_ledger):
    rows = lw.score(valued, constant_ledger).head(10_000)
    by_segment = rows.groupby("segment")["retained_12_months"].unique()
    # annual tenures with 20% and 40% churn: one decision within twelve months
    assert by_segment["a"].tolist() == pytest.approx([0.8])
    assert by_segment["b"].tolist() == pytest.approx([0.6])


def test_scores_are_written_by_the_engine(valued, constant_ledger, tmp_path):
    lw.score(valued, constant_ledger).to_parquet(tmp_path / "scores.parquet")
    rows = pd.read_parquet(tmp_path / "scores.parquet")
    assert list(rows.columns) == [
        "customer_id", "cohort", "segment", "tenure", "elapsed", "amount", "residual", "retained_12_months",
    ]  # fmt: skip
    assert rows["customer_id"].is_unique
    assert rows.notna().all().all()


def test_another_date_is_refused(valued, constant_spells):
    earlier = lw.Ledger.from_spells(constant_spells, as_of="2023-12-31", amount_per="year")
    with pytest.raises(ComparisonError, match="2023-12-31"):
        lw.score(valued, earlier)


def test_other_accounts_are_refused(valued, constant_spells):
    fewer = constant_spells[constant_spells["customer_id"] != constant_spells["customer_id"].iloc[-1]]
    with pytest.raises(ComparisonError, match="accounts in force"):
        lw.score(valued, lw.Ledger.from_spells(fewer, as_of="2024-12-31", amount_per="year"))
