"""Stacking: the mixture of candidates that would have predicted best."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from lifeworth.errors import DataError

type Floats = NDArray[np.float64]


def stacking_weights(log_density: Floats) -> Floats:
    """Weights of a mixture of predictive densities that maximise its mean log score.

    The maximum of (1/n) sum_i log sum_k w_k p_k(y_i) over the simplex; the objective is concave. A candidate that adds
    nothing to the others gets zero, however good it is alone.

    Parameters
    ----------
    log_density : array (units, candidates)
        Log predictive density of what happened in each unit, without that unit having been seen.

    Returns
    -------
    array (candidates,)
        Not negative, with sum 1.

    Raises
    ------
    DataError
        A density is not a number, or in some unit no candidate has any.

    Source: Yao, Vehtari, Simpson & Gelman (2018), Bayesian Analysis 13, eq. 4.

    Examples
    --------
    Two candidates that are each sure of one of two units share the weight:

    >>> stacking_weights(np.array([[0.0, -9.0], [-9.0, 0.0]])).round(3).tolist()
    [0.5, 0.5]
    """
    best = log_density.max(axis=1, keepdims=True) if log_density.size else np.array([[np.nan]])
    if not np.isfinite(best).all() or np.isnan(log_density).any():
        raise DataError("no candidate gives what happened in some unit a density: there is nothing to weigh.")
    density, n = np.exp(log_density - best), log_density.shape[1]
    if n == 1:
        return np.ones(1)

    def mixed(weights: Floats) -> Floats:
        return np.maximum(density @ weights, 1e-300)

    def loss(weights: Floats) -> float:
        return -float(np.log(mixed(weights)).mean())

    def slope(weights: Floats) -> Floats:
        return np.asarray(-(density / mixed(weights)[:, None]).mean(axis=0))

    found = optimize.minimize(
        loss,
        np.full(n, 1 / n),
        method="SLSQP",
        jac=slope,
        bounds=[(0.0, 1.0)] * n,
        constraints=optimize.LinearConstraint(np.ones((1, n)), 1.0, 1.0),
        options={"ftol": 1e-12, "maxiter": 1000},
    )
    weights = np.clip(found.x, 0.0, None)
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def mixture_draws(weights: Floats, draws: int, rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """Which draws of each candidate make up a mixture of as many draws as one candidate has.

    In proportion to the weights, rounded so that they add up (largest remainders); taken without replacement, in the
    order they were drawn.

    Parameters
    ----------
    weights : array (candidates,)
    draws : int
        Draws of each candidate.
    rng : Generator

    Returns
    -------
    list of int arrays, one a candidate

    Examples
    --------
    >>> [len(at) for at in mixture_draws(np.array([0.25, 0.75]), 10, np.random.default_rng(1))]
    [3, 7]
    """
    share = weights / weights.sum() * draws
    counts = np.floor(share).astype(np.int64)
    late = np.argsort(counts - share, kind="stable")[: draws - int(counts.sum())]
    counts[late] += 1
    return [np.sort(rng.choice(draws, size=int(n), replace=False)) for n in counts]
