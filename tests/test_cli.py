"""The command line: options, config files, exit codes, and that each command does what it says."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from lifeworth import BGBB, SamplerOptions, datasets
from lifeworth.cli import app
from lifeworth.cli.console import REJECTED, UNRELIABLE, USAGE
from lifeworth.cli.environment import prepare
from lifeworth.cli.tables import band, money, months, percent
from lifeworth.config import Job
from lifeworth.errors import DefinitionError

AS_OF = pd.Timestamp("2024-12-31")
READ = ["--as-of", "2024-12-31", "--amount-per", "year", "--period", "quarter", "--cohort", "year"]
# One model shape for every test that samples, so that it is compiled once.
MODEL = ["--churn", "geometric", "--expansion", "flat", "--pooling", "complete", "--seed", "3", "--chains", "2"]
SHORT = ["--draws", "400", "--tune", "300"]
TERMS = ["--gross-margin", "0.8", "--discount-rate", "0.1", "--horizon", "3"]


def invoke(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(a) for a in arguments], terminal_width=100)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """600 accounts of two segments over three years that leave at 8% a quarter, at the end of a quarter of theirs."""
    rng = np.random.default_rng(1)
    start = pd.Timestamp("2022-01-01") + pd.to_timedelta(rng.integers(0, 1000, 600), "D")
    quarters = rng.geometric(0.08, 600)
    end = [s + pd.DateOffset(months=3 * int(q)) for s, q in zip(start, quarters, strict=True)]
    frame = pd.DataFrame({"customer_id": range(600), "start": start, "end": end, "amount": 1000.0, "segment": "a"})
    frame.loc[::3, ["amount", "segment"]] = 400.0, "b"
    frame["end"] = frame["end"].where(frame["end"] <= AS_OF)
    path = tmp_path_factory.mktemp("ledger") / "spells.csv"
    frame.to_csv(path, index=False)
    return path


# --- Help ---


def test_help_names_every_command() -> None:
    done = invoke("--help")
    assert done.exit_code == 0
    assert all(name in done.output for name in ("demo", "table", "fit", "value", "compare", "backtest", "purchases"))


def test_module_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "lifeworth", "--help"], capture_output=True, text=True, check=True
    )
    loaded = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert "lifeworth" in loaded
    assert not loaded & {"pymc", "pytensor", "arviz", "nutpie", "matplotlib"}


# --- Table ---


def test_table_counts_and_writes(ledger: Path, tmp_path: Path) -> None:
    done = invoke("table", ledger, *READ, "--by", "segment", "--currency", "EUR", "--out", tmp_path / "out")
    assert done.exit_code == 0, done.stderr
    assert "In force on 2024-12-31" in done.stdout
    assert "EUR a year" in done.stdout
    cells = pd.read_csv(tmp_path / "out" / "cells.csv")
    assert cells.groupby("segment")["churned"].sum().gt(0).all()
    assert (tmp_path / "out" / "retention.csv").exists()
    assert not list((tmp_path / "out").glob("*.png"))


def test_json_is_all_of_standard_output(ledger: Path) -> None:
    done = invoke("table", ledger, *READ, "--by", "segment", "--json")
    found = json.loads(done.stdout)
    active = pd.read_csv(ledger)["end"].isna().sum()
    assert sum(row["accounts"] for row in found["in_force"]) == active
    assert found["as_of"] == "2024-12-31"
    assert found["cells"][0].keys() >= {"cohort", "segment", "tenure", "at_risk", "churned"}


def test_progress_is_plain_lines_with_times_when_not_on_a_terminal(ledger: Path) -> None:
    done = invoke("table", ledger, *READ)
    assert re.search(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d reading and counting", done.stderr, re.M)


def test_warnings_are_notes(constant_spells: pd.DataFrame, tmp_path: Path) -> None:
    late = constant_spells.assign(acquired=pd.to_datetime(constant_spells["start"]) + pd.Timedelta(days=30))
    late.to_csv(tmp_path / "late.csv", index=False)
    done = invoke("table", tmp_path / "late.csv", *READ, "--acquired", "acquired")
    assert done.exit_code == 0
    notes = [line for line in done.stderr.splitlines() if "note: " in line]
    assert len(notes) == 1
    assert "`acquired` after their first start" in notes[0]


# --- Errors ---


def test_wrong_column_names_the_nearest(ledger: Path) -> None:
    done = invoke("table", ledger, *READ, "--by", "segmet")
    assert done.exit_code == REJECTED
    assert "Did you mean 'segment'?" in done.stderr
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "--as-of is missing"),
        (["--as-of", "2024-12-31", "--kind", "snapshots", "--term-months", "12"], "not an option of a ledger of snap"),
        (["--as-of", "2024-12-31", "--column", "customer_id"], "not of the form name=value"),
        (["--as-of", "2024-12-31", "--bridge-gap-days", "-1"], "greater than or equal to 0"),
    ],
)
def test_wrong_options_say_which(ledger: Path, arguments: list[str], says: str) -> None:
    done = invoke("table", ledger, *arguments)
    assert done.exit_code == USAGE
    assert says in done.stderr


def test_unknown_option_is_a_usage_error() -> None:
    assert invoke("table", "x.csv", "--as-off", "2024-12-31").exit_code == USAGE


def test_missing_file_is_rejected(tmp_path: Path) -> None:
    done = invoke("table", tmp_path / "none.csv", *READ)
    assert done.exit_code == REJECTED
    assert "none.csv" in done.stderr


def test_missing_economics_stop_before_sampling(ledger: Path) -> None:
    done = invoke("value", ledger, *READ, "--gross-margin", "0.8")
    assert done.exit_code == USAGE
    assert "--discount-rate, --horizon is missing" in done.stderr


def test_unknown_curve_names_the_known(ledger: Path) -> None:
    done = invoke("fit", ledger, *READ, "--churn", "geometrik")
    assert done.exit_code == USAGE
    assert "Did you mean 'Geometric'?" in done.stderr


# --- Config ---

TOML = """
[ledger]
source = "spells.csv"
as_of = 2024-12-31
amount_per = "year"
column = { customer_id = "account" }

[table]
period = "year"
by = ["channel", "risk"]

[model]
churn = "shifted-beta-geometric"
prior = { first_churn = [0.02, 0.15] }

[economics]
gross_margin = { Enterprise = 0.85, SMB = 0.7 }
discount_rate = 0.12
horizon = 5
"""


def test_config_equals_the_line(tmp_path: Path) -> None:
    (tmp_path / "job.toml").write_text(TOML)
    line = {
        "ledger": {
            "source": str(tmp_path / "spells.csv"),
            "as_of": "2024-12-31",
            "amount_per": "year",
            "column": ["customer_id=account"],
        },
        "table": {"period": "year", "by": "channel,risk"},
        "model": {"churn": "shifted-beta-geometric", "prior": ["first_churn=0.02:0.15"]},
        "economics": {"gross_margin": "Enterprise=0.85,SMB=0.7", "discount_rate": "0.12", "horizon": "5"},
    }
    assert Job.read(tmp_path / "job.toml", {}) == Job.read(None, line)


def test_line_wins_over_config(tmp_path: Path) -> None:
    (tmp_path / "job.toml").write_text(TOML)
    job = Job.read(tmp_path / "job.toml", {"economics": {"horizon": 3.0}, "table": {"by": "risk"}})
    assert (job.economics.horizon, job.economics.discount_rate, job.table.by) == (3.0, 0.12, ("risk",))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[ledger]\nas_off = 2024-12-31", "[ledger] 'as_off' is not known. Did you mean 'as_of'?"),
        ("[legder]\nas_of = 2024-12-31", "section 'legder' is not known. Did you mean 'ledger'?"),
        ("table = 3", "write [table]"),
        ("[economics]\ngross_margin = 'much'", "[economics] gross_margin is 'much'"),
        ("[table]\nperiod = 'decade'", "[table] period is 'decade'"),
        ("[ledger", "cannot be read"),
    ],
)
def test_config_errors_name_the_place(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "job.toml").write_text(text)
    with pytest.raises(DefinitionError, match=re.escape(says)):
        Job.read(tmp_path / "job.toml", {})


def test_config_is_read_by_a_command(ledger: Path, tmp_path: Path) -> None:
    text = f"[ledger]\nsource = '{ledger}'\nas_of = 2024-12-31\namount_per = 'year'\n[table]\nby = ['nothing']"
    (tmp_path / "job.toml").write_text(text)
    assert invoke("table", "--config", tmp_path / "job.toml").exit_code == REJECTED
    done = invoke("table", "--config", tmp_path / "job.toml", "--by", "segment", "--json")
    assert json.loads(done.stdout)["period"] == "month"


def test_defaults_are_those_of_the_library() -> None:
    model = Job().model
    arguments = model.arguments()
    assert arguments["sampler"] == SamplerOptions()
    assert (repr(arguments["churn"])[:6], repr(arguments["expansion"])[:8]) == ("Smooth", "Constant")
    assert (arguments["pooling"], arguments["priors"], arguments["seed"]) == ("partial", None, None)


# --- Environment ---


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_caches_move_when_home_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "nowhere"))
    monkeypatch.setenv("PYTENSOR_FLAGS", "floatX=float64")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("NUMBA_CACHE_DIR", "")
    for name in ("NUMBA_CACHE_DIR", "MPLCONFIGDIR"):
        monkeypatch.delenv(name, raising=False)
    prepare()
    assert os.environ["PYTENSOR_FLAGS"].startswith(f"floatX=float64,base_compiledir={tmp_path}")
    folders = [os.environ["NUMBA_CACHE_DIR"], os.environ["MPLCONFIGDIR"]]
    assert all(Path(folder).is_dir() and Path(folder).is_relative_to(tmp_path) for folder in folders)
    for name in ("NUMBA_CACHE_DIR", "MPLCONFIGDIR"):
        monkeypatch.delenv(name)


def test_nothing_moves_when_home_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    before = dict(os.environ)
    prepare()
    assert dict(os.environ) == before


# --- Numbers ---


def test_numbers_are_rounded_at_the_edge() -> None:
    assert (money(1_234_567.8), money(83.4), money(2.5), money(float("nan"))) == ("1,234,568", "83.4", "2.50", "-")
    assert (percent(0.1234), months(float("inf")), months(7.2)) == ("12.3%", "never", "7")
    assert band(1000, 2000) == "1,000 .. 2,000"


# --- The chain ---


@pytest.fixture(scope="module")
def fitted(ledger: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    folder = tmp_path_factory.mktemp("fitted")
    arguments = [ledger, *READ, "--by", "segment", *MODEL, *SHORT]
    return folder, invoke("fit", *arguments, "--fit", folder / "fit", "--out", folder / "out")


@pytest.mark.mcmc
def test_fit_shows_writes_and_saves(fitted: tuple[Path, Any]) -> None:
    folder, done = fitted
    assert done.exit_code == 0, done.stderr
    assert "first_churn" in done.stdout
    assert re.search(r"Diagnostics (PASS|WARN)", done.stdout)
    assert {path.name for path in (folder / "out").iterdir()} == {"parameters.csv", "diagnostics.csv", "survival.png"}
    assert (folder / "fit" / "fit.json").exists()


@pytest.mark.mcmc
def test_value_reads_the_fit_without_a_ledger(fitted: tuple[Path, Any], tmp_path: Path) -> None:
    folder, _ = fitted
    done = invoke("value", "--fit", folder / "fit", *TERMS, "--cac", "a=900,b=300", "--out", tmp_path)
    assert done.exit_code == 0, done.stderr
    assert "sampling" not in done.stderr
    assert "New accounts (3 years at 10.0%)" in done.stdout
    assert "CLTV:CAC" in done.stdout
    assert "…" not in done.stdout
    assert {path.suffix for path in tmp_path.iterdir()} == {".csv", ".png"}


@pytest.mark.mcmc
def test_compare_gives_json(fitted: tuple[Path, Any], ledger: Path) -> None:
    folder, _ = fitted
    options = [ledger, *READ, "--by", "segment", *MODEL, *SHORT, "--fit", folder / "fit"]
    done = invoke("compare", *options, *TERMS, "--input", "churn=0.25", "--json")
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert {row["basis"] for row in found["summary"]} == {"as practised", "aligned"}
    assert any("overstates" in row["verdict"] for row in found["summary"])
    assert found["verdict"] in ("PASS", "WARN")


@pytest.mark.mcmc
@pytest.mark.parametrize(
    ("more", "says"),
    [(["--seed", "4"], "has another seed"), (["--by", "nothing"], ""), (["--period", "year"], "of another table")],
)
def test_a_fit_of_something_else_is_refused(fitted: tuple[Path, Any], ledger: Path, more: list[str], says: str) -> None:
    options = [ledger, *READ, "--by", "segment", *MODEL, *more, "--fit", fitted[0] / "fit"]
    done = invoke("value", *options, *TERMS)
    assert done.exit_code in (USAGE, REJECTED)
    assert says in done.stderr


@pytest.mark.mcmc
def test_failed_diagnostics_write_and_exit_with_their_own_code(
    fitted: tuple[Path, Any], ledger: Path, tmp_path: Path
) -> None:
    options = [ledger, *READ, "--by", "segment", *MODEL, "--draws", "10", "--tune", "10"]
    done = invoke("fit", *options, "--out", tmp_path)
    assert fitted[1].exit_code == 0
    assert done.exit_code == UNRELIABLE
    assert "note: diagnostics: FAIL" in done.stderr
    assert (tmp_path / "parameters.csv").exists()


@pytest.mark.mcmc
def test_the_demo_of_purchases_shows_holds_out_and_writes(tmp_path: Path) -> None:
    done = invoke("demo", "--transactional", "--quick", "--out", tmp_path / "demo")
    assert done.exit_code == 0, done.stderr
    assert "2,357 customers" in done.stdout
    assert re.search(r"Diagnostics (PASS|WARN)", done.stdout)
    assert "…" not in done.stdout
    assert {path.name for path in (tmp_path / "demo").iterdir()} == {
        "valuation.csv", "tracking.csv", "by_frequency.csv", "lifetimes_steps.csv", "lifetimes_parameters.csv",
        "tracking.png", "frequency_bins.png", "customers.parquet", "fit",
    }  # fmt: skip
    customers = pd.read_parquet(tmp_path / "demo" / "customers.parquet")
    assert len(customers) == 2357
    total = pd.read_csv(tmp_path / "demo" / "valuation.csv").query("measure == 'total_residual' and cohort == 'all'")
    assert customers["residual"].sum() == pytest.approx(total["mean"].to_numpy()[0], rel=0.02)  # parameter, predictive
    ahead = pd.read_csv(tmp_path / "demo" / "tracking.csv").query("measure == 'cumulative'").iloc[-1]
    assert ahead["p05"] < ahead["observed"] < ahead["p95"]


# --- Purchases ---

BOUGHT = ["--as-of", "1998-06-30", "--cohort", "month", "--grid", "week", "--currency", "USD"]
PAID = ["--gross-margin", "0.3", "--discount-rate", "0.15", "--horizon", "5"]


@pytest.fixture(scope="module")
def transactions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("transactions") / "orders.csv"
    datasets.cdnow(sample=True).transactions.rename(columns={"customer_id": "buyer"}).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def valued_purchases(transactions: Path) -> tuple[Path, Any]:
    folder = transactions.parent
    options = [transactions, *BOUGHT, "--column", "customer_id=buyer", "--fit-until", "1997-09-30", *PAID]
    sampler = ["--seed", "5", "--chains", "2", "--draws", "300", "--tune", "300"]
    done = invoke("purchases", *options, *sampler, "--fit", folder / "fit", "--out", folder / "out")
    return folder, done


@pytest.mark.mcmc
def test_purchases_are_fitted_valued_scored_and_held_out(valued_purchases: tuple[Path, Any]) -> None:
    folder, done = valued_purchases
    assert done.exit_code == 0, done.stderr
    assert "2,357 customers" in done.stdout
    assert "Repeat purchases after 1997-09-30" in done.stdout
    assert {path.name for path in (folder / "out").iterdir()} == {
        "valuation.csv", "parameters.csv", "diagnostics.csv", "tracking.csv", "by_frequency.csv",
        "tracking.png", "frequency_bins.png", "customers.parquet",
    }  # fmt: skip


@pytest.mark.mcmc
def test_a_stored_fit_of_purchases_is_valued_again(valued_purchases: tuple[Path, Any], transactions: Path) -> None:
    folder, _ = valued_purchases
    options = ["purchases", transactions, *BOUGHT, "--column", "customer_id=buyer", *PAID, "--fit", folder / "fit"]
    done = invoke(*options, "--fit-until", "1997-09-30", "--json")
    assert done.exit_code == 0, done.stderr
    assert "sampling" not in done.stderr
    found = json.loads(done.stdout)
    assert {row["measure"] for row in found["scores"]} == {"incremental", "cumulative"}
    assert {row["cohort"] for row in found["valuation"]} == {"1997-01", "1997-02", "1997-03", "all", "new"}
    for more, says in ((["--seed", "6", "--fit-until", "1997-09-30"], "has another seed"), ([], "of another table")):
        done = invoke(*options, *more)
        assert done.exit_code == USAGE
        assert says in done.stderr


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--timing", "start"], "--timing is not an option of purchases"),
        (["--law", "weibull"], "law 'weibull' is not known"),
        (["--opportunities", "4"], "--opportunities is not an option of BGNBD"),
        (["--calendar", "day"], "day"),
    ],
)
def test_options_that_purchases_do_not_have_are_refused(transactions: Path, more: list[str], says: str) -> None:
    done = invoke("purchases", transactions, *BOUGHT, "--column", "customer_id=buyer", *PAID, *more)
    assert done.exit_code == USAGE
    assert says in done.stderr


def test_a_job_file_of_purchases_is_read(tmp_path: Path) -> None:
    path = tmp_path / "job.toml"
    path.write_text(
        '[transactions]\nsource = "orders.parquet"\nas_of = 2026-06-30\n[purchases]\nlaw = "BGBB"\n'
        "opportunities = 4.0\nfit_until = 2025-06-30\ndrift = false\n"
    )
    job = Job.read(path, {"purchases": {"seed": 3}})
    assert job.transactions.source == str(tmp_path / "orders.parquet")
    assert (job.purchases.fit_until, job.purchases.seed) == ("2025-06-30", 3)
    given = job.purchases.arguments()
    assert (given["purchases"], given["drift"]) == (BGBB(opportunities_per_year=4.0), False)
