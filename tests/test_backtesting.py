import numpy as np
import pandas as pd
import pytest

import lifeworth as lw
from lifeworth.errors import DataError, DefinitionError

QUICK = lw.SamplerOptions(draws=150, tune=200, chains=2)


@pytest.fixture(scope="module")
def table():
    demo = lw.datasets.saas(seed=3, scale=0.3)
    ledger = lw.Ledger.from_spells(demo.spells, as_of=demo.as_of)
    return ledger.cohort_table(by=demo.by)


@pytest.fixture(scope="module")
def backtest(table):
    return lw.backtest(
        table,
        holdout=2,
        origins=2,
        churn=lw.Geometric(),
        effects=(lw.Segments(), lw.CalendarWalk()),
        seed=5,
        sampler=QUICK,
    )


@pytest.mark.mcmc
def test_every_method_forecasts_the_same_units(backtest):
    forecasts = backtest.forecasts()
    keys = ["origin", "measure", "segment", "bucket"]
    units = {method: rows[keys].reset_index(drop=True) for method, rows in forecasts.groupby("method")}
    assert set(units) == {"posterior", "constant", "segment_constant", "last_bucket", "tenure_curve"}
    for rows in units.values():
        pd.testing.assert_frame_equal(rows, units["posterior"])
    observed = forecasts.pivot_table(index=keys, columns="method", values="observed")
    assert (observed.nunique(axis=1) == 1).all()


@pytest.mark.mcmc
def test_observed_is_what_the_whole_table_holds(backtest, table):
    forecasts = backtest.forecasts()
    latest = forecasts[forecasts["origin"] == forecasts["origin"].max()]
    row = latest.query("method == 'posterior' and segment == 'SMB' and bucket == 2")
    cells = table.frame[(table.frame["bucket"] == 0) & (table.frame["segment"] == "SMB")]
    found = row.set_index("measure")["observed"]
    assert found["logo_retention"] == pytest.approx(1 - cells["churned"].sum() / cells["at_risk"].sum())
    assert found["nrr"] == pytest.approx(cells["closing"].sum() / cells["opening"].sum())


@pytest.mark.mcmc
def test_the_fits_saw_nothing_after_their_origin(backtest, table):
    assert [fit.table.as_of for fit in backtest.fits] == [table.cut(3).as_of, table.cut(2).as_of]
    assert [fit.table.fingerprint for fit in backtest.fits] == [table.cut(3).fingerprint, table.cut(2).fingerprint]


@pytest.mark.mcmc
def test_scores_are_those_of_the_units(backtest):
    forecasts, table = backtest.forecasts(), backtest.table()
    row = table.iloc[0]
    units = forecasts[(forecasts[["origin", "method", "measure"]] == row[["origin", "method", "measure"]]).all(axis=1)]
    units = units[units["segment"] != "all"]
    assert row["n"] == len(units)
    assert row["bias"] == pytest.approx((units["mean"] - units["observed"]).mean())
    inside = (units["p10"] <= units["observed"]) & (units["observed"] <= units["p90"])
    assert row["coverage_80"] == pytest.approx(inside.mean())
    assert row["width_80"] == pytest.approx((units["p90"] - units["p10"]).mean())


@pytest.mark.mcmc
def test_the_posterior_forecasts_are_near_what_happened(backtest):
    """Demo churn drifts by a few percent: a monthly retention forecast must be within two points."""
    rows = backtest.forecasts().query("method == 'posterior' and measure == 'logo_retention' and segment != 'all'")
    assert np.abs(rows["p50"] - rows["observed"]).max() < 0.02
    assert ((rows["p05"] <= rows["observed"]) & (rows["observed"] <= rows["p95"])).mean() >= 0.6


@pytest.mark.parametrize(("holdout", "origins"), [(0, 1), (1, 0)])
def test_nothing_held_out_is_refused(table, holdout, origins):
    with pytest.raises(DefinitionError, match="whole numbers from 1"):
        lw.backtest(table, holdout=holdout, origins=origins)


def test_more_than_was_observed_is_refused(table):
    with pytest.raises(DataError, match="12 calendar buckets"):
        lw.backtest(table, holdout=12)
