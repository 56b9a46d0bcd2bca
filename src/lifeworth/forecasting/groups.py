"""Accounts that a forecast does not tell apart, and where they stand at a step of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

type Floats = NDArray[np.float64]
type Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Groups:
    """Accounts that the forecast does not tell apart; every array has one element a group.

    Parameters
    ----------
    segment, cohort : int array
        Positions in the fit's index; the position after the last is an unseen one.
    tenure : int array
        The tenure whose decision comes first.
    months : int array
        Months from as_of to that decision; zero or less where it lies in the past.
    accounts, amount, amount_sq : array
        How many, their money, and its sum of squares.
    """

    segment: Ints
    cohort: Ints
    tenure: Ints
    months: Ints
    accounts: Floats
    amount: Floats
    amount_sq: Floats


@dataclass(frozen=True, slots=True)
class State:
    """Where the groups stand at the opening of a step; every array is (draws, groups).

    `logo` and `money` are shares of the accounts and of the money they began with; `kept` is the share of the
    money without expansion, for GRR.
    """

    step: int
    logo: Floats
    money: Floats
    kept: Floats
