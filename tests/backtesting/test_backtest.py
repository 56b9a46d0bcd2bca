import numpy as np
import pandas as pd
import pytest

import lifeworth as lw
from lifeworth.backtesting.backtest import Backtest
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
    keys = ["origin", "measure", "segment", "bucket", "at_risk"]
    units = {method: rows[keys].reset_index(drop=True) for method, rows in forecasts.groupby("method")}
    assert set(units) == {"posterior", "constant", "segment_constant", "last_bucket", "tenure_curve", "formula"}
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


@pytest.mark.mcmc
def test_the_table_keeps_its_columns(backtest):
    columns = ["origin", "method", "measure", "n", "bias", "mae", "crps", "width_80", "coverage_80", "coverage_90"]
    assert backtest.table().columns.tolist() == [*columns, "coverage_50", "coverage_95"]
    measures = {"logo_retention", "revenue_retained", "nrr", "customers", "revenue"}
    assert set(backtest.table()["measure"]) == measures
    assert backtest.forecasts()["pit"].between(0, 1).all()


@pytest.mark.mcmc
def test_what_is_left_of_the_book_is_what_the_ledger_holds(backtest, table):
    """Monthly cells: what is in force at as_of and was acquired by the origin is what is left of that book."""
    latest = backtest.forecasts()
    latest = latest[(latest["origin"] == latest["origin"].max()) & (latest["method"] == "posterior")]
    found = latest[latest["bucket"] == 2].set_index(["measure", "segment"])
    months = table.in_force["tenure"] + table.in_force["elapsed"]
    old = table.in_force[months >= 2 * table.months_per_bucket]
    assert found.loc[("customers", "all"), "observed"] == old["accounts"].sum() + old["lost_accounts"].sum()
    smb = old[old["segment"] == "SMB"]
    assert found.loc[("customers", "SMB"), "observed"] == smb["accounts"].sum() + smb["lost_accounts"].sum()
    assert found.loc[("revenue", "all"), "observed"] == pytest.approx(old["opening"].sum())
    assert found.loc[("customers", "all"), "at_risk"] == table.cut(2).in_force["accounts"].sum()


@pytest.mark.mcmc
def test_segments_of_a_book_add_up_to_its_total(backtest):
    rows = backtest.forecasts().query("measure in ('customers', 'revenue')")
    keys = ["origin", "method", "measure", "bucket"]
    for column in ("observed", "mean", "at_risk"):
        parts = rows[rows["segment"] != "all"].groupby(keys)[column].sum()
        total = rows[rows["segment"] == "all"].set_index(keys)[column].sort_index()
        assert parts.to_numpy() == pytest.approx(total.to_numpy(), rel=1e-9)


@pytest.mark.mcmc
def test_the_book_is_foretold_near_what_is_left(backtest):
    rows = backtest.forecasts().query("method == 'posterior' and segment == 'all'")
    customers = rows[rows["measure"] == "customers"]
    assert np.abs(customers["p50"] / customers["observed"] - 1).max() < 0.05
    assert (customers["p025"] < customers["observed"].max()).all()


@pytest.mark.mcmc
def test_coverage_counts_periods_and_targets(backtest):
    found = backtest.coverage(0.8).set_index(["method", "measure"])
    scores = backtest.summary().set_index(["method", "measure"])
    assert found["coverage"].to_dict() == pytest.approx(scores["coverage_80"].to_dict())
    assert (found[["periods", "targets", "origins"]] == [4, 3, 2]).all(axis=None)
    assert (found["low"] <= found["coverage"]).all()
    assert (found["coverage"] <= found["high"]).all()
    formula = found.loc["formula"]
    assert (formula["coverage"] < 0.2).all()
    assert (backtest.coverage(0.95)["coverage"] >= backtest.coverage(0.5)["coverage"]).all()


@pytest.mark.mcmc
def test_the_formula_is_scored_by_its_absolute_error(backtest):
    rows = backtest.forecasts().query("method == 'formula'")
    assert rows["crps"].to_numpy() == pytest.approx(np.abs(rows["mean"] - rows["observed"]).to_numpy())
    assert (rows["p025"] == rows["p975"]).all()


@pytest.mark.mcmc
def test_the_fits_share_one_shape(backtest):
    assert len({fit.index.shape for fit in backtest.fits}) == 1


@pytest.mark.mcmc
def test_without_segments_the_totals_are_the_units():
    demo = lw.datasets.saas(seed=3, scale=0.1)
    cells = lw.Ledger.from_spells(demo.spells, as_of=demo.as_of).cohort_table()
    made = lw.backtest(cells, holdout=1, churn=lw.Geometric(), effects=(lw.CalendarWalk(),), seed=1, sampler=QUICK)
    assert (made.table()["n"] == 1).all()
    found = made.coverage()
    assert (found["coverage"] == found["coverage_total"]).all()


@pytest.mark.mcmc
def test_the_command_line_prints_shares_and_amounts(backtest):
    from io import StringIO

    from rich.console import Console

    from lifeworth.cli import tables

    out = StringIO()
    console = Console(file=out, width=200)
    for made in tables.backtest(backtest):
        console.print(made)
    lines = out.getvalue().splitlines()
    assert all("%" in line for line in lines if line.strip().startswith("logo_retention"))
    customers = next(line for line in lines if line.strip().startswith("customers") and "posterior" in line)
    assert customers.count("%") == 3  # only the coverages
    origin = str(backtest.forecasts()["origin"].iloc[0])
    assert sum(origin in line for line in lines) == 10  # two buckets of five measures


@pytest.mark.parametrize(("holdout", "origins"), [(0, 1), (1, 0)])
def test_nothing_held_out_is_refused(table, holdout, origins):
    with pytest.raises(DefinitionError, match="whole numbers from 1"):
        lw.backtest(table, holdout=holdout, origins=origins)


def test_more_than_was_observed_is_refused(table):
    with pytest.raises(DataError, match="12 calendar buckets"):
        lw.backtest(table, holdout=12)


def by_hand():
    """Two methods on two segments in two buckets: "a" is off by 1 in the first and by 2 in the second, "b" by 3."""
    rows = [
        {
            "origin": "2025-12-31",
            "method": method,
            "measure": "nrr",
            "segment": segment,
            "bucket": bucket,
            "bucket_end": f"2026-0{3 * bucket}-30",
            "crps": off,
        }
        for method, offs in (("a", (1.0, 2.0)), ("b", (3.0, 3.0)))
        for bucket, off in enumerate(offs, start=1)
        for segment in ("x", "y")
    ]
    total = [row | {"segment": "all", "crps": 100.0} for row in rows[::2]]
    return Backtest(pd.DataFrame([*rows, *total]), ("segment",), ())


def test_differences_are_paired_and_their_error_is_between_target_buckets():
    """-2 in both segments of one bucket and -1 in those of the other: a mean of -1.5 with the error of two values."""
    row = by_hand().differences("b").iloc[0]
    assert (row["method"], row["n"], row["crps"], row["against"]) == ("a", 4, 1.5, 3.0)
    assert row["difference"] == -1.5
    assert row["se"] == pytest.approx(0.5)
    assert row["ratio"] == pytest.approx(-3.0)
    assert row["share_better"] == 1.0


def test_differences_to_an_unknown_method_are_refused():
    with pytest.raises(DefinitionError, match="no forecast by 'c': there are 'a', 'b'"):
        by_hand().differences("c")
