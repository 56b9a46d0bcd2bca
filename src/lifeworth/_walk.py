"""Walks whose steps depend on one another: momentum, and a variance that follows the last moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

type Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Walk:
    """The law of a walk's steps.

    A step is `momentum` times the one before it plus an innovation. The first innovation is N(0, sd^2); the variance
    of the next one is `1 - reaction` parts the last variance and `reaction` parts the last innovation squared, the
    exponentially weighted variance of RiskMetrics (1996): calm times narrow the forecast, restless ones widen it.

    Parameters
    ----------
    momentum : str, optional
        Name of the parameter in [0, 1); None is no momentum.
    reaction : float
        In [0, 1); 0 keeps the variance.
    """

    momentum: str | None
    reaction: float


@dataclass(frozen=True, slots=True)
class Stand:
    """Where a walk stands: its last step and the variance of the next innovation, each (..., draws)."""

    step: Floats
    variance: Floats


def walked(z: Floats, stand: Stand, momentum: Floats, reaction: float) -> Floats:
    """Steps from standard normal innovations, beginning where a walk stands.

    Parameters
    ----------
    z : array (..., n)
        Standard normal innovations.
    stand : Stand
        The walk before the first of them.
    momentum : array (...)
    reaction : float

    Returns
    -------
    array (..., n)

    Examples
    --------
    At momentum 0.5 and a constant sd of 0.1, one innovation of one sd dies away by halves:

    >>> start = Stand(step=np.array(0.0), variance=np.array(0.01))
    >>> walked(np.array([1.0, 0.0, 0.0]), start, np.array(0.5), 0.0)
    array([0.1  , 0.05 , 0.025])
    """
    step, variance, steps = stand.step, stand.variance, []
    for k in range(z.shape[-1]):
        innovation = np.sqrt(variance) * z[..., k]
        step = momentum * step + innovation
        variance = (1 - reaction) * variance + reaction * innovation**2
        steps.append(step)
    return np.stack(steps, axis=-1) if steps else np.zeros(z.shape)


def stand_after(steps: Floats, sd: Floats, momentum: Floats, reaction: float) -> Stand:
    """Where a walk stands after its steps.

    Parameters
    ----------
    steps : array (draws, n)
    sd, momentum : array (draws,)
    reaction : float

    Returns
    -------
    Stand
    """
    step, variance = np.zeros(np.shape(sd)), np.asarray(sd, dtype=float) ** 2
    for k in range(steps.shape[-1]):
        variance = (1 - reaction) * variance + reaction * (steps[..., k] - momentum * step) ** 2
        step = steps[..., k]
    return Stand(step, variance)
