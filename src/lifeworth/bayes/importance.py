"""Draws of a few scalars from their posterior by importance: for models whose vectors are integrated out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from scipy import special, stats
from scipy.stats import qmc

from lifeworth._ops import Array
from lifeworth._parameters import Parameter, Theta

_ROUNDS: Final = 3
_FAR: Final = 6.0
"""Standard deviations of the prior beyond which nothing is looked for."""
_TAILS: Final = 5


def importance_draws(
    parameters: tuple[Parameter, ...],
    log_likelihood: Callable[[Theta], Array],
    draws: int,
    rng: np.random.Generator,
    *,
    log2_points: int = 12,
) -> tuple[dict[str, Array], float]:
    """Independent draws of scalars, and how many draws without weights they are worth.

    Points of the prior are weighted with the likelihood; then, three times over, points of the prior and as many of a
    multivariate t with the weighted mean and covariance, weighted with posterior over mixture. The prior's points stay
    in, so no mode that the t does not see is lost. Draws are taken from the points by systematic resampling.

    Parameters
    ----------
    parameters : tuple of Parameter
        Scalars, of links "log", "logit" or "identity".
    log_likelihood : callable
        From values (points, 1) by name to (points,).
    draws : int
    rng : Generator
    log2_points : int
        Points of the prior, and of the t, as a power of two.

    Returns
    -------
    (dict of arrays (draws, 1), float)

    Source: mixture importance sampling, Hesterberg (1995), Technometrics 37(2), 185-194.
    """
    size = len(parameters)
    near: Any = None
    points, log_weights = np.zeros((0, size)), np.zeros(0)
    for _ in range(_ROUNDS + 1):
        points = _normal(size, log2_points, rng)
        log_mixture = log_prior = _log_normal(points)
        if near is not None:
            points = np.concatenate([points, np.reshape(near.rvs(2**log2_points, random_state=rng), (-1, size))])
            log_prior = _log_normal(points)
            log_mixture = np.logaddexp(log_prior, near.logpdf(points)) - np.log(2)
        inside = (np.abs(points) <= _FAR).all(axis=1)
        height = log_likelihood(_natural(parameters, np.clip(points, -_FAR, _FAR)))
        log_weights = np.where(inside, log_prior - log_mixture + height, -np.inf)
        weights = np.asarray(special.softmax(log_weights))
        mean = np.asarray(weights @ points)
        spread = np.cov(points.T, aweights=weights, bias=True).reshape(size, size)
        near = stats.multivariate_t(mean, 1.2 * spread + 1e-4 * np.eye(size), df=_TAILS)
    weights = np.asarray(special.softmax(log_weights))
    steps = (np.arange(draws) + rng.random()) / draws
    kept = np.minimum(np.searchsorted(np.cumsum(weights), steps), len(weights) - 1)
    return _natural(parameters, points[rng.permutation(kept)]), float(1 / (1 / draws + (weights**2).sum()))


def _normal(size: int, log2_points: int, rng: np.random.Generator) -> Array:
    """Standard normal points that fill the space evenly."""
    uniform = qmc.Sobol(size, rng=rng).random_base2(log2_points)
    return special.ndtri(np.clip(uniform, 1e-9, 1 - 1e-9))


def _log_normal(points: Array) -> Array:
    return np.asarray(stats.norm.logpdf(points)).sum(axis=1)


def _natural(parameters: tuple[Parameter, ...], points: Array) -> dict[str, Array]:
    """Values of the parameters at points that are standard normal under the prior."""
    found = {}
    for p, z in zip(parameters, points.T, strict=True):
        location, sd = p.location_scale()
        found[p.name] = np.asarray(p.natural(location + sd * z))[:, None]
    return found
