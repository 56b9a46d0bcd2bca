"""Sampling: a model is compiled once per definition and shape, and given new data after that."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import nutpie
import pytensor
import xarray as xr

from lifeworth._parameters import Parameter
from lifeworth.bayes.build import expansion_model, hazard_model
from lifeworth.churn import Geometric
from lifeworth.effects import CalendarWalk, Shape
from lifeworth.errors import FitError
from lifeworth.expansion import Flat
from lifeworth.model import Model
from lifeworth.results import SamplerOptions

compiling = threading.Lock()
"""Held while a model is compiled: PyTensor compiles one at a time."""


@lru_cache(maxsize=64)
def _compiled(kind: Literal["hazard", "expansion"], model: Model, shape: Shape) -> Any:
    build = hazard_model if kind == "hazard" else expansion_model
    with pytensor.config.change_flags(numba__fastmath=False):
        return nutpie.compile_pymc_model(build(model, shape))


def compiled(kind: Literal["hazard", "expansion"], model: Model, shape: Shape) -> Any:
    """The compiled model, from the cache where one of the same definition and shape was compiled before.

    Parts of the definition that this kind of model does not read make no difference. Floating-point operations keep
    the order they are written in: reordered, code compiled now and the same code from a cache differ in the last bits.
    """
    calendar = (CalendarWalk(),) if any(isinstance(effect, CalendarWalk) for effect in model.effects) else ()
    unread = {"expansion": Flat()} if kind == "hazard" else {"churn": Geometric(), "effects": calendar}
    read = replace(model, pooling="partial", **unread)
    columns = shape.columns if "levels" in read.uses else ()
    with compiling:
        return _compiled(kind, read, replace(shape, columns=columns, longest_term=min(shape.longest_term, 2)))


def sample(
    model: Any, data: Mapping[str, np.ndarray], parameters: tuple[Parameter, ...], seed: int, options: SamplerOptions
) -> tuple[xr.Dataset, int]:
    """Draws of the parameters in natural units (dims chain, draw, <name>_at) and the number of divergences.

    Of the positions of cells the model takes those it reads: a term or a level of its segment column keeps cells of
    different segments apart, and need not read the segment itself.
    """
    known = {variable.name for variable in model.shared_var_keys}
    read = {name: values for name, values in data.items() if name in known or not name.endswith("_position")}
    try:
        tree = nutpie.sample(
            model.with_data(**read),
            draws=options.draws,
            tune=options.tune,
            chains=options.chains,
            cores=options.cores or min(options.chains, os.cpu_count() or 1),
            target_accept=options.target_accept,
            seed=seed,
            progress_bar=options.progress,
        )
    except RuntimeError as error:
        raise FitError(f"the sampler could not start or go on: {error}") from error
    posterior = tree.posterior.to_dataset()
    kept = posterior[[p.name for p in parameters]]
    kept = kept.rename({d: f"{n}_at" for n, v in kept.data_vars.items() for d in v.dims[2:]})
    return kept.drop_vars([c for c in kept.coords if c not in ("chain", "draw")]), int(
        tree.sample_stats["diverging"].sum()
    )
