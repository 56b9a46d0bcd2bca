"""Calibration of the transactional models: what they made themselves, the sampler must find again."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from lifeworth._ops import Array
from lifeworth._parameters import Priors, Theta, draw_prior
from lifeworth._walk import Stand, walked
from lifeworth.bayes.diagnose import diagnose
from lifeworth.calibration.study import UNFITTED, Calibration, ranked
from lifeworth.calibration.world import Values
from lifeworth.errors import DefinitionError, FitError
from lifeworth.model import Pooling, freeze_priors
from lifeworth.purchase_fitting import PurchaseJob
from lifeworth.purchases import BGNBD, GammaGamma, PurchaseModel
from lifeworth.results import SamplerOptions, theta_of
from lifeworth.transactional.drift import Buckets
from lifeworth.transactional.model import CustomerIndex, CustomerShape, TransactionalModel, by_group, counts

_QUARTERS = 12
_SENSIBLE: dict[str, tuple[float, float]] = {
    "purchase_rate": (1.0, 12.0),
    "rate_variation": (0.5, 1.5),
    "mean_spend": (10.0, 100.0),
}


@dataclass(frozen=True, slots=True)
class CustomerDesign:
    """The customers simulated: evenly over segments and cohorts, the oldest observed for `ages` units of time.

    For the drift, `bucket_purchases` are expected in each of 12 quarters.
    """

    customers: int = 400
    segments: int = 2
    cohorts: int = 3
    ages: float = 2.0
    bucket_purchases: float = 200.0


def calibrate_purchases(
    *,
    purchases: PurchaseModel = BGNBD(),
    spend: GammaGamma | None = GammaGamma(),
    pooling: Pooling = "partial",
    drift: bool = True,
    priors: Priors | None = None,
    design: CustomerDesign | None = None,
    simulations: int = 200,
    seed: int | None = None,
    sampler: SamplerOptions = SamplerOptions(draws=250, tune=250, chains=2),
) -> Calibration:
    """Simulation-based calibration of a transactional model; see `calibrate`.

    Calibrated are the purchases, the spend and the drift, each with its own data, for every scalar, every deviation,
    and the log likelihood.

    Parameters
    ----------
    purchases, spend, pooling, drift, priors
        As in `fit_purchases`. Where no prior is given, the rate is 1 to 12 a year, its variation 0.5 to 1.5 and mean
        spend 10 to 100, so that the books are sensible ones.
    design : CustomerDesign, optional
        None is `CustomerDesign()`; six opportunities for BGBB.
    simulations, seed, sampler
        As in `calibrate`.

    Returns
    -------
    Calibration

    Raises
    ------
    DefinitionError
        Fewer than one simulation, or a prior names no parameter.
    """
    if simulations < 1:
        raise DefinitionError(f"simulations={simulations}: a whole number from 1 is needed.")
    seed = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else int(seed)
    design = design or CustomerDesign(ages=6.0 if counts(purchases) else 2.0)
    known = {p.name for own in (purchases, spend) if own for p in own.parameters}
    given = {name: interval for name, interval in _SENSIBLE.items() if name in known} | dict(priors or {})
    model = TransactionalModel(purchases, spend, pooling, drift, freeze_priors(given))
    book = Customers(model, design)
    model.check(book.shape)
    ranks: list[dict[str, object]] = []
    fits: list[dict[str, object]] = []
    for number in range(simulations):
        rng = np.random.default_rng([seed, number])
        for part in (*model.parts, *(("drift",) if drift else ())):
            row: dict[str, object] = {"simulation": number, "part": part}
            outcome, found = _attempt(book, part, rng, sampler)
            fits.append(row | outcome)
            ranks += [row | rank for rank in found]
    columns = ["simulation", "part", "quantity", "rank", "draws"]
    return Calibration(pd.DataFrame(ranks, columns=columns), pd.DataFrame(fits), model, design, seed)


@dataclass(frozen=True, slots=True)
class Customers:
    """Customers of a design whose parameters are drawn from the prior of a model."""

    model: TransactionalModel
    design: CustomerDesign

    @property
    def shape(self) -> CustomerShape:
        """Sizes of the model; one segment and cohort but under partial pooling."""
        d, shared = self.design, self.model.pooling == "partial"
        longest = int(d.ages) if counts(self.model.purchases) else 0
        return CustomerShape(d.segments if shared else 1, d.cohorts if shared else 1, longest)

    @property
    def groups(self) -> tuple[Array, Array]:
        """Segment and cohort of each customer."""
        i = np.arange(self.design.customers)
        return i % self.shape.segments, i // self.shape.segments % self.shape.cohorts

    def ages(self) -> Array:
        """Ages: cohorts begin one after the other, over the first half of the time observed."""
        cohort = np.arange(self.design.customers) // self.design.segments % self.design.cohorts
        ages = self.design.ages * (1 - 0.5 * cohort / max(self.design.cohorts - 1, 1))
        return np.floor(ages) if counts(self.model.purchases) else ages

    def buckets(self, rng: np.random.Generator, theta: dict[str, Array]) -> Buckets:
        """Purchases by bucket, drawn around those expected; the deviations drawn are put in `theta`."""
        expected = np.full(_QUARTERS, self.design.bucket_purchases)
        known = Buckets(expected, expected, per_year=4)
        sd, share = theta["calendar_sd"][:, 0], theta["calendar_persistence"][:, 0]
        stand = Stand(sd / np.sqrt(1 - share**2) * rng.standard_normal(1), sd**2)
        later = walked(rng.standard_normal((1, _QUARTERS - 1)), stand, share, 0.0)
        theta["calendar"] = np.column_stack([stand.step, later])
        level = theta["calendar_level"] + theta["calendar"] + theta["season"][:, known.time_of_year]
        alone = theta["bucket_noise"][0] * rng.standard_normal(_QUARTERS)
        return replace(known, seen=rng.poisson(expected * np.exp(level[0] + alone)).astype(float))


def _attempt(
    book: Customers, part: str, rng: np.random.Generator, sampler: SamplerOptions
) -> tuple[dict[str, object], list[dict[str, object]]]:
    """Simulate one part and fit it: how that went, and the ranks."""
    began, known, ranks, reason = time.perf_counter(), UNFITTED, [], ""
    index = CustomerIndex(((),), ("",), book.shape)
    table: Any = None
    job = PurchaseJob(table, index, book.model, int(rng.integers(2**31)), sampler)
    try:
        true, values, divergences = _drift(book, job, rng) if part == "drift" else _rows(book, job, part, rng)
        by_chain = {name: (("chain", "draw"), v.reshape(sampler.chains, -1)) for name, v in values.items()}
        (known,) = diagnose({part: xr.Dataset(by_chain)}, {part: divergences}).drop(columns="part").to_dict("records")
        ranks = ranked(true, values, min(known["ess_bulk"], known["ess_tail"]), rng)
    except (FitError, ValueError, ArithmeticError) as error:
        reason = f"{type(error).__name__}: {error}"
    outcome = {str(name): value for name, value in known.items()}
    return outcome | {"seconds": time.perf_counter() - began, "reason": reason}, ranks


def _rows(book: Customers, job: PurchaseJob, part: str, rng: np.random.Generator) -> tuple[Values, Values, int]:
    own, one = book.model.parts[part], np.ones(book.design.customers)
    theta = draw_prior(book.model.parameters(part, book.shape), rng, 1)
    each = by_group(own, theta, *book.groups)
    rows: Any
    if isinstance(own, GammaGamma):
        rows = own.draw_spend(rng.poisson(2.0, size=(1, len(one))), each, rng)
        rows = type(rows)(rows.frequency[0], rows.mean[0])
    else:
        drawn = own.draw_history(book.ages(), each, rng)
        rows = type(drawn)(drawn.frequency[0], drawn.recency[0], drawn.age[0])
    draws, divergences = job.sample_rows(part, rows, one, book.groups, 0)

    def values(theta: Theta) -> Values:
        like = np.concatenate(
            [own.log_likelihood(rows, by_group(own, part, *book.groups)).sum(axis=-1) for part in _blocks(theta)]
        )
        return {**_elements(theta), "log_likelihood": like}

    return values(theta), values(theta_of(draws)), divergences


def _drift(book: Customers, job: PurchaseJob, rng: np.random.Generator) -> tuple[Values, Values, int]:
    theta = draw_prior(book.model.drift_parameters(_QUARTERS, 4, 4), rng, 1)
    buckets = book.buckets(rng, theta)
    draws, _ = job.drift(job.ready(buckets))

    def values(theta: Theta) -> Values:
        return _elements({name: v for name, v in theta.items() if name != "calendar"}) | {
            "last_level": (theta["calendar_level"] + theta["calendar"])[:, -1],
            "first_level": (theta["calendar_level"] + theta["calendar"])[:, 0],
        }

    return values(theta), values(theta_of(draws)), 0


def _elements(theta: Theta) -> Values:
    """Every scalar and every element of a vector, by name."""
    found: dict[str, Array] = {}
    for name, value in theta.items():
        found |= {name if value.shape[1] == 1 else f"{name}[{i}]": value[:, i] for i in range(value.shape[1])}
    return found


def _blocks(theta: Theta) -> list[dict[str, Array]]:
    """Draws in blocks of fifty, as rows times draws may be many."""
    draws = len(next(iter(theta.values())))
    return [{name: v[i : i + 50] for name, v in theta.items()} for i in range(0, draws, 50)]
