"""Cohorts and segments: how deviations move the parameters, and what a table's index holds."""

import numpy as np
import pandas as pd
import pytest
from scipy import special

from lifeworth._parameters import draw_prior
from lifeworth.errors import DefinitionError
from lifeworth.ledger import Ledger
from lifeworth.ledger.datasets import cdnow
from lifeworth.purchases import BGBB, BGNBD, PURCHASES, GammaGamma, History
from lifeworth.transactional.model import (
    CustomerIndex,
    CustomerShape,
    TransactionalModel,
    by_group,
    deviations,
    drift_parameters,
    histories,
    merged_rows,
)

SHAPE = CustomerShape(segments=2, cohorts=3)


@pytest.fixture(scope="module")
def table():
    book = cdnow(sample=True)
    ledger = Ledger.from_transactions(book.transactions, as_of=book.as_of, currency="USD")
    return ledger.purchase_table(cohort="month", as_of=book.calibration_end)


@pytest.mark.parametrize(
    "own", [*(made() for made in PURCHASES.values()), GammaGamma()], ids=lambda own: type(own).__name__
)
def test_what_varies_is_a_parameter_and_has_deviations_that_sum_to_zero(own):
    assert own.varying
    found = deviations(own, SHAPE)
    assert {p.name for p in found if p.scale} == {f"{n}_{w}" for n in own.varying for w in ("segment", "cohort")}
    theta = draw_prior((*own.parameters, *found), np.random.default_rng(1), 20)
    for name in own.varying:
        np.testing.assert_allclose(theta[f"{name}_cohort"].sum(axis=1), 0, atol=1e-12)


def test_there_is_nothing_to_tell_apart_with_one_of_each():
    assert deviations(BGNBD(), CustomerShape()) == ()


def test_deviations_add_up_on_the_link_scale():
    theta = {
        "purchase_rate": np.array([[2.0]]),
        "rate_variation": np.array([[1.0]]),
        "dropout": np.array([[0.2]]),
        "dropout_polarization": np.array([[0.1]]),
        "dropout_segment": np.array([[0.5, -0.5]]),
        "dropout_cohort": np.array([[0.1, 0.2, -0.3]]),
        "purchase_rate_cohort": np.array([[0.0, np.log(3), 0.0]]),
    }
    found = by_group(BGNBD(), theta, np.array([0, 1, 1]), np.array([0, 1, 2]))
    np.testing.assert_allclose(special.logit(found["dropout"][0]) - special.logit(0.2), [0.6, -0.3, -0.8])
    np.testing.assert_allclose(found["purchase_rate"][0], [2, 6, 2])
    assert found["rate_variation"].shape == (1, 1)


def test_an_unknown_prior_and_pooling_are_refused():
    model = TransactionalModel(BGNBD(), GammaGamma(), priors=(("churn", (0.1, 0.2)),))
    with pytest.raises(DefinitionError, match="priors for churn"):
        model.check(SHAPE)
    with pytest.raises(DefinitionError, match="pooling"):
        TransactionalModel(BGNBD(), None, pooling="some")  # type: ignore[arg-type]


def test_priors_of_every_part_are_taken():
    model = TransactionalModel(BGNBD(), GammaGamma(), priors=(("dropout", (0.1, 0.2)), ("bucket_noise", (0.1, 0.2))))
    model.check(SHAPE)
    assert next(p for p in model.parameters("purchases", SHAPE) if p.name == "dropout").plausible == (0.1, 0.2)
    assert {p.name: p for p in model.drift_parameters(4, 13)}["bucket_noise"].plausible == (0.1, 0.2)


def test_the_drift_of_a_shorter_bucket_moves_less_and_lasts_longer():
    week, quarter = (
        next(p for p in drift_parameters(8, per_year) if p.name == "calendar_sd").plausible for per_year in (52, 4)
    )
    np.testing.assert_allclose(np.array(quarter) / week, np.sqrt(13))
    assert quarter == (0.02, 0.30)
    year, month = (
        next(p for p in drift_parameters(8, per_year) if p.name == "calendar_persistence").plausible
        for per_year in (1, 12)
    )
    np.testing.assert_allclose(np.array(month) ** 12, year)


def test_the_season_has_one_level_for_each_bucket_of_a_year():
    assert "season" not in {p.name for p in drift_parameters(8, 4)}
    season = next(p for p in drift_parameters(8, 4, 4) if p.name == "season")
    assert (season.size, season.zero_sum, season.scale) == (4, True, "season_sd")


def test_the_index_of_a_table(table):
    partial = CustomerIndex.of(table, TransactionalModel(BGNBD(), None))
    assert partial.cohorts == ("1997-01", "1997-02", "1997-03")
    assert partial.shape == CustomerShape(segments=1, cohorts=3)
    assert CustomerIndex.of(table, TransactionalModel(BGNBD(), None, pooling="complete")).shape == CustomerShape()


def test_rows_that_agree_are_one_and_no_customer_is_lost(table):
    twice = History(*(np.tile(v, 2) for v in (table.history.frequency, table.history.recency, table.history.age)))
    here = np.zeros(2 * len(table.frame), dtype=int)
    history, weight, _ = merged_rows(twice, np.tile(table.customers, 2), (here, here))
    assert len(weight) == len(table.frame)
    assert weight.sum() == 2 * 2357
    assert (weight * history.frequency).sum() == 2 * 2457


def test_opportunities_are_whole_and_enough():
    days = [("a", f"{y}-07-01", 1.0) for y in (1995, 1996, 1998)] + [("b", "1995-07-01", 1.0), ("b", "1995-09-01", 1.0)]
    frame = pd.DataFrame(days, columns=["customer_id", "date", "amount"])
    ledger = Ledger.from_transactions(frame[frame["customer_id"] == "a"], as_of="2001-07-01")
    history = histories(BGBB(), ledger.purchase_table())
    assert (history.frequency.tolist(), history.recency.tolist(), history.age.tolist()) == ([2], [3], [6])
    many = pd.concat([frame[frame["customer_id"] == "b"]] * 1).assign(date=["2001-06-01", "2001-06-20"])
    with pytest.raises(DefinitionError, match="opportunities_per_year"):
        histories(BGBB(), Ledger.from_transactions(many, as_of="2001-07-01").purchase_table())
