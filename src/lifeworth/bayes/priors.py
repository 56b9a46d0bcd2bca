"""Random variables of a PyMC model from stated parameters."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pymc as pm

from lifeworth._ops import Array
from lifeworth._parameters import Parameter
from lifeworth.bayes.ops import PYTENSOR


def declare(parameters: Iterable[Parameter]) -> dict[str, Array]:
    """Declare every parameter in the current model and return its values in natural units.

    A parameter with a `scale` is sampled centred where the data pin it down and non-centred elsewhere: the data
    vector `<name>_centred` says which, element by element, and can be exchanged without compiling again.
    """
    theta: dict[str, Array] = {}
    for p in parameters:
        theta[p.name] = _hierarchical(p, theta[p.scale]) if p.scale else _plain(p)
    return theta


def _plain(p: Parameter) -> Array:
    location, sd = p.location_scale()
    if p.link == "half":
        return pm.HalfNormal(p.name, sd)
    linked = pm.Normal(f"{p.name}_{p.link}", location, sd, shape=p.size or ())
    return pm.Deterministic(p.name, p.natural(linked, PYTENSOR))


def _hierarchical(p: Parameter, scale: Array) -> Array:
    elements = 1 if p.zero_sum or p.size is None else p.size
    centred = pm.Data(f"{p.name}_centred", np.zeros(elements), shape=(elements,))
    sd, factor = centred * scale + (1 - centred), (1 - centred) * scale + centred
    if p.zero_sum:
        raw = pm.ZeroSumNormal(f"{p.name}_raw", sigma=sd, shape=p.size)
    else:
        raw = pm.Normal(f"{p.name}_raw", 0, sd, shape=p.size)
    return pm.Deterministic(p.name, raw * factor)
