"""CalendarWalk: the level of churn drifts over calendar time, and goes on drifting after as_of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lifeworth._ops import NUMPY, Array, Ops
from lifeworth._parameters import Z90, Parameter, Theta
from lifeworth._walk import Stand, Walk, stand_after, walked
from lifeworth.effects.base import CellIndex, Effect, Shape
from lifeworth.errors import DefinitionError


@dataclass(frozen=True, slots=True)
class CalendarWalk(Effect):
    """A random walk over calendar buckets, common to all cells, carried on from its last level.

    It is centred on the observed buckets and its trend is left in: taking it out would hand the trend to the
    tenure curve, which would extrapolate it. Without this term the bands of a forecast do not hold.

    Parameters
    ----------
    momentum : bool
        Whether a step repeats part of the one before it: a trend goes on for a while and dies away. Without it a
        forecast lags behind every trend.
    reaction : float
        Weight of the last innovation, squared, in the variance of the next: calm years narrow the forecast, restless
        ones widen it. 0 keeps the variance what it is on average.
    """

    momentum: bool = True
    reaction: float = 0.5
    about = "drift of churn over calendar time"
    uses = frozenset({"bucket"})

    def __post_init__(self) -> None:
        if not 0 <= self.reaction < 1:
            raise DefinitionError(f"reaction is {self.reaction}: a weight from 0 to below 1 is needed.")

    def parameters(self, shape: Shape) -> tuple[Parameter, ...]:
        """`calendar_sd` per bucket, growing with the square root of its length, the momentum, and the walk's steps."""
        if shape.buckets < 2:
            return ()
        quarters = float(np.sqrt(shape.months_per_bucket / 3))
        about = "sd of the first change of log hazard from one bucket to the next"
        sd = Parameter("calendar_sd", "log", (0.02 * quarters, 0.30 * quarters), about)
        momentum = Parameter("calendar_momentum", "logit", (0.1, 0.75), "share of a step that the next one repeats")
        steps = Parameter(
            "calendar",
            "identity",
            (-Z90, Z90),
            "change of log hazard from one bucket to the next",
            size=shape.buckets - 1,
            scale="calendar_sd",
            walk=self._walk if self.momentum or self.reaction else None,
        )
        return (sd, momentum, steps) if self.momentum else (sd, steps)

    @property
    def _walk(self) -> Walk:
        return Walk("calendar_momentum" if self.momentum else None, self.reaction)

    def eta(self, theta: Theta, cells: CellIndex, ops: Ops = NUMPY) -> Array:
        """The walk's level in the cell's bucket."""
        if "calendar" not in theta:
            return 0.0
        return ops.take(theta["calendar"] @ cells.calendar, cells.bucket)

    def ahead(self, theta: Theta, z: Array, observed: Array) -> Array:
        """Steps after the last observed bucket, from standard normal innovations.

        Parameters
        ----------
        theta : mapping
            Draws, with "calendar" (draws, steps).
        z : array (..., 1 or draws, n)
            Standard normal innovations.
        observed : bool array (steps,)
            Which steps are between buckets that were observed.

        Returns
        -------
        array (..., draws, n)
        """
        return walked(z, self._stand(theta, observed), self._share(theta), self.reaction)

    def ahead_spread(self, theta: Theta, observed: Array) -> tuple[Stand, Array]:
        """Where the walk stands at as_of, and its momentum, by draw."""
        return self._stand(theta, observed), self._share(theta)

    def innovations(self, theta: Theta, steps: Array, between: Array) -> Array:
        """What moves the walk into each bucket beside its momentum; zero for the first bucket.

        Parameters
        ----------
        theta : mapping
            Draws.
        steps : array (..., draws, buckets - 1)
        between : bool array (buckets - 1,)
            Which steps lie between buckets that count.

        Returns
        -------
        array (..., draws, buckets)
        """
        moved = steps * between
        first = np.zeros((*moved.shape[:-1], 1))
        before = np.concatenate([first, moved[..., :-1]], axis=-1)
        return np.concatenate([first, (moved - self._share(theta)[:, None] * before) * between], axis=-1)

    def _share(self, theta: Theta) -> Array:
        sd = theta["calendar_sd"][:, 0]
        return theta["calendar_momentum"][:, 0] if self.momentum else np.zeros_like(sd)

    def _stand(self, theta: Theta, observed: Array) -> Stand:
        return stand_after(
            theta["calendar"][:, observed], theta["calendar_sd"][:, 0], self._share(theta), self.reaction
        )
