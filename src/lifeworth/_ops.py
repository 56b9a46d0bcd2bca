"""The array operations a definition may use, so that one formula serves numbers, draws and PyTensor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

Array = Any
"""A float, a NumPy array, or a symbolic tensor: whatever the operations in use understand."""


@dataclass(frozen=True, slots=True)
class Ops:
    """One array library, reduced to what the definitions need."""

    exp: Callable[[Array], Array]
    log: Callable[[Array], Array]
    expm1: Callable[[Array], Array]
    log1p: Callable[[Array], Array]
    expit: Callable[[Array], Array]
    betaln: Callable[[Array, Array], Array]
    where: Callable[[Array, Array, Array], Array]
    cumsum: Callable[[Array], Array]
    """Cumulative sum along the last axis."""
    take: Callable[[Array, Array], Array]
    """Elements of the last axis by integer position."""


NUMPY = Ops(
    exp=np.exp,
    log=np.log,
    expm1=np.expm1,
    log1p=np.log1p,
    expit=special.expit,
    betaln=special.betaln,
    where=np.where,
    cumsum=lambda x: np.cumsum(x, axis=-1),
    take=lambda x, index: np.take(x, np.asarray(index, dtype=np.int64), axis=-1),
)
"""The operations on NumPy arrays."""
