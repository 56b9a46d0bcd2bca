"""What the sampler does, and what its two tricks are worth: `sampler.py [goal | tricks] [--draws N]`.

goal: 36 monthly cohorts x 3 segments x 36 months with the calendar walk, compiled before: seconds, least effective
size, divergences. tricks: 30 segments, about 6,000 cells: the curve evaluated once per tenure and gathered against once
per cell, and vectors centred as far as their data pin them down against non-centred ones.
"""

import argparse
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import numpy as np
import nutpie
import pandas as pd

import lifeworth as lw
from lifeworth import fitting, model
from lifeworth.bayes import build, sample
from lifeworth.bayes.diagnose import diagnose
from lifeworth.calibration import Design
from lifeworth.calibration.world import World, book
from lifeworth.indexing import TableIndex

DEFAULT = (lw.Segments(), lw.CalendarWalk(), lw.CohortDecay())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("goal", "tricks"), help="both without it")
    parser.add_argument("--draws", type=int, default=1000)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, load {os.getloadavg()[0]:.1f}")
    sampler = lw.SamplerOptions(draws=options.draws)
    if options.what != "tricks":
        goal(sampler)
    if options.what != "goal":
        tricks(sampler)


def goal(sampler: lw.SamplerOptions) -> None:
    data = lw.datasets.saas(seed=1)
    ledger = lw.Ledger.from_spells(data.spells, as_of=data.as_of, acquired="acquired")
    table = ledger.cohort_table(cohort="month", by=["segment"])
    print(f"\n## goal: {table.frame['cohort'].nunique()} cohorts, {len(table.frame):,} cells")
    for run in ("compiles", "compiled"):
        with sampling_time() as seconds:
            fit = lw.fit(table, seed=2, sampler=sampler)
        print(f"{run}: sampling {sum(seconds):.0f} s, parts {', '.join(f'{s:.1f}' for s in seconds)}")
    print(fit.diagnostics.table.round(3).to_string(index=False))


def tricks(sampler: lw.SamplerOptions) -> None:
    table = book(Design(segments=30, cohorts=12, tenures=24, accounts=300))
    for curve in (lw.Smooth(), lw.BetaDiscreteWeibull()):
        definition = model.Model(curve, DEFAULT, lw.Flat())
        world = World.of(table, definition)
        lived = world.happen("logo", typical(definition, world.index), table, np.random.default_rng(5))
        job = fitting.Job(lived, TableIndex.of(lived), definition, 3, sampler)
        cells = job.cells()
        print(f"\n## tricks: {type(curve).__name__}, {len(cells):,} cells, {job.index.shape.segments} segments")
        rows = [timed("as it is", job, cells)]
        with patch.object(build, "log_retention", curve_per_cell(cells["tenure"].to_numpy())):
            sample._compiled.cache_clear()
            rows.append(timed("curve per cell", job, cells))
        sample._compiled.cache_clear()
        if curve == lw.Smooth():
            with patch.object(fitting, "centring", non_centred(fitting.centring)):
                rows.append(timed("all non-centred", job, cells))
        print(pd.DataFrame(rows).round(3).to_string(index=False), flush=True)


def typical(definition: model.Model, index: TableIndex) -> dict[str, np.ndarray]:
    """A draw from the middle of the prior: scales at their medians, vectors at random."""
    from lifeworth._parameters import draw_prior

    parameters = definition.hazard_parameters(index.shape)
    drawn = draw_prior(parameters, np.random.default_rng(4), 401)
    return {
        p.name: np.median(drawn[p.name], axis=0)[None] if p.scale is None else drawn[p.name][:1] for p in parameters
    }


def timed(name: str, job: fitting.Job, cells: pd.DataFrame) -> dict[str, Any]:
    replace(job, options=replace(job.options, draws=20, tune=50)).hazard(cells, 0)  # compiles
    with sampling_time() as seconds, gradients() as count:
        spent = time.process_time()
        draws, divergences = job.hazard(cells, 0)
        spent = time.process_time() - spent
    found = diagnose({"logo": draws}, {"logo": divergences}).iloc[0]
    return {
        "what": name,
        "seconds": sum(seconds),
        "cpu": spent,
        "cpu_us_per_gradient": 1e6 * spent / max(sum(count), 1),
        "gradients": sum(count),
        "least_ess": min(found["ess_bulk"], found["ess_tail"]),
        "ess_per_cpu_s": min(found["ess_bulk"], found["ess_tail"]) / spent,
        "r_hat": found["r_hat"],
        "divergences": divergences,
        "load": os.getloadavg()[0],
    }


def non_centred(centring: Callable[..., dict[str, np.ndarray]]) -> Callable[..., dict[str, np.ndarray]]:
    def made(*args: Any) -> dict[str, np.ndarray]:
        found = centring(*args)
        return {name: v * 0.0 if name.endswith("_centred") else v for name, v in found.items()}

    return made


def curve_per_cell(tenure: np.ndarray) -> Callable[..., Any]:
    def log_retention(churn: Any, effects: Any, theta: Any, cells: Any, tenures: int, ops: Any) -> Any:
        eta = sum((effect.eta(theta, cells, ops) for effect in effects), start=0.0)
        return ops.exp(eta) * churn.log_retention(tenure, theta, ops)

    return log_retention


@contextmanager
def sampling_time() -> Iterator[list[float]]:
    """Seconds of each call of the sampler inside."""
    seconds: list[float] = []
    sample = nutpie.sample

    def timed_sample(*args: Any, **kwargs: Any) -> Any:
        begun = time.perf_counter()
        found = sample(*args, **kwargs)
        seconds.append(time.perf_counter() - begun)
        return found

    with patch.object(nutpie, "sample", timed_sample):
        yield seconds


@contextmanager
def gradients() -> Iterator[list[int]]:
    """Gradient evaluations of each call of the sampler inside, warm-up too."""
    counts: list[int] = []
    sample = nutpie.sample

    def counted(*args: Any, **kwargs: Any) -> Any:
        tree = sample(*args, **kwargs)
        groups = [tree[g] for g in ("sample_stats", "warmup_sample_stats") if g in tree.children]
        counts.append(int(sum(group["n_steps"].sum() for group in groups)))
        return tree

    with patch.object(nutpie, "sample", counted):
        yield counts


if __name__ == "__main__":
    main()
