"""Centred how far: each element of a hierarchical vector is sampled the way the data at hand call for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from lifeworth._ops import Array
from lifeworth._parameters import Parameter, Theta
from lifeworth.bayes.priors import zero_sum_basis

_STEP = 1e-3
_PINNED = 0.25


def centring(
    parameters: Iterable[Parameter],
    log_rate: Callable[[Theta], Array],
    events: NDArray[np.float64],
    counted: Mapping[str, NDArray[np.bool_]] | None = None,
) -> dict[str, NDArray[np.float64]]:
    """How far the data pin down the elements of each hierarchical vector, against its prior.

    The information that the events carry on a vector is read off the derivative of the log rate of each cell, with
    all other parameters at their prior medians. An element is centred by the share of its prior variance that the
    data take away (partial non-centring, e.g. Gorinova, Moore & Hoffman 2020); the steps of a walk whose variance
    changes are centred where that is three quarters for most of them.

    Parameters
    ----------
    parameters : iterable of Parameter
        All parameters of the model.
    log_rate : callable
        Log rate of each cell, (draws, cells), from parameter values with `draws` rows.
    events : array (cells,)
        Events, the weight of each cell.
    counted : mapping of str to bool array, optional
        Which elements of a zero-sum vector sum to zero; all of a vector that is not named.

    Returns
    -------
    dict of arrays
        `<name>_centred`, from 0 to 1, and for a zero-sum vector the `<name>_basis` it is sampled in.
    """
    every = tuple(parameters)
    medians = {p.name: _median(p) for p in every}
    chosen: dict[str, NDArray[np.float64]] = {}
    for p in every:
        if p.scale is None or p.size is None:
            continue
        moved = log_rate(_moved(medians, p.name, p.size))
        slope = (moved[1:] - moved[:1]) / _STEP
        if p.zero_sum:
            basis = zero_sum_basis((counted or {}).get(p.name, np.ones(p.size, dtype=bool)))
            chosen[f"{p.name}_basis"], slope = basis, basis.T @ slope
        prior = float(np.ravel(medians[p.scale])[0]) ** -2
        information = (slope * events) @ slope.T
        left = np.diag(np.linalg.inv(information + prior * np.eye(p.size))) * prior
        if p.walk:
            informed = np.diag(information) > 0
            chosen[f"{p.name}_centred"] = np.array([float(informed.any() and np.median(left[informed]) < _PINNED)])
        else:
            chosen[f"{p.name}_centred"] = 1 - left
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
