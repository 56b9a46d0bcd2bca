"""The commands for customers without a contract."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lifeworth.cli.options import Run
from lifeworth.cli.stored import refuse_another
from lifeworth.errors import ComparisonError, DefinitionError

if TYPE_CHECKING:
    from lifeworth.ledger import PurchaseTable
    from lifeworth.transactional.results import PurchaseFit


def purchases(run: Run) -> None:
    """Value customers without a contract from their transactions: fit, value, score each, hold out."""
    from lifeworth.cli import output, purchase_tables

    economics = run.job.economics
    if idle := sorted({"timing", "arpa"} & economics.model_fields_set):
        raise DefinitionError(f"--{idle[0]} is not an option of purchases: they have no period and no plan.")
    terms: Any = economics.terms
    terms(None)  # economics that cannot be used are refused before an hour of sampling
    with run.console.step("reading and counting the transactions"):
        ledger = run.job.transactions.read()
        table = run.job.purchases.count(ledger)
    fitted = _fitted(run, table)
    with run.console.step("valuing, and scoring every customer"):
        from lifeworth.transactional.score import score_purchases
        from lifeworth.transactional.value import value_purchases

        worth = value_purchases(fitted, terms(table.currency))
        scores = score_purchases(worth, ledger)
    frames = {"valuation": worth.table(), "parameters": fitted.summary(), "diagnostics": fitted.diagnostics.table}
    pictures, held = {}, None
    if table.until is not None:
        with run.console.step(f"holding the forecast against {table.as_of} to {table.until}"):
            from lifeworth.backtesting.tracking import by_frequency, track

            held, bins = track(fitted), by_frequency(fitted)
        frames |= {"tracking": held.units, "by_frequency": bins.units}
        pictures["tracking"] = lambda plot: plot.tracking(held)
        pictures["frequency_bins"] = lambda plot: plot.frequency_bins(bins)
    run.console.show(*purchase_tables.results(worth, held))
    output.write(run, frames)
    output.draw(run, pictures)
    if run.out:
        scores.to_parquet(run.out / "customers.parquet")
        run.console.say(f"customers written to {run.out}: customers.parquet")
    run.console.give(output.purchases_json(worth, held))
    run.console.gate(fitted.diagnostics.verdict)


def _fitted(run: Run, table: PurchaseTable) -> PurchaseFit:
    """The fit of the folder given, if it is of this table and model; else a new one, written there."""
    arguments = run.job.purchases.arguments()
    if run.fit and (run.fit / "fit.json").exists():
        return _stored(run, run.fit, table, arguments)
    with run.console.step("loading the sampler"):
        from lifeworth.purchase_fitting import fit_purchases
    with run.console.step(f"compiling and sampling {table.customers.sum():,.0f} customers"):
        fitted = fit_purchases(table, **arguments)
    if run.fit:
        fitted.save(run.fit)
        run.console.say(f"fit written to {run.fit}")
    return fitted


def _stored(run: Run, folder: Path, table: PurchaseTable, given: dict[str, Any]) -> PurchaseFit:
    from lifeworth.store import load
    from lifeworth.transactional.results import PurchaseFit

    with run.console.step(f"reading the fit in {folder}"):
        fitted = load(folder)
    if not isinstance(fitted, PurchaseFit) or fitted.table.fingerprint != table.fingerprint:
        raise ComparisonError(f"the fit in {folder} is of another table. Name another folder.")
    law = fitted.model.purchases == given["purchases"]
    same = {"law": law, "opportunities": law, "drift": fitted.model.drift == given["drift"]}
    refuse_another(folder, fitted, run.job.purchases, given, same)
    return fitted
