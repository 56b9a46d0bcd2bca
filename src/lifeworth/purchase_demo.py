"""The demo of customers without a contract: CDNOW by monthly cohort, fitted to 39 weeks and held against the next."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from lifeworth.backtesting.tracking import ByFrequency, Tracking
    from lifeworth.scoring import Scores
    from lifeworth.transactional.comparison import PurchaseComparison
    from lifeworth.transactional.results import PurchaseFit
    from lifeworth.transactional.value import PurchaseValuation

type Step = Callable[[str], AbstractContextManager[None]]

GROSS_MARGIN: Final = 0.30
DISCOUNT_RATE: Final = 0.15
"""Margin and discount rate of Fader, Hardie & Lee (2005), J. Marketing Research 42(4), on these customers."""
PICTURES: Final = ("tracking", "frequency_bins")


@dataclass(frozen=True, slots=True, eq=False)
class PurchaseDemo:
    """What the demo made.

    Parameters
    ----------
    fit, value, scores, tracking, bins, comparison
        The results of the chain.
    seconds : float
        How long it took.
    """

    fit: PurchaseFit
    value: PurchaseValuation
    scores: Scores
    tracking: Tracking
    bins: ByFrequency
    comparison: PurchaseComparison
    seconds: float


def run(*, seed: int, quick: bool, step: Step) -> PurchaseDemo:
    """Run the chain: ledger, distinct histories, fit, value, scores, holdout, comparison.

    Parameters
    ----------
    seed : int
        Of the sampler.
    quick : bool
        The published sample of 2,357 customers, and fewer draws.
    step : callable
        Given what is done next, returns a context to do it in.
    """
    from lifeworth.backtesting.tracking import by_frequency, track
    from lifeworth.economics import Economics
    from lifeworth.ledger import Ledger, datasets
    from lifeworth.purchase_fitting import fit_purchases
    from lifeworth.results import SamplerOptions
    from lifeworth.transactional.comparison import compare_purchases
    from lifeworth.transactional.score import score_purchases
    from lifeworth.transactional.value import value_purchases

    begun = time.perf_counter()
    with step("reading CDNOW, counting it into distinct histories by monthly cohort"):
        book = datasets.cdnow(sample=quick)
        ledger = Ledger.from_transactions(book.transactions, as_of=book.as_of, currency="USD")
        table = ledger.purchase_table(grid="week", cohort="month", as_of=book.calibration_end)
    options = SamplerOptions(draws=300 if quick else 500, tune=300 if quick else 400, chains=2, target_accept=0.95)
    with step(f"fitting {table.customers.sum():,.0f} customers: purchases, spend and drift (compiles first)"):
        fit = fit_purchases(table, seed=seed, sampler=options)
    terms = Economics(gross_margin=GROSS_MARGIN, discount_rate_annual=DISCOUNT_RATE, horizon_years=5.0, currency="USD")
    with step("valuing the customers and those to come"):
        value = value_purchases(fit, terms)
    with step("scoring every customer"):
        scores = score_purchases(value, ledger)
    with step("holding the forecast against weeks 40 to 78"):
        tracked, bins = track(fit), by_frequency(fit)
    with step("point estimates by lifetimes"):
        comparison = compare_purchases(value)
    return PurchaseDemo(fit, value, scores, tracked, bins, comparison, time.perf_counter() - begun)


def write(demo: PurchaseDemo, folder: Path) -> None:
    """Write tables (CSV), customers (Parquet), pictures (PNG) and the fit to a folder."""
    from lifeworth import plot

    folder.mkdir(parents=True, exist_ok=True)
    frames = {
        "valuation": demo.value.table(),
        "tracking": demo.tracking.units,
        "by_frequency": demo.bins.units,
        "lifetimes_steps": demo.comparison.steps,
        "lifetimes_parameters": demo.comparison.parameters,
    }
    for name, frame in frames.items():
        frame.to_csv(folder / f"{name}.csv", index=False)
    demo.scores.to_parquet(folder / "customers.parquet")
    demo.fit.save(folder / "fit")
    for name, figure in zip(PICTURES, (plot.tracking(demo.tracking), plot.frequency_bins(demo.bins)), strict=True):
        figure.savefig(folder / f"{name}.png", dpi=150)
