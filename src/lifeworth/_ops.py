"""The array operations a definition may use, so that one formula serves numbers, draws and PyTensor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

type Array = Any
"""A float, a NumPy array, or a symbolic tensor: whatever the operations in use understand."""


@dataclass(frozen=True, slots=True)
class Ops:
    """One array library, reduced to what the definitions need; `+ - * / @` come from the arrays themselves."""

    exp: Callable[[Array], Array]
    log: Callable[[Array], Array]
    expm1: Callable[[Array], Array]
    log1p: Callable[[Array], Array]
    expit: Callable[[Array], Array]
    gammaln: Callable[[Array], Array]
    logaddexp: Callable[[Array, Array], Array]
    where: Callable[[Array, Array, Array], Array]
    take: Callable[[Array, Array], Array]
    """Elements of the last axis by integer position."""


NUMPY = Ops(
    exp=np.exp,
    log=np.log,
    expm1=np.expm1,
    log1p=np.log1p,
    expit=special.expit,
    gammaln=special.gammaln,
    logaddexp=np.logaddexp,
    where=np.where,
    take=lambda values, position: np.take(values, position, axis=-1),
)
"""The operations on NumPy arrays."""


def column(value: Array) -> Array:
    """The same values with a new last axis of length one, so that they broadcast over it; a number stays a number.

    Examples
    --------
    >>> column(np.zeros((4, 1))).shape, column(0.5)
    ((4, 1, 1), 0.5)
    """
    return value[..., None] if getattr(value, "ndim", 0) else value


def running_total(tenure: Array, terms: int) -> Array:
    """Weights that add up the first `tenure` of `terms` values, a part of one where tenure is not whole.

    Parameters
    ----------
    tenure : array (n,)
        Completed tenures, at most `terms`.
    terms : int
        How many values there are, one per tenure from 0.

    Returns
    -------
    array (terms, n)
        `values @ running_total(tenure, terms)` is the sum of values 0, 1, ... up to each tenure.

    Examples
    --------
    >>> np.array([1.0, 10.0, 100.0]) @ running_total(np.array([0, 1, 2.5]), 3)
    array([ 0.,  1., 61.])
    """
    return np.clip(np.asarray(tenure, dtype=float)[None, :] - np.arange(terms)[:, None], 0.0, 1.0)
