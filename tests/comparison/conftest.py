"""Worlds whose truth is known exactly, as ledgers and as fits: no sampler."""

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import lifeworth as lw
from lifeworth.expansion import Flat
from lifeworth.indexing import TableIndex
from lifeworth.model import Model
from lifeworth.results import Diagnostics, Fit, SamplerOptions

AS_OF = "2024-12-31"


def world(
    n: int, stay: Callable[[int], float], years: range, *, growth: float = 0.0, segment: str = "a", arpa: float = 1000.0
) -> pd.DataFrame:
    """Yearly cohorts of n accounts: at anniversary t + 1 exactly the share stay(t) stays and grows."""
    rows = []
    for year in years:
        left, amount, since = n, arpa, f"{year}-03-15"
        names = [f"{segment}{year}-{i}" for i in range(n)]
        for t, anniversary in enumerate(range(year + 1, 2025)):
            kept = round(left * stay(t))
            assert abs(kept - left * stay(t)) < 1e-9, "shares of whole accounts"
            then = f"{anniversary}-03-15"
            rows += [(name, since, then, amount, segment) for name in names[kept:left]]
            if growth:
                rows += [(name, since, then, amount, segment) for name in names[:kept]]
                since, amount = then, amount * (1 + growth)
            left = kept
            if not growth:
                since = f"{year}-03-15"
        rows += [(name, since, None, amount, segment) for name in names[:left]]
    return pd.DataFrame(rows, columns=["customer_id", "start", "end", "amount", "segment"])


def table_of(*frames: pd.DataFrame, by: tuple[str, ...] = (), **grid: str) -> lw.CohortTable:
    ledger = lw.Ledger.from_spells(pd.concat(frames), as_of=AS_OF, amount_per="year")
    return ledger.cohort_table(**{"period": "year", "cohort": "year", "calendar": "year"} | grid, by=list(by))


def known(
    table: lw.CohortTable,
    logo: Mapping[str, Any],
    *,
    churn: Any = None,
    money: Mapping[str, Any] | None = None,
    growth: Mapping[str, Any] | None = None,
    effects: tuple[Any, ...] = (),
    expansion: Any = None,
    pooling: str = "partial",
    draws: int = 8,
) -> Fit:
    """A fit from given draws: a number is every draw, an array of length `draws` each draw of each of two chains."""

    def dataset(theta: Mapping[str, Any]) -> xr.Dataset:
        held = {}
        for name, given in theta.items():
            value = np.asarray(given, dtype=float)
            varies = value.ndim >= 1 and value.shape[0] == draws
            shape = value.shape[1:] if varies else value.shape
            dims = ("chain", "draw", *(f"{name}_{i}" for i in range(len(shape))))
            held[name] = (dims, np.broadcast_to(value, (2, draws, *shape)).copy())
        return xr.Dataset(held, coords={"chain": range(2), "draw": range(draws)})

    parts = {"logo": dataset(logo)}
    if table.has_money:
        parts["money"] = dataset(money or logo)
    if growth:
        parts["expansion"] = dataset(growth)
    curve = expansion or (lw.Constant() if growth else Flat())
    model = Model(churn or lw.Geometric(), effects, curve, pooling)
    row = {"part": "logo", "r_hat": 1.0, "ess_bulk": 1e3, "ess_tail": 1e3, "divergences": 0, "draws": 2 * draws}
    return Fit(model, table, TableIndex.of(table), parts, Diagnostics(pd.DataFrame([row])), 3, SamplerOptions())


GROWTH = {"contraction_annual": 1e-300, "expansion_shock_sd": 0.1, "contraction_shock_sd": 0.1}


@pytest.fixture(scope="session")
def build() -> SimpleNamespace:
    """The functions of this module, for tests that make worlds of their own."""
    return SimpleNamespace(world=world, table=table_of, fit=known, growth=GROWTH)


@pytest.fixture(scope="session")
def even() -> lw.CohortTable:
    """80% of every cohort stay at every anniversary; no segments."""
    return table_of(world(625, lambda t: 0.8, range(2020, 2025)))


@pytest.fixture(scope="session")
def mixed() -> lw.CohortTable:
    """Two segments, 80% at 1,000 and 60% at 400."""
    years = range(2020, 2025)
    return table_of(
        world(625, lambda t: 0.8, years), world(625, lambda t: 0.6, years, segment="b", arpa=400.0), by=("segment",)
    )


@pytest.fixture(scope="session")
def mixed_fit(mixed) -> Fit:
    from lifeworth.effects import Segments

    level = np.log(-np.log([0.8, 0.6]))
    theta = {"first_churn": -np.expm1(-np.exp(level.mean())), "segment_sd": 0.3, "segment": level - level.mean()}
    return known(mixed, theta, effects=(Segments(),))
