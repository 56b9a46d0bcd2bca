from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

import lifeworth as lw
from lifeworth.backtesting.fit_table import FitTable
from lifeworth.churn import CURVES
from lifeworth.errors import DataError, DefinitionError, FitError, LifeworthWarning

QUICK = lw.SamplerOptions(draws=150, tune=200, chains=2)
TERMS = lw.Economics(gross_margin=0.8, discount_rate_annual=0.1, horizon_years=2)
pytestmark = pytest.mark.filterwarnings("ignore::lifeworth.errors.LifeworthWarning")


@dataclass(frozen=True, slots=True)
class Broken(lw.Geometric):
    """A curve with a mistake in it."""

    def log_survival(self, tenure, theta, ops=None):
        raise ValueError("a mistake in the curve")


del CURVES["Broken"]  # the contract tests read the registry


@pytest.fixture(scope="module")
def table():
    demo = lw.datasets.saas(seed=3, scale=0.3)
    ledger = lw.Ledger.from_spells(demo.spells, as_of=demo.as_of)
    return ledger.cohort_table(by=demo.by)


@pytest.fixture(scope="module")
def made(table):
    with pytest.warns(LifeworthWarning):
        return lw.fit_many(
            table,
            churn={"flat": lw.Geometric(), "broken": Broken()},
            effects={"walk": (lw.Segments(), lw.CalendarWalk()), "plain": (lw.Segments(),)},
            seed=5,
            sampler=QUICK,
            origins=2,
        )


@pytest.mark.mcmc
def test_candidates_are_curves_crossed_with_effects(made):
    assert list(made.fits) == ["flat / walk", "flat / plain"]
    assert [len(fit.model.effects) for fit in made.fits.values()] == [2, 1]
    assert isinstance(made, FitTable)


@pytest.mark.mcmc
def test_a_failure_is_a_row_with_its_reason(made):
    assert set(made.failures) == {"broken / walk", "broken / plain"}
    rows = made.table().set_index("name")
    assert rows.loc["broken / walk", "reason"] == "ValueError: a mistake in the curve"
    assert rows.loc["broken / walk", "verdict"] == "FAIL"
    assert rows.loc[list(made.fits), "reason"].eq("").all()


@pytest.mark.mcmc
def test_the_table_keeps_its_columns(made):
    rows = made.table()
    columns = ["name", "verdict", "r_hat", "ess", "divergences", "lfo", "lfo_se", "weight", "reason"]
    assert rows.columns.tolist() == columns
    assert rows["weight"].sum() == pytest.approx(1)
    assert rows["lfo"].dropna().is_monotonic_decreasing
    assert rows["lfo_se"].dropna().gt(0).all()


@pytest.mark.mcmc
def test_the_best_has_the_greatest_score_of_those_to_rely_on(made):
    rows = made.table().dropna(subset="lfo")
    passed = rows[rows["verdict"] != "FAIL"]
    assert made.best is made.fits[(passed if len(passed) else rows)["name"].iloc[0]]


@pytest.mark.mcmc
def test_scores_are_of_every_origin_and_segment(made, table):
    segments = {*table.frame["segment"], "all"}
    assert set(made.scores["origin"]) == {table.cut(2).as_of, table.cut(1).as_of}
    assert len(made.scores) == 2 * 2 * len(segments)
    joint = made.scores[made.scores["segment"] == "all"].groupby("name")["log_density"].sum()
    rows = made.table().set_index("name")
    assert rows.loc[joint.index, "lfo"].to_numpy() == pytest.approx(joint.to_numpy())


@pytest.mark.mcmc
def test_the_fit_of_the_whole_table_is_that_of_fit(made, table):
    alone = lw.fit(table, churn=lw.Geometric(), effects=(lw.Segments(),), seed=5, sampler=QUICK)
    found = made.fits["flat / plain"]
    assert found.index == alone.index
    assert found.draws["logo"].equals(alone.draws["logo"])


@pytest.mark.mcmc
def test_a_stacked_value_is_a_mixture_of_whole_draws(made):
    half = FitTable(made.fits, {}, made.scores, {"flat / walk": 0.5, "flat / plain": 0.5})
    stacked = lw.stacked_value(half, TERMS)
    each = [lw.value(fit, TERMS) for fit in half.fits.values()]
    assert stacked.draws.sizes["draw"] == each[0].draws.sizes["chain"] * each[0].draws.sizes["draw"]
    first = stacked.sample("total_residual")[:150]
    assert np.isin(first, each[0].sample("total_residual")).all()
    assert np.isin(stacked.sample("total_residual")[150:], each[1].sample("total_residual")).all()
    parts = sum(stacked.sample("total_residual", segment=s) for s in sorted(set(stacked.rows()["segment"]) - {"all"}))
    assert parts == pytest.approx(stacked.sample("total_residual"))
    assert list(stacked.table().columns) == list(each[0].table().columns)
    assert stacked.cash.sizes["draw"] == stacked.draws.sizes["draw"]
    assert len(stacked.summary()) == len(each[0].summary())


@pytest.mark.mcmc
def test_all_weight_on_one_is_its_value(made):
    name = "flat / plain"
    one = FitTable(made.fits, {}, made.scores, {"flat / walk": 0.0, name: 1.0})
    stacked, alone = lw.stacked_value(one, TERMS), lw.value(made.fits[name], TERMS)
    pd.testing.assert_frame_equal(stacked.table(), alone.table())


def test_only_failures_are_an_error_that_says_why(table):
    with pytest.raises(FitError, match=r"every candidate failed\. Broken: ValueError: a mistake"):
        lw.fit_many(table, churn=[Broken()], sampler=QUICK)


def test_priors_that_name_no_parameter_fail_a_candidate(table):
    with pytest.raises(FitError, match="nonsense"):
        lw.fit_many(table, churn=[lw.Geometric()], priors={"nonsense": (0.1, 0.2)}, sampler=QUICK)


def test_two_curves_of_a_class_need_names(table):
    with pytest.raises(DefinitionError, match="give a mapping"):
        lw.fit_many(table, churn=[lw.Piecewise(), lw.Piecewise(edges=(3,))])


@pytest.mark.parametrize("empty", [{"churn": []}, {"churn": [lw.Geometric()], "effects": {}}])
def test_no_candidate_is_refused(table, empty):
    with pytest.raises(DefinitionError, match="no candidate"):
        lw.fit_many(table, **empty)


def test_a_short_table_is_refused_before_anything_is_fitted(table):
    with pytest.raises(DataError, match="calendar buckets"):
        lw.fit_many(table, churn=[lw.Geometric()], origins=40)
