"""Formulas, curves, their mixture and baselines on the same held-out buckets."""

import numpy as np
import pandas as pd
import pytest

import lifeworth as lw
from lifeworth.backtesting.ahead import held_out_cells
from lifeworth.backtesting.closed_book import ClosedBook
from lifeworth.backtesting.formula_ahead import formula_ahead
from lifeworth.backtesting.scoreboard import _mixed, _weights
from lifeworth.comparison import METHODS
from lifeworth.errors import DefinitionError
from lifeworth.expansion import Flat

QUICK = lw.SamplerOptions(draws=150, tune=200, chains=2)


@pytest.fixture(scope="module")
def table():
    demo = lw.datasets.saas(seed=3, scale=0.3)
    return lw.Ledger.from_spells(demo.spells, as_of=demo.as_of).cohort_table(by=demo.by)


@pytest.fixture(scope="module")
def board(table):
    return lw.scoreboard(
        table,
        holdout=2,
        origins=2,
        churn=[lw.Geometric(), lw.Lomax()],
        expansion=Flat(),
        effects=(),
        seed=5,
        sampler=QUICK,
    )


def ahead(table, name, cut=2, holdout=2):
    known = table.cut(cut)
    held, book = held_out_cells(table.frame, cut, holdout), ClosedBook.of(table, known, cut, holdout)
    return known, held, book, formula_ahead(METHODS[name], known, held, book)


def test_a_constant_formula_forecasts_the_churn_of_its_trailing_year(table):
    known, held, book, (shares, rest) = ahead(table, "with expansion, exact")
    recent = known.frame[(known.frame["bucket"] > -4) & (known.frame["segment"] == "SMB")]
    sums = recent[["at_risk", "churned", "opening", "churned_amount", "expansion", "contraction"]].sum()
    churn, stayed = sums["churned"] / sums["at_risk"], sums["opening"] - sums["churned_amount"]
    growth = (sums["expansion"] - sums["contraction"]) / stayed
    small = (held["segment"] == "SMB").to_numpy()
    np.testing.assert_allclose(shares["logo_retention"][0, small], 1 - churn, rtol=1e-12)
    np.testing.assert_allclose(shares["nrr"][0, small], (1 - churn) * (1 + growth), rtol=1e-12)
    label = book.labels.index(("SMB",))
    groups = book.groups["accounts"].to_numpy() * book.member[:, label]
    expected = (groups * (1 - churn) ** book.decisions[-1]).sum()
    assert rest["customers"][-1, 0, label] == pytest.approx(expected, rel=1e-12)


def test_the_worksheet_keeps_everybody(table):
    _, _, _, (shares, _) = ahead(table, "worksheet")
    assert (shares["logo_retention"] == 1).all()


def test_a_formula_that_reads_a_curve_forecasts_by_tenure(table):
    known, held, _, (shares, _) = ahead(table, "cohort curve")
    cells = known.frame[known.frame["segment"] == "SMB"].groupby("tenure")[["at_risk", "churned"]].sum()
    first = ((held["segment"] == "SMB") & (held["tenure"] == 0)).to_numpy()
    expected = 1 - cells.loc[0, "churned"] / cells.loc[0, "at_risk"]
    np.testing.assert_allclose(shares["logo_retention"][0, first], expected, rtol=1e-9)


def test_the_first_origin_weighs_all_alike_and_later_ones_learn():
    assert _weights([], ["a", "b"]) == {"a": 0.5, "b": 0.5}
    seen = [pd.DataFrame({"a": [-1.0, -1.0], "b": [-9.0, -9.0]})]
    assert _weights(seen, ["a", "b"])["a"] == pytest.approx(1.0, abs=1e-6)


def test_a_mixture_takes_its_draws_from_each_candidate():
    one, two = ({"nrr": np.full((4, 3), value)} for value in (1.0, 2.0))
    mixed = _mixed([one, two], [np.array([0]), np.array([1, 2, 3])], 0)["nrr"]
    np.testing.assert_array_equal(mixed[:, 0], [1, 2, 2, 2])


@pytest.mark.mcmc
def test_every_method_is_scored_on_the_same_units(board):
    units = board.backtest.forecasts()
    keys = ["origin", "measure", "segment", "bucket", "observed"]
    first = units[units["method"] == "Geometric"][keys].reset_index(drop=True)
    for _, rows in units.groupby("method"):
        pd.testing.assert_frame_equal(rows[keys].reset_index(drop=True), first)
    assert set(board.kinds.values()) == {"curve", "stacked", "formula", "baseline"}
    assert {"Geometric", "Lomax", "stacked", "ARPA x margin / churn", "last_bucket"} <= set(board.kinds)
    assert board.weights.groupby("origin")["weight"].sum().round(9).eq(1).all()


@pytest.mark.mcmc
def test_formulas_that_forecast_alike_are_one_row(board):
    scores = board.summary().query("measure == 'logo_retention'")
    basic = scores.set_index("method").loc["ARPA x margin / churn"]
    assert "with expansion, exact" in basic["also"].split("; ")
    assert "with expansion, exact" not in set(scores["method"])
    assert basic["crps"] == pytest.approx(basic["mae"])
    nrr = board.summary().query("measure == 'nrr'")
    assert "with expansion, exact" in set(nrr["method"])


@pytest.mark.mcmc
def test_differences_are_those_of_the_scores(board):
    scores = board.summary().set_index(["measure", "method"])["crps"]
    for row in board.differences().itertuples():
        expected = scores[row.measure, row.method] - scores[row.measure, "stacked"]
        assert row.difference == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.mcmc
def test_the_picture_names_every_row(board):
    figure = lw.plot.scoreboard(board, "nrr")
    (ax,) = figure.axes
    rows = board.summary().query("measure == 'nrr'")
    assert len(ax.get_yticklabels()) == len(rows)
    shown = [text.get_text() for text in ax.texts]
    assert shown.count("no band") == (rows["width_80"] == 0).sum()
    with pytest.raises(DefinitionError, match="no forecast of 'grr'"):
        lw.plot.scoreboard(board, "grr")


def test_a_kind_of_curve_is_given_once(table):
    with pytest.raises(DefinitionError, match="2 curves of 1 kinds"):
        lw.scoreboard(table, holdout=1, churn=[lw.Geometric(), lw.Geometric()])
