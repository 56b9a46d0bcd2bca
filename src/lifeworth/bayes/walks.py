"""The steps of a walk with momentum and a changing variance, as one PyMC variable, without a loop."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from lifeworth._ops import Array
from lifeworth._parameters import Parameter


def declare_walk(p: Parameter, theta: Mapping[str, Array]) -> Array:
    """Declare the steps and return them.

    Data `<name>_observed` says which steps count: the others are before the walk began, and zero. Data
    `<name>_centred` is one where the sampler moves the steps themselves, as when the data pin them down, and zero
    where it moves standard innovations; what is believed is the same.
    """
    walk, size = p.walk, p.size or 0
    if walk is None or p.scale is None:
        raise TypeError(f"{p.name} is no walk.")
    observed = pm.Data(f"{p.name}_observed", np.ones(size), shape=(size,))
    centred = pm.Data(f"{p.name}_centred", np.zeros(1), shape=(1,))
    raw = pm.Flat(f"{p.name}_raw", shape=size)
    momentum = theta[walk.momentum] if walk.momentum else 0.0
    log_sd = pt.log(theta[p.scale])

    given = raw * observed  # centred: raw are the steps
    innovations = given - momentum * pt.concatenate([pt.zeros(1), given[:-1]])
    log_variance = _log_variance(innovations * observed, log_sd, walk.reaction, observed)
    is_centred = -0.5 * (innovations**2 * pt.exp(-log_variance) + log_variance)
    step_density = observed * pt.switch(centred > 0, is_centred, -0.5 * raw**2) - (1 - observed) * 0.5 * raw**2
    pm.Potential(f"{p.name}_prior", step_density.sum())

    grown = _shifted_total(observed * pt.log1p(walk.reaction * (raw**2 - 1)))  # not centred: raw are standard
    made = raw * observed * pt.exp(log_sd + 0.5 * grown)
    steps = centred * given + (1 - centred) * (_powers(momentum, size) @ made)
    return pm.Deterministic(p.name, steps)


def _log_variance(innovations: Array, log_sd: Array, reaction: float, observed: Array) -> Array:
    """Log variance of each innovation given those before it: weights of an exponential average, as one product."""
    if not reaction:
        return 2 * log_sd + pt.zeros_like(innovations)
    age = pt.cumsum(observed)  # steps that count, up to and with this one
    gap = age[:, None] - age[None, :]
    earlier = (gap > 0) * observed[None, :]
    weight = reaction * (1 - reaction) ** pt.maximum(gap - 1, 0) * earlier
    start = (1 - reaction) ** pt.maximum(age - 1, 0)
    return pt.log(start * pt.exp(2 * log_sd) + weight @ innovations**2)


def _shifted_total(values: Array) -> Array:
    """The sum of the values before each."""
    return pt.concatenate([pt.zeros(1), pt.cumsum(values)[:-1]])


def _powers(momentum: Array, size: int) -> Array:
    """Matrix that turns innovations into steps: momentum to the power of how long ago."""
    ago = np.subtract.outer(np.arange(size), np.arange(size))
    if isinstance(momentum, float):
        return np.eye(size)
    return pt.switch(ago >= 0, momentum ** np.maximum(ago, 0), 0.0)
