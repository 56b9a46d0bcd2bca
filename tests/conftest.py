"""Fixtures for every room."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import optimize, special

import lifeworth as lw
from lifeworth._parameters import draw_prior


@pytest.fixture(scope="session")
def shared() -> Path:
    path = Path(__file__).resolve().parents[2] / "shared"
    if not path.is_dir():
        pytest.skip(f"real data are not here: {path}")
    return path


@pytest.fixture(scope="session")
def constant_spells() -> pd.DataFrame:
    """Annual contracts of two segments over four years: exactly 20% and 40% leave at each anniversary."""
    rows = []
    for segment, amount, stay in (("a", 1000.0, 0.8), ("b", 400.0, 0.6)):
        for year in range(2020, 2025):
            left = 625  # both shares stay whole for four years
            ends = []
            for anniversary in range(year + 1, 2025):
                gone = round(left * (1 - stay))
                ends += [f"{anniversary}-03-15"] * gone
                left -= gone
            ends += [None] * left
            rows += [(f"{segment}{year}-{i}", f"{year}-03-15", end, amount, segment) for i, end in enumerate(ends)]
    return pd.DataFrame(rows, columns=["customer_id", "start", "end", "amount", "segment"])


@pytest.fixture(scope="session")
def constant_ledger(constant_spells):
    return lw.Ledger.from_spells(constant_spells, as_of="2024-12-31", amount_per="year")


@pytest.fixture(scope="session")
def constant_fit(constant_ledger):
    """A function that makes a Fit of that world whose every draw is the truth."""
    from lifeworth.effects import Segments
    from lifeworth.expansion import Flat
    from lifeworth.indexing import TableIndex
    from lifeworth.model import Model
    from lifeworth.results import Diagnostics, Fit, SamplerOptions

    table = constant_ledger.cohort_table(period="year", cohort="year", by=["segment"])

    def make() -> Fit:
        level = np.log(-np.log([0.8, 0.6]))
        draws = xr.Dataset(
            {
                "first_churn": (("chain", "draw"), np.full((2, 50), -np.expm1(-np.exp(level.mean())))),
                "segment_sd": (("chain", "draw"), np.full((2, 50), 0.3)),
                "segment": (("chain", "draw", "segment_at"), np.tile(level - level.mean(), (2, 50, 1))),
            },
            coords={"chain": range(2), "draw": range(50)},
        )
        row = {"part": "logo", "r_hat": 1.0, "ess_bulk": 1e3, "ess_tail": 1e3, "divergences": 0, "draws": 100}
        return Fit(
            model=Model(lw.Geometric(), (Segments(),), Flat()),
            table=table,
            index=TableIndex.of(table),
            draws={"logo": draws, "money": draws},
            diagnostics=Diagnostics(pd.DataFrame([row, row | {"part": "money"}])),
            seed=1,
            options=SamplerOptions(),
        )

    return make


@pytest.fixture(scope="session")
def counts_fit(constant_fit):
    """The same truth on a table of counts, without calendar and money."""
    fit = constant_fit()
    frame = fit.table.frame.groupby(["cohort", "segment", "tenure"], as_index=False)[["at_risk", "churned"]].sum()
    table = lw.CohortTable.from_counts(frame, period="year")
    index = type(fit.index).of(table)
    return replace(fit, table=table, index=index, draws={"logo": fit.draws["logo"]})


@pytest.fixture(scope="session")
def maximise():
    """A function that gives the maximum of `log_likelihood`, from the prior medians: (parameters, its value)."""

    def maximise(parameters, log_likelihood):
        def natural(linked):
            pairs = zip(parameters, linked, strict=True)
            return {p.name: special.expit(v) if p.link == "logit" else np.exp(v) for p, v in pairs}

        def loss(linked):
            return -log_likelihood(natural(linked))

        start = np.array([p.location_scale()[0] for p in parameters])
        found = optimize.minimize(loss, start, method="L-BFGS-B", bounds=[(v - 6, v + 6) for v in start])
        options = {"maxiter": 4000, "maxfev": 4000, "xatol": 1e-7, "fatol": 1e-9}
        found = optimize.minimize(loss, found.x, method="Nelder-Mead", options=options)
        return natural(found.x), -found.fun

    return maximise


@pytest.fixture(scope="session")
def prior_theta():
    """A function that draws the parameters of a model from their prior, (draws, 1) each."""

    def prior_theta(model, draws=50, seed=1):
        return draw_prior(model.parameters, np.random.default_rng(seed), draws)

    return prior_theta


@pytest.fixture(scope="session")
def medians():
    """A function that gives the prior medians of a model as numbers."""

    def medians(model):
        return {p.name: float(p.natural(np.asarray(p.location_scale()[0]))) for p in model.parameters}

    return medians
