"""The posterior mode of a few scalars: where a first look at the data is enough."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import optimize

from lifeworth._ops import Array
from lifeworth._parameters import Parameter, Theta


def posterior_mode(
    parameters: tuple[Parameter, ...], log_likelihood: Callable[[Theta], float], start: Array | None = None
) -> tuple[dict[str, Array], Array]:
    """The most plausible values of scalars, (1, 1) each, and where they lie for another search to start from.

    Parameters
    ----------
    parameters : tuple of Parameter
        Scalars, of links "log", "logit" or "identity".
    log_likelihood : callable
        From values (1, 1) by name to a number.
    start : array (parameters,), optional
        In standard deviations of the prior; None starts at its median.
    """

    def values(z: Array) -> dict[str, Array]:
        found = {}
        for p, x in zip(parameters, z, strict=True):
            location, sd = p.location_scale()
            found[p.name] = np.full((1, 1), p.natural(location + sd * x))
        return found

    def loss(z: Array) -> float:
        height = log_likelihood(values(z))
        return float(0.5 * (z**2).sum() - height) if np.isfinite(height) else 1e12

    at = np.zeros(len(parameters)) if start is None else start
    found = optimize.minimize(loss, at, method="L-BFGS-B", bounds=[(-6.0, 6.0)] * len(at))
    return values(found.x), np.asarray(found.x)
