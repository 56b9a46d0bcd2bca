"""Random variables of a PyMC model from stated parameters."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pymc as pm
from numpy.typing import NDArray

from lifeworth._ops import Array
from lifeworth._parameters import Parameter
from lifeworth.bayes.ops import PYTENSOR
from lifeworth.bayes.walks import declare_walk


def declare(parameters: Iterable[Parameter]) -> dict[str, Array]:
    """Declare every parameter in the current model and return its values in natural units.

    A parameter with a `scale` is sampled centred as far as the data pin it down: the data vector `<name>_centred`
    says how far, element by element, from 0 to 1, and can be exchanged without compiling again.
    """
    theta: dict[str, Array] = {}
    for p in parameters:
        if p.walk:
            theta[p.name] = declare_walk(p, theta)
        else:
            theta[p.name] = _hierarchical(p, theta[p.scale]) if p.scale else _plain(p)
    return theta


def zero_sum_basis(counted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Matrix that takes standard normals to a vector of which the counted elements sum to zero.

    The counted elements have the law of independent ones less their mean; the others are left alone.

    Parameters
    ----------
    counted : bool array (size,)

    Returns
    -------
    array (size, size)

    Examples
    --------
    >>> np.abs(zero_sum_basis(np.array([True, True, False])).round(3))
    array([[0.707, 0.   , 0.   ],
           [0.707, 0.   , 0.   ],
           [0.   , 0.   , 1.   ]])
    """
    at, basis = np.flatnonzero(counted), np.eye(len(counted))
    towards = np.full(len(at), len(at) ** -0.5)
    towards[-1] += 1  # the reflection that takes the last axis to the mean
    reflection = np.eye(len(at)) - 2 * np.outer(towards, towards) / (towards @ towards)
    reflection[:, -1] = 0.0
    basis[np.ix_(at, at)] = reflection
    return basis


def _plain(p: Parameter) -> Array:
    location, sd = p.location_scale()
    if p.link == "half":
        return pm.HalfNormal(p.name, sd)
    linked = pm.Normal(f"{p.name}_{p.link}", location, sd, shape=p.size or ())
    return pm.Deterministic(p.name, p.natural(linked, PYTENSOR))


def _hierarchical(p: Parameter, scale: Array) -> Array:
    size = 1 if p.size is None else p.size
    centred = pm.Data(f"{p.name}_centred", np.zeros(size), shape=(size,))
    moved = pm.Normal(f"{p.name}_raw", 0, scale**centred, shape=p.size) * scale ** (1 - centred)
    if p.zero_sum:
        moved = pm.Data(f"{p.name}_basis", zero_sum_basis(np.ones(size, dtype=bool)), shape=(size, size)) @ moved
    return pm.Deterministic(p.name, moved)
