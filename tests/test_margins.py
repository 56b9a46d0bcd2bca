"""The margin of terms whose costs are in."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import lifeworth as lw
from lifeworth.errors import DataError, ImmatureCostWarning


def terms(seed=1, customers=2000, recent_costs=1.0):
    """Four yearly terms a customer of 100 to 300; a fifth of them cost twice the revenue, in two segments."""
    rng = np.random.default_rng(seed)
    start = pd.to_datetime([f"{2021 + year}-03-01" for year in range(4)]).repeat(customers)
    revenue = rng.uniform(100, 300, 4 * customers)
    cost = revenue * np.where(rng.random(4 * customers) < 0.2, 2.0, 0.0)
    cost[start.year == 2024] *= recent_costs
    frame = pd.DataFrame({"start": start, "revenue": revenue, "cost": cost})
    frame["customer_id"] = np.tile(np.arange(customers), 4)
    return frame.assign(segment=np.where(frame["customer_id"] % 4, "small", "big"))


def measured(frame, **changed):
    return lw.measured_margin(frame, **{"as_of": "2024-12-31", "mature_months": 12, **changed})


@pytest.mark.filterwarnings("ignore::lifeworth.errors.ImmatureCostWarning")
def test_the_band_holds_the_true_margin_as_often_as_it_says():
    """200 books with a margin of 60%: the central 80% holds it in 70% to 90% of them."""
    found = [measured(terms(seed, 300)) for seed in range(200)]
    inside = np.mean([m.ppf(0.1) <= 0.6 <= m.ppf(0.9) for m in found])
    assert 0.7 < inside < 0.9


def test_recent_terms_whose_costs_are_not_in_are_left_out_and_named():
    with pytest.warns(ImmatureCostWarning, match="2,000 terms begun in the last 12 months show a margin of 9"):
        margin = measured(terms(recent_costs=0.2))
    assert margin.mean() == pytest.approx(0.6, abs=0.03)
    assert margin.mean() == pytest.approx(measured(terms()[lambda f: f["start"].dt.year < 2024]).mean())


def test_recent_terms_like_the_others_are_left_out_in_silence():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        measured(terms())


def test_terms_of_one_customer_go_together():
    """A customer who costs much costs much every year: the same rows, as if of different customers, look surer."""
    frame = terms(customers=200)
    frame["cost"] = frame["revenue"] * np.where(frame["customer_id"] % 5, 0.0, 2.0)
    together, apart = measured(frame), measured(frame.assign(customer_id=np.arange(len(frame))))
    assert together.mean() == pytest.approx(apart.mean(), abs=0.01)
    assert together.std() == pytest.approx(apart.std() * 3**0.5, rel=0.1)  # three mature years


def test_it_goes_into_an_economics_by_segment():
    margin = measured(terms(), by=["segment"])
    assert set(margin) == {"big", "small"}
    terms_of_value = lw.Economics(gross_margin=margin, discount_rate_annual=0.1, horizon_years=3)
    assert terms_of_value.uncertain == ("gross_margin",)
    assert set(measured(terms().assign(region="x"), by=["segment", "region"])) == {("big", "x"), ("small", "x")}


def test_without_any_cost_the_margin_is_one_and_certain():
    assert measured(terms().assign(cost=0.0)) == 1.0


@pytest.mark.parametrize(
    ("frame", "changed", "message"),
    [
        (terms().drop(columns="cost"), {}, "no column cost"),
        (
            terms().assign(revenue=lambda f: f["revenue"].where(f.index > 2)),
            {},
            r"3 terms have an empty field .*0, 1, 2",
        ),
        (terms(), {"mature_months": 60}, "all 8,000 terms began within 60 months"),
        (terms().assign(revenue=0.0), {}, "no margin on it"),
        (
            terms().assign(segment=lambda f: np.where(f["start"].dt.year < 2024, "old", "new")),
            {"by": ["segment"]},
            "1 segments have no term older than 12 months: new",
        ),
    ],
)
def test_what_cannot_be_measured_is_refused(frame, changed, message):
    with pytest.raises(DataError, match=message):
        measured(frame, **changed)


def test_motor_claims_of_recent_terms_are_immature(shared):
    """Margins of motor insurance by year of the term rise to the last: claims are reported and settled late."""
    book = pd.read_parquet(shared / "data/motor_insurance/ledger.parquet")
    book = book.rename(columns={"amount": "revenue", "claims_cost": "cost"})
    with pytest.warns(ImmatureCostWarning, match="show a margin of"):
        margin = lw.measured_margin(book, as_of="2018-11-30", mature_months=12)
    assert isinstance(margin, stats.distributions.rv_frozen)
    assert margin.mean() < 0.5
