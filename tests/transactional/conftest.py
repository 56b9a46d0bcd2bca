"""A fit of CDNOW whose every draw is near the published one: no sampler."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from lifeworth.ledger import Ledger
from lifeworth.ledger.datasets import cdnow
from lifeworth.purchases import BGNBD, WEEKS_PER_YEAR, GammaGamma
from lifeworth.results import Diagnostics, SamplerOptions
from lifeworth.transactional.buckets import observed_buckets
from lifeworth.transactional.model import CustomerIndex, TransactionalModel
from lifeworth.transactional.results import PurchaseFit

CHAINS, DRAWS = 2, 50


def dataset(values: dict[str, np.ndarray]) -> xr.Dataset:
    """Draws (chains x draws, size) as they are stored."""
    found = {}
    for name, v in values.items():
        by_chain = v.reshape(CHAINS, DRAWS, *v.shape[1:])
        found[name] = (
            (("chain", "draw", f"{name}_at"), by_chain) if v.shape[1] > 1 else (("chain", "draw"), by_chain[..., 0])
        )
    return xr.Dataset(found, coords={"chain": range(CHAINS), "draw": range(DRAWS)})


def around(point: dict[str, float], sd: float, rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {name: value * np.exp(sd * rng.standard_normal((CHAINS * DRAWS, 1))) for name, value in point.items()}


@pytest.fixture(scope="session")
def purchase_ledger():
    book = cdnow(sample=True)
    return Ledger.from_transactions(book.transactions, as_of=book.as_of, currency="USD")


@pytest.fixture(scope="session")
def made_fit():
    """A function that makes a PurchaseFit of a table with draws around the published parameters."""

    def make(table, *, sd=0.02, level=0.0, drift=True, steps=0.02) -> PurchaseFit:
        rng = np.random.default_rng(5)
        purchases = BGNBD.from_classic(0.2426, 4.4136, 0.7929, 2.4259, units_per_year=WEEKS_PER_YEAR)
        draws = {
            "purchases": dataset(around(purchases, sd, rng)),
            "spend": dataset(around(GammaGamma.from_classic(6.2496, 3.7442, 15.4435), sd, rng)),
        }
        model = TransactionalModel(BGNBD(), GammaGamma(), pooling="complete", drift=drift)
        row = {"part": "purchases", "r_hat": 1.0, "ess_bulk": 1e3, "ess_tail": 1e3, "divergences": 0, "draws": 100}
        fit = PurchaseFit(
            model=model,
            table=table,
            index=CustomerIndex.of(table, model),
            draws=draws,
            diagnostics=Diagnostics(pd.DataFrame([row])),
            seed=1,
            options=SamplerOptions(),
        )
        if not drift:
            return fit
        buckets = observed_buckets(model.purchases, table, fit.index, fit.theta("purchases"))
        path = steps * rng.standard_normal((CHAINS * DRAWS, len(buckets.seen)))
        path[:, -1] += level
        known = {"calendar_sd": steps, "calendar_persistence": 0.9, "bucket_noise": 0.05}
        path = {"calendar": path, "calendar_level": np.zeros((CHAINS * DRAWS, 1))}
        return replace(fit, buckets=buckets, draws=draws | {"drift": dataset(around(known, 0.0, rng) | path)})

    return make


@pytest.fixture(scope="session")
def held_out(purchase_ledger):
    """CDNOW's sample as it was known after 39 weeks, with what came later."""
    return purchase_ledger.purchase_table(cohort="month", as_of="1997-09-30")
