"""Files and JSON of the commands: tables as CSV, pictures as PNG, records for machines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lifeworth.backtesting.backtest import Backtest
    from lifeworth.backtesting.tracking import Tracking
    from lifeworth.cli.options import Run
    from lifeworth.comparison import Comparison
    from lifeworth.ledger import CohortTable
    from lifeworth.results import Fit
    from lifeworth.transactional.value import PurchaseValuation
    from lifeworth.valuation import Valuation

DPI = 150


def write(run: Run, frames: Mapping[str, pd.DataFrame]) -> None:
    """Each frame as a CSV file in the folder of --out, if there is one."""
    if run.out is None:
        return
    run.out.mkdir(parents=True, exist_ok=True)
    for name, frame in frames.items():
        frame.to_csv(run.out / f"{name}.csv", index=False)
    run.console.say(f"tables written to {run.out}: {', '.join(f'{name}.csv' for name in frames)}")


def draw(run: Run, pictures: Mapping[str, Callable[[Any], Figure]]) -> None:
    """Each picture as a PNG file in the folder of --out, if there is one; Matplotlib is loaded only then."""
    if run.out is None:
        return
    from lifeworth import plot

    run.out.mkdir(parents=True, exist_ok=True)
    for name, make in pictures.items():
        make(plot).savefig(run.out / f"{name}.png", dpi=DPI)
    run.console.say(f"pictures written to {run.out}: {', '.join(f'{name}.png' for name in pictures)}")


def of_table(table: CohortTable) -> dict[str, pd.DataFrame]:
    """The frames of a cohort table and its retention triangle."""
    triangle = table.triangle("retention").reset_index()
    named = {"cells": table.frame, "in_force": table.in_force, "acquisitions": table.acquisitions}
    return {**named, "retention": triangle}


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as mappings of column to plain value."""
    return [{str(k): v for k, v in row.items()} for row in frame.to_dict(orient="records")]


def table_json(table: CohortTable) -> dict[str, Any]:
    """A cohort table for machines."""
    checks = [{"name": c.name, "severity": c.severity, "rows": c.rows, "says": c.sentence()} for c in table.checks]
    named = {"as_of": table.as_of, "period": table.period, "currency": table.currency, "fingerprint": table.fingerprint}
    return {**named, "cells": records(table.frame), "in_force": records(table.in_force), "checks": checks}


def fit_json(fit: Fit) -> dict[str, Any]:
    """A fit for machines."""
    return {
        "verdict": fit.diagnostics.verdict,
        "diagnostics": records(fit.diagnostics.table),
        "seed": fit.seed,
        "version": fit.version,
        "table": fit.table.fingerprint,
        "parameters": records(fit.summary()),
    }


def value_json(value: Valuation | PurchaseValuation) -> dict[str, Any]:
    """A valuation for machines."""
    return {"verdict": value.fit.diagnostics.verdict, "seed": value.fit.seed, "valuation": records(value.table())}


def compare_json(comparison: Comparison) -> dict[str, Any]:
    """A comparison for machines."""
    return {
        "verdict": comparison.value.fit.diagnostics.verdict,
        "seed": comparison.value.fit.seed,
        "summary": records(comparison.summary()),
        "comparison": records(comparison.table()),
        "inputs": records(comparison.inputs),
    }


def purchases_json(value: PurchaseValuation, held: Tracking | None) -> dict[str, Any]:
    """A valuation of purchases for machines, and what was held out."""
    found = {**value_json(value), "diagnostics": records(value.fit.diagnostics.table)}
    found |= {"table": value.fit.table.fingerprint, "parameters": records(value.fit.summary())}
    return found | ({} if held is None else {"tracking": records(held.table()), "scores": records(held.scores())})


def backtest_json(backtest: Backtest) -> dict[str, Any]:
    """A backtest for machines."""
    verdicts = {str(fit.table.as_of): fit.diagnostics.verdict for fit in backtest.fits}
    return {"verdicts": verdicts, "scores": records(backtest.table()), "forecasts": records(backtest.forecasts())}
