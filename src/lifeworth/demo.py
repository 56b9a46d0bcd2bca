"""The demo: the whole chain on a simulated SaaS ledger, with the true values beside the posterior."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from lifeworth.backtesting.backtest import Backtest
    from lifeworth.comparison import Comparison
    from lifeworth.ledger import CohortTable
    from lifeworth.ledger.datasets import SaasDemo
    from lifeworth.results import Fit, SamplerOptions
    from lifeworth.valuation import Valuation

type Step = Callable[[str], AbstractContextManager[None]]

HOLDOUT = 4
PICTURES = ("survival", "cash_flow", "formulas")


@dataclass(frozen=True, slots=True, eq=False)
class Demo:
    """What the demo made, from the ledger to the backtest.

    Parameters
    ----------
    data : SaasDemo
        The ledger and the world it was drawn from.
    table, fit, value, comparison, backtest
        The five results of the chain.
    truth : DataFrame
        See `beside_truth`.
    seconds : float
        How long the chain took.
    """

    data: SaasDemo
    table: CohortTable
    fit: Fit
    value: Valuation
    comparison: Comparison
    backtest: Backtest
    truth: pd.DataFrame
    seconds: float


def run(*, seed: int, quick: bool, step: Step) -> Demo:
    """Run the chain: ledger, cells, fit, value, compare, backtest.

    Parameters
    ----------
    seed : int
        Of the ledger and of the sampler.
    quick : bool
        Fewer draws.
    step : callable
        Given what is done next, returns a context to do it in.
    """
    from lifeworth.backtesting.backtest import backtest
    from lifeworth.comparison import compare
    from lifeworth.economics import Economics
    from lifeworth.fitting import fit
    from lifeworth.ledger import Ledger, datasets
    from lifeworth.valuing import value

    begun = time.perf_counter()
    with step("simulating a SaaS ledger with known truth, counting it into cells"):
        data = datasets.saas(seed)
        ledger = Ledger.from_spells(data.spells, as_of=data.as_of, acquired="acquired", currency="USD")
        table = ledger.cohort_table(by=list(data.by))
    with step("fitting churn by accounts, churn by money and expansion (compiles first)"):
        fitted = fit(table, seed=seed, sampler=_sampler(quick))
    with step("valuing new accounts and the book in force"):
        worth = value(fitted, Economics(**data.terms))
    comparison = compare(worth)
    with step(f"backtest: fitting the ledger as it stood {HOLDOUT} quarters ago, forecasting them"):
        tested = backtest(table, holdout=HOLDOUT, seed=seed, sampler=_sampler(True))
    truth = beside_truth(worth, data)
    return Demo(data, table, fitted, worth, comparison, tested, truth, time.perf_counter() - begun)


def _sampler(quick: bool) -> SamplerOptions:
    from lifeworth.results import SamplerOptions

    return SamplerOptions(draws=500, tune=300, chains=2) if quick else SamplerOptions(draws=500, tune=400, chains=4)


def beside_truth(value: Valuation, data: SaasDemo) -> pd.DataFrame:
    """The true CLTV of an account acquired at as_of beside the posterior.

    Returns
    -------
    DataFrame
        Columns: segment, truth, mean, expected_p10, expected_p90 (the parameter band), realised_p10, realised_p90 (the
        predictive band), inside_expected, inside_realised.
    """
    e = value.economics
    every = data.truth(
        gross_margin=data.terms["gross_margin"],
        discount_rate_annual=e.discount_rate_annual,
        horizon_years=e.horizon_years,
        timing=e.timing,
    )
    truth = every[every["cohort"] == "new"].set_index(list(data.by))["cltv"]
    table = value.table()
    rows = table[(table["cohort"] == "new") & (table["measure"] == "cltv")]
    expected, realised = (rows[rows["kind"] == kind].set_index(list(data.by)) for kind in ("parameter", "predictive"))
    found = pd.DataFrame({"truth": truth, "mean": expected["mean"]}).dropna()
    for name, band in (("expected", expected), ("realised", realised)):
        found[f"{name}_p10"], found[f"{name}_p90"] = band["p10"], band["p90"]
        found[f"inside_{name}"] = found["truth"].between(found[f"{name}_p10"], found[f"{name}_p90"])
    return found.reset_index()


def write(demo: Demo, folder: Path) -> None:
    """Write tables (CSV), pictures (PNG), the ledger (Parquet) and the fit to a folder."""
    from lifeworth import plot

    folder.mkdir(parents=True, exist_ok=True)
    frames = {
        "truth": demo.truth,
        "cells": demo.table.frame,
        "valuation": demo.value.table(),
        "comparison": demo.comparison.table(),
        "backtest": demo.backtest.table(),
        "forecasts": demo.backtest.forecasts(),
    }
    for name, frame in frames.items():
        frame.to_csv(folder / f"{name}.csv", index=False)
    demo.data.spells.to_parquet(folder / "ledger.parquet", index=False)
    demo.fit.save(folder / "fit")
    figures = (plot.survival(demo.fit), plot.bands(demo.value), plot.compare(demo.comparison))
    for name, figure in zip(PICTURES, figures, strict=True):
        figure.savefig(folder / f"{name}.png", dpi=150)
