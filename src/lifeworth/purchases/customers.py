"""How customers differ: gamma and beta laws stated by what can be known of them, and their draws."""

from __future__ import annotations

import numpy as np

from lifeworth._ops import Array
from lifeworth._parameters import Parameter

PURCHASE_RATE = Parameter("purchase_rate", "log", (0.2, 60.0), "mean purchases per year of active customers")
RATE_VARIATION = Parameter(
    "rate_variation", "log", (0.3, 3.0), "coefficient of variation of the purchase rate over customers"
)
DROPOUT = Parameter("dropout", "logit", (0.01, 0.60), "mean probability of leaving at an occasion")
DROPOUT_POLARIZATION = Parameter(
    "dropout_polarization",
    "logit",
    (0.01, 0.80),
    "how unlike the customers' dropout is: 0 all alike, 1 each leaves at once or never",
)


def gamma_of(mean: Array, variation: Array) -> tuple[Array, Array]:
    """Shape and rate of the gamma law with this mean and coefficient of variation.

    Examples
    --------
    >>> gamma_of(3.0, 0.5)
    (4.0, 1.3333333333333333)
    """
    shape = 1 / (variation * variation)
    return shape, shape / mean


def beta_of(mean: Array, polarization: Array) -> tuple[Array, Array]:
    """Both shapes of the beta law with this mean and polarization 1 / (a + b + 1).

    Examples
    --------
    >>> beta_of(0.25, 0.2)
    (1.0, 3.0)
    """
    total = 1 / polarization - 1
    return mean * total, (1 - mean) * total


def mean_and_polarization(a: Array, b: Array) -> tuple[Array, Array]:
    """Mean and polarization of Beta(a, b): the inverse of `beta_of`."""
    return a / (a + b), 1 / (a + b + 1)


def occasions_until_dropout(probability: Array, rng: np.random.Generator) -> Array:
    """The occasion, from 1, at which each customer leaves; infinite where the probability is 0 or next to it."""
    with np.errstate(divide="ignore", over="ignore"):
        return 1 + np.floor(rng.standard_exponential(np.shape(probability)) / -np.log1p(-probability))
