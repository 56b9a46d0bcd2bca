"""PyMC models of purchases and of spend; everything a table can change is data."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import nutpie
import pymc as pm
import pytensor

from lifeworth._ops import Array
from lifeworth.bayes.ops import PYTENSOR
from lifeworth.bayes.priors import declare
from lifeworth.bayes.sample import compiling
from lifeworth.purchases import GammaGamma, History, Spend
from lifeworth.transactional.model import CustomerShape, TransactionalModel, by_group


@lru_cache(maxsize=64)
def _compiled(model: TransactionalModel, part: str, shape: CustomerShape) -> Any:
    with pytensor.config.change_flags(numba__fastmath=False):
        return nutpie.compile_pymc_model(rows_model(model, part, shape))


def compiled_rows(model: TransactionalModel, part: str, shape: CustomerShape) -> Any:
    """The compiled model of `purchases` or `spend`; one of the same definition, priors and shape is compiled once."""
    own = model.parts[part]
    names = {p.name for p in model.parameters(part, shape)}
    read = TransactionalModel(
        purchases=model.purchases,
        spend=own if isinstance(own, GammaGamma) else None,
        drift=False,
        priors=tuple(pair for pair in model.priors if pair[0] in names),
    )
    with compiling:
        return _compiled(read, part, shape)


def rows_model(model: TransactionalModel, part: str, shape: CustomerShape) -> pm.Model:
    """Distinct rows, each weighted with its customers; the likelihood is the definition's own."""
    own = model.parts[part]
    with pm.Model() as built:
        names = ("frequency", "mean") if isinstance(own, GammaGamma) else ("frequency", "recency", "age")
        rows = [_vector(name) for name in names]
        customers = _vector("customers")
        segment, cohort = (
            _positions(name) if size > 1 else np.zeros(1, dtype=np.int64)
            for name, size in (("segment", shape.segments), ("cohort", shape.cohorts))
        )
        theta = by_group(own, declare(model.parameters(part, shape)), segment, cohort, PYTENSOR)
        if isinstance(own, GammaGamma):
            each = own.log_likelihood(Spend(rows[0], rows[1]), theta, PYTENSOR)
        else:
            each = own.log_likelihood(History(rows[0], rows[1], rows[2], most=shape.longest or None), theta, PYTENSOR)
        pm.Potential(part, (customers * each).sum())
    return built


def _vector(name: str) -> Array:
    return pm.Data(name, np.ones(1), shape=(None,))


def _positions(name: str) -> Array:
    return pm.Data(f"{name}_position", np.zeros(1, dtype=np.int64), shape=(None,))
