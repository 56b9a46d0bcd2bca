"""A fit of purchases: its draws by unit, a cohort never seen, and what comes back from a folder."""

import json
import subprocess
import sys

import numpy as np
import pytest

import lifeworth as lw
from lifeworth.errors import StoreError


def test_every_unit_has_the_common_parameters_under_complete_pooling(made_fit, held_out):
    fit = made_fit(held_out)
    theta = fit.theta("purchases")
    assert theta["purchase_rate"].shape == (100, 3)
    assert (theta["purchase_rate"] == theta["purchase_rate"][:, :1]).all()
    assert fit.theta("purchases", thin=5)["dropout"].shape == (20, 3)


def test_a_cohort_never_seen_is_less_certain(made_fit, held_out):
    from dataclasses import replace

    from lifeworth.transactional.model import CustomerIndex

    fit = made_fit(held_out)
    model = replace(fit.model, pooling="partial")
    purchases = fit.draws["purchases"].assign(
        purchase_rate_cohort_sd=(("chain", "draw"), np.full((2, 50), 0.4)),
        purchase_rate_cohort=(("chain", "draw", "at"), np.tile([0.1, 0.0, -0.1], (2, 50, 1))),
    )
    known = replace(
        fit, model=model, index=CustomerIndex.of(held_out, model), draws=fit.draws | {"purchases": purchases}
    )
    rate = known.theta("purchases")["purchase_rate"]
    np.testing.assert_allclose(rate[:, 0] / rate[:, 1], np.exp(0.1))
    unseen = known.unseen("purchases", np.random.default_rng(1))["purchase_rate"]
    assert unseen.shape == (100, 1)
    assert np.log(unseen).std() == pytest.approx(0.4, rel=0.2)
    assert np.log(rate[:, 1]).std() < 0.05


def test_summary_has_a_row_per_scalar(made_fit, held_out):
    frame = made_fit(held_out).summary()
    assert list(frame["part"].unique()) == ["purchases", "spend", "drift"]
    assert "calendar" not in set(frame["parameter"])
    row = frame.set_index("parameter").loc["dropout"]
    assert row["low"] < 0.2463 < row["high"]
    assert frame["about"].str.len().min() > 10


def test_a_saved_fit_comes_back_the_same(made_fit, held_out, tmp_path):
    fit = made_fit(held_out)
    fit.save(tmp_path / "fit")
    back = lw.load(tmp_path / "fit")
    assert type(back) is type(fit)
    assert (back.model, back.index, back.seed, back.options) == (fit.model, fit.index, fit.seed, fit.options)
    assert back.table.fingerprint == held_out.fingerprint
    for part, draws in fit.draws.items():
        for name in draws.data_vars:
            np.testing.assert_array_equal(back.draws[part][name], draws[name])


def test_it_loads_without_the_sampler(made_fit, held_out, tmp_path):
    made_fit(held_out).save(tmp_path / "fit")
    code = "import sys, lifeworth as lw; lw.load(sys.argv[1]); print(sorted({'pymc', 'nutpie'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "fit")], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_another_schema_or_a_changed_table_is_refused(made_fit, held_out, tmp_path):
    made_fit(held_out).save(tmp_path / "fit")
    record = json.loads((tmp_path / "fit" / "fit.json").read_text())
    for change, match in (({"schema": 99}, "schema 99"), ({"table": record["table"] | {"currency": "EUR"}}, "hash")):
        (tmp_path / "fit" / "fit.json").write_text(json.dumps(record | change))
        with pytest.raises(StoreError, match=match):
            lw.load(tmp_path / "fit")


def test_arviz_reads_the_draws_and_the_likelihood_of_each_history(made_fit, held_out):
    """Summed over rows it is that of all customers: -9582.4 near the published fit, with time in weeks."""
    import arviz as az

    fit = made_fit(held_out, sd=0.001)
    tree = fit.to_arviz()
    assert {"posterior", "spend_posterior", "drift_posterior", "log_likelihood", "observed_data"} <= set(tree.children)
    pointwise = tree["log_likelihood"]["purchases"]
    assert pointwise.dims == ("chain", "draw", "history")
    repeats = (held_out.frame["frequency"] * held_out.frame["customers"]).sum()
    in_weeks = pointwise.sum("history") - repeats * np.log(365.25 / 7)
    assert float(in_weeks.mean()) == pytest.approx(-9582.4, abs=0.3)
    assert int(tree["observed_data"]["customers"].sum()) == 2357
    assert np.isfinite(az.loo(tree).elpd)
