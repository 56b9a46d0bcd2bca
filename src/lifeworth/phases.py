"""Phases of an account's life, in which what cannot be followed tenure by tenure may still differ."""

from __future__ import annotations

import numpy as np

_ENDS = (3, 12)
"""Months of tenure after which a phase ends: onboarding, and the first year."""

PHASES = len(_ENDS) + 1
"""How many there are."""


def phase(tenure: np.ndarray, months_per_period: int) -> np.ndarray:
    """Phase of life at each tenure: 0 the first three months, 1 the rest of the first year, 2 later.

    Examples
    --------
    >>> phase(np.array([0, 2, 3, 11, 12]), 1).tolist()
    [0, 0, 1, 1, 2]
    """
    return np.searchsorted(_ENDS, tenure * months_per_period, side="right")
