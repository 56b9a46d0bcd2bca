"""Scores of customers: they add up to the book, and are what the model says of one customer."""

import narwhals.stable.v2 as nw
import numpy as np
import pytest

import lifeworth as lw
from lifeworth.errors import ComparisonError
from lifeworth.purchases import History, Spend

TERMS = lw.Economics(gross_margin=0.5, discount_rate_annual=0.10, horizon_years=3)


@pytest.fixture(scope="module")
def value(made_fit, held_out):
    return lw.value_purchases(made_fit(held_out), TERMS)


@pytest.fixture(scope="module")
def scores(value, purchase_ledger):
    return lw.score_purchases(value, purchase_ledger)


def test_customers_add_up_to_the_book(value, scores):
    sums = scores.frame.select(nw.col("residual").sum(), nw.col("p_alive").sum(), nw.col("purchases_12_months").sum())
    found = sums.collect().to_pandas().iloc[0]
    assert scores.accounts == 2357
    assert found["residual"] == pytest.approx(value.sample("total_residual").mean(), rel=1e-9)
    assert found["p_alive"] / 2357 == pytest.approx(value.sample("p_alive").mean(), rel=1e-9)
    assert found["purchases_12_months"] / 2357 == pytest.approx(value.sample("purchases_12_months").mean(), rel=1e-9)


def test_one_customer_is_what_the_model_says_of_it(made_fit, held_out, purchase_ledger):
    """Without drift: the discounted expectation of its own history, times its own expected spend."""
    fit = made_fit(held_out, drift=False)
    rows = lw.score_purchases(lw.value_purchases(fit, TERMS), purchase_ledger).frame.collect().to_pandas()
    for one in (rows[rows["frequency"] > 2].iloc[0], rows[rows["frequency"] == 0].iloc[0]):
        x, years = one["frequency"], np.array([one["recency"], one["age"]]) / 365.25
        history = History.of([x], *years[:, None])
        theta, spend = ({name: v[:, :1] for name, v in fit.theta(part).items()} for part in ("purchases", "spend"))
        bought = fit.model.purchases.discounted_purchases(history, theta, 3.0, discount_rate_annual=0.10)
        level = fit.spend_law.expected_spend(Spend.of([x], [one["spend"]]), spend)
        assert one["residual"] == pytest.approx(0.5 * (bought * level).mean(), rel=5e-3)
        assert one["p_alive"] == pytest.approx(fit.model.purchases.probability_alive(history, theta).mean(), rel=1e-9)


def test_a_customers_row_is_its_purchases(purchase_ledger, scores):
    """Customer 00004 of CDNOW: 1997-01-01 29.33, 01-18 29.73, 08-02 14.96 and, after as_of, 12-12 26.48."""
    one = scores.frame.filter(nw.col("customer_id") == "00004").collect().to_pandas().iloc[0]
    assert one["cohort"] == "1997-01"
    assert (one["frequency"], one["recency"], one["age"]) == (2, 213, 272)
    assert one["spend"] == pytest.approx((29.73 + 14.96) / 2)


def test_scores_are_written_by_the_engine(scores, tmp_path):
    import pandas as pd

    scores.to_parquet(tmp_path / "customers.parquet")
    rows = pd.read_parquet(tmp_path / "customers.parquet")
    assert list(rows.columns) == [
        "customer_id", "cohort", "frequency", "recency", "age", "spend", "p_alive", "purchases_12_months", "residual",
    ]  # fmt: skip
    assert rows["customer_id"].is_unique
    assert rows.notna().all().all()
    assert (rows.loc[rows["frequency"] == 0, "spend"] == 0).all()


def test_another_ledger_is_refused(value):
    book = lw.datasets.cdnow(sample=True)
    rows = book.transactions
    few = lw.Ledger.from_transactions(rows[rows["customer_id"] != rows["customer_id"].iloc[0]], as_of=book.as_of)
    with pytest.raises(ComparisonError, match="Score the ledger that was fitted"):
        lw.score_purchases(value, few)
    odd = lw.Ledger.from_transactions(rows.assign(date=rows["date"].where(rows.index > 3)).dropna(), as_of=book.as_of)
    with pytest.raises(ComparisonError, match="have a history of the"):
        lw.score_purchases(value, odd)
    dear = lw.Ledger.from_transactions(rows.assign(amount=rows["amount"] * 10), as_of=book.as_of)
    with pytest.raises(ComparisonError, match="their repeats paid"):
        lw.score_purchases(value, dear)


def test_segments_of_any_name_are_scored(made_fit):
    book = lw.datasets.cdnow(sample=True)
    rows = book.transactions.assign(paying=np.where(book.transactions["customer_id"] < "12", "a", "b"))
    ledger = lw.Ledger.from_transactions(rows, as_of=book.calibration_end)
    value = lw.value_purchases(made_fit(ledger.purchase_table(by=["paying"], cohort="year")), TERMS)
    frame = lw.score_purchases(value, ledger).frame.collect().to_pandas()
    for segment in "ab":
        total = value.sample("total_residual", paying=segment).mean()
        assert frame.loc[frame["paying"] == segment, "residual"].sum() == pytest.approx(total, rel=1e-9)
