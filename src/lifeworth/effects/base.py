"""What an effect is: parameters and one method that moves the log cumulative-hazard increment of a cell."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import ClassVar, final

import numpy as np
from numpy.typing import NDArray

from lifeworth._ops import NUMPY, Array, Ops
from lifeworth._parameters import Parameter, Theta

EFFECTS: dict[str, type[Effect]] = {}
"""Every effect by name; a subclass enters it when it is defined."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes and units of a table that decide which parameters a model has; equal shapes share a compilation.

    `columns` names the segment columns with their number of values; `longest_term` is in periods.
    """

    segments: int
    cohorts: int
    buckets: int
    tenures: int
    months_per_period: int
    months_per_bucket: int
    columns: tuple[tuple[str, int], ...] = ()
    longest_term: int = 1


@dataclass(frozen=True, slots=True)
class CellIndex:
    """Where each cell stands: positions into the segments, cohorts and calendar path, and its tenure.

    `calendar` turns the walk's steps into its level per bucket, centred on the observed buckets; it has more
    rows and columns where a path goes on into the future. `segments` is how many segments the positions count,
    `levels` the position of the cell's value in each segment column, `term` the periods of its contract term.
    """

    tenure: Array
    segment: Array
    cohort: Array
    bucket: Array
    calendar: Array
    segments: int = 1
    levels: Mapping[str, Array] = field(default_factory=dict)
    term: Array = 1


class Effect(ABC):
    """Something that multiplies the cumulative-hazard increment of a cell by exp(eta)."""

    __slots__ = ()
    about: ClassVar[str]
    uses: ClassVar[frozenset[str]]
    """Which positions of a cell it reads; cells that agree on all that are read are one cell."""

    def __init_subclass__(cls) -> None:
        """Enter the effect in the registry."""
        EFFECTS[cls.__name__] = cls

    @abstractmethod
    def parameters(self, shape: Shape) -> tuple[Parameter, ...]:
        """What is fitted for a table of this shape; empty where the effect has nothing to tell apart."""

    @abstractmethod
    def eta(self, theta: Theta, cells: CellIndex, ops: Ops = NUMPY) -> Array:
        """The effect's term in the log cumulative-hazard increment of each cell; (..., cells)."""

    @final
    def settings(self) -> dict[str, object]:
        """The fields of the definition, for storing it."""
        return {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]


def calendar_loading(weights: NDArray[np.float64], ahead: int = 0) -> NDArray[np.float64]:
    """Matrix that turns a walk's steps into levels whose weighted mean over the observed buckets is zero.

    Parameters
    ----------
    weights : array (buckets,)
        Weight of each observed bucket, adding up to one.
    ahead : int
        Buckets after the last observed one; the walk goes on there from its last level.

    Returns
    -------
    array (buckets - 1 + ahead, buckets + ahead)
        `steps @ calendar_loading(weights, ahead)` is the level per bucket.

    Examples
    --------
    >>> np.array([1.0, 1.0]) @ calendar_loading(np.array([0.5, 0.5, 0.0]))
    array([-0.5,  0.5,  1.5])
    """
    total = len(weights) + ahead
    steps_so_far = np.triu(np.ones((total, total)), 0)[1:].astype(float)
    centre = steps_so_far[:, : len(weights)] @ weights
    return steps_so_far - centre[:, None]
