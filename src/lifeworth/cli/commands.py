"""The commands: each reads its options, calls the library, shows and writes what came back."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lifeworth.cli import purchase_commands
from lifeworth.cli.console import session
from lifeworth.cli.options import FIT, Run, command
from lifeworth.cli.stored import refuse_another

if TYPE_CHECKING:
    from lifeworth.ledger import CohortTable
    from lifeworth.results import Fit
    from lifeworth.valuation import Valuation

app = typer.Typer(
    name="lifeworth",
    help="Customer lifetime value per cohort, with bands that hold.",
    epilog="Exit codes: 0 done; 2 the options or definitions are wrong; 3 the data are rejected; "
    "4 the diagnostics fail (results are still written).",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@command(app, "ledger", "table")
def table(run: Run) -> None:
    """Count a ledger into cells: accounts and money by cohort, segment, tenure and calendar bucket."""
    from lifeworth.cli import output, tables

    cells = _cells(run)
    run.console.show(tables.counted(cells), *tables.checks(cells), tables.triangle(cells))
    output.write(run, output.of_table(cells))
    run.console.give(output.table_json(cells))


@command(app, "ledger", "table", "model", fit="folder that the fit is written to")
def fit(run: Run) -> None:
    """Fit churn by accounts, churn by money and expansion to a ledger."""
    from lifeworth.cli import output, tables

    fitted = _fitted(run, _cells(run))
    run.console.show(tables.parameters(fitted), tables.diagnostics(fitted))
    output.write(run, {"parameters": fitted.summary(), "diagnostics": fitted.diagnostics.table})
    output.draw(run, {"survival": lambda plot: plot.survival(fitted)})
    run.console.give(output.fit_json(fitted))
    run.console.gate(fitted.diagnostics.verdict)


@command(app, "ledger", "table", "model", "economics", fit=FIT)
def value(run: Run) -> None:
    """Value new accounts and the book in force: CLTV, residual value, NRR, payback, with their bands."""
    from lifeworth.cli import output, tables

    worth = _valued(run)
    run.console.show(*tables.valuation(worth), tables.diagnostics(worth.fit))
    output.write(run, {"valuation": worth.table(), "summary": worth.summary().reset_index()})
    output.draw(run, {"survival": lambda plot: plot.survival(worth.fit), "cash_flow": lambda plot: plot.bands(worth)})
    run.console.give(output.value_json(worth))
    run.console.gate(worth.fit.diagnostics.verdict)


@command(app, "ledger", "table", "model", "economics", "compare", fit=FIT)
def compare(run: Run) -> None:
    """Hold every closed-form formula against the posterior, in numbers and in words."""
    from lifeworth.cli import output, tables
    from lifeworth.comparison import compare as hold

    worth = _valued(run)
    found = hold(worth, inputs=run.job.compare.input or None)
    run.console.show(*tables.comparison(found), tables.diagnostics(worth.fit))
    output.write(run, {"comparison": found.table(), "formula_inputs": found.inputs})
    output.draw(run, {"formulas": lambda plot: plot.compare(found)})
    run.console.give(output.compare_json(found))
    run.console.gate(worth.fit.diagnostics.verdict)


@command(app, "ledger", "table", "model", "backtest")
def backtest(run: Run) -> None:
    """Forecast buckets that are known by now, and see whether the bands held; beside simple baselines."""
    from lifeworth.cli import output, tables

    cells, options = _cells(run), run.job.backtest
    with run.console.step("loading the sampler"):
        from lifeworth.backtesting.backtest import backtest as score
    with run.console.step(f"fitting and forecasting from {options.origins} date(s)"):
        found = score(cells, holdout=options.holdout, origins=options.origins, **run.job.model.arguments())
    run.console.show(*tables.backtest(found))
    output.write(run, {"backtest": found.table(), "forecasts": found.forecasts()})
    run.console.give(output.backtest_json(found))
    for fitted in found.fits:
        run.console.gate(fitted.diagnostics.verdict)


command(app, "transactions", "purchases", "economics", fit=FIT)(purchase_commands.purchases)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for tables, pictures and the fit.")] = Path("lifeworth-demo"),
    seed: Annotated[int, typer.Option(min=0, help="Of the simulated ledger and of the sampler.")] = 18,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer draws: sooner, and less exact.")] = False,
    transactional: Annotated[
        bool, typer.Option("--transactional", help="Customers without a contract: CDNOW, all 23,570, held out.")
    ] = False,
) -> None:
    """Run the whole chain on a simulated SaaS ledger whose true values are known, or on the purchases at CDNOW."""
    names = ("purchase_demo", "cli.purchase_tables") if transactional else ("demo", "cli.tables")
    with session(as_json=False) as console:
        chain, shown = (import_module(f"lifeworth.{name}") for name in names)
        done = chain.run(seed=seed, quick=quick, step=console.step)
        console.show(*shown.demo(done))
        with console.step(f"writing {out}"):
            chain.write(done, out)
        console.show(*shown.next_steps(done, out))
        console.gate(done.fit.diagnostics.verdict)


def _cells(run: Run) -> CohortTable:
    with run.console.step("reading and counting the ledger"):
        return run.job.table.count(run.job.ledger.read())


def _fitted(run: Run, cells: CohortTable) -> Fit:
    arguments = run.job.model.arguments()
    with run.console.step("loading the sampler"):
        from lifeworth.fitting import fit as fit_table
    with run.console.step("compiling and sampling"):
        fitted = fit_table(cells, **arguments)
    if run.fit:
        fitted.save(run.fit)
        run.console.say(f"fit written to {run.fit}")
    return fitted


def _valued(run: Run) -> Valuation:
    from lifeworth.valuing import value as value_fit

    terms: Any = run.job.economics.terms
    terms(None)  # economics that cannot be used are refused before an hour of sampling
    fitted = _stored(run) if run.fit and (run.fit / "fit.json").exists() else _fitted(run, _cells(run))
    with run.console.step("valuing"):
        return value_fit(fitted, terms(fitted.table.currency))


def _stored(run: Run) -> Fit:
    """The fit of the folder given, refused where the ledger or the model given beside it is another one."""
    from lifeworth.errors import ComparisonError
    from lifeworth.results import Fit
    from lifeworth.store import load

    assert run.fit is not None
    with run.console.step(f"reading the fit in {run.fit}"):
        fitted = load(run.fit)
    if not isinstance(fitted, Fit):
        raise ComparisonError(f"the fit in {run.fit} is one of purchases: use `lifeworth purchases`.")
    if run.job.ledger.source is not None and _cells(run).fingerprint != fitted.table.fingerprint:
        raise ComparisonError(
            f"the fit in {run.fit} is of another table. Name another folder, or leave the ledger out."
        )
    given = run.job.model.arguments()
    same = {name: getattr(fitted.model, name) == given[name] for name in ("churn", "expansion")}
    refuse_another(run.fit, fitted, run.job.model, given, same)
    return fitted
