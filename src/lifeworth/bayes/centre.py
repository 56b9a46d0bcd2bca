"""Centred or not: each element of a hierarchical vector is sampled the way the data at hand call for."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from lifeworth._ops import Array
from lifeworth._parameters import Parameter, Theta

_STEP = 1e-3


def centring(
    parameters: Iterable[Parameter], log_rate: Callable[[Theta], Array], events: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Which elements of each hierarchical vector the data pin down better than its prior does.

    The information that the events carry on a vector is read off the derivative of the log rate of each cell, with
    all other parameters at their prior medians. An element is centred where it would shrink the prior variance by
    more than three quarters.

    Parameters
    ----------
    parameters : iterable of Parameter
        All parameters of the model.
    log_rate : callable
        Log rate of each cell, (draws, cells), from parameter values with `draws` rows.
    events : array (cells,)
        Events, the weight of each cell.

    Returns
    -------
    dict of arrays
        `<name>_centred`: ones and zeros; one for all of a zero-sum vector, as most of its observed elements are.
    """
    every = tuple(parameters)
    medians = {p.name: _median(p) for p in every}
    chosen: dict[str, NDArray[np.float64]] = {}
    for p in every:
        if p.scale is None or p.size is None:
            continue
        moved = log_rate(_moved(medians, p.name, p.size))
        slope = (moved[1:] - moved[:1]) / _STEP
        prior = float(np.ravel(medians[p.scale])[0]) ** -2
        information = (slope * events) @ slope.T
        variance = np.diag(np.linalg.inv(information + prior * np.eye(p.size)))
        pinned = variance * prior < 0.25
        if p.zero_sum:
            observed = np.diag(information) > 0
            pinned = np.array([pinned[observed].mean() > 0.5 if observed.any() else False])
        chosen[f"{p.name}_centred"] = pinned.astype(float)
    return chosen


def _median(p: Parameter) -> Array:
    if p.scale is not None:
        return np.zeros((1, p.size or 1))
    location, sd = p.location_scale()
    value = 0.6745 * sd if p.link == "half" else p.natural(np.asarray(location))
    return np.full((1, p.size or 1), value)


def _moved(medians: Theta, name: str, size: int) -> dict[str, Array]:
    """All parameters at their medians, in size + 1 rows; each row but the first moves one element of one."""
    rows = {key: np.repeat(value, size + 1, axis=0) for key, value in medians.items()}
    rows[name] = np.vstack([np.zeros(size), np.eye(size) * _STEP])
    return rows
