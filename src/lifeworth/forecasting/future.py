"""What has not happened yet: the calendar walk and the shocks after as_of, drawn or averaged over."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np
from numpy.typing import NDArray

from lifeworth._parameters import Theta
from lifeworth._walk import walked
from lifeworth.effects import CalendarWalk, Shock
from lifeworth.indexing import TableIndex

type Floats = NDArray[np.float64]

TURN = np.sqrt(8) * np.linalg.qr(np.random.default_rng(87).normal(size=(8, 8)))[0]
"""Eight orthogonal directions that, with their opposites, are the nodes of a cubature of the third degree.

Any turn of them integrates up to the third degree; this one keeps the fourth moments of the widest directions near
those of a normal (largest error of a discounted sum over ten years 0.4%, at a walk twice as wide as its prior sd).
"""


@lru_cache(maxsize=16)
def average_innovations(ahead: int) -> tuple[Floats, Floats]:
    """Standard innovations of a walk at the cubature nodes, and half the variance of its levels they leave out.

    Returns
    -------
    (array (nodes, ahead), array (20, ahead))
        The second by momentum, from 0 to 0.95 in equal steps.
    """
    total = np.tril(np.ones((ahead, ahead)))
    _, _, directions = np.linalg.svd(total)
    directions = directions[:8] * np.sign((directions[:8] @ total.T).sum(axis=1))[:, None]
    z = np.concatenate([TURN, -TURN])[:, : len(directions)] @ directions
    rest = np.eye(ahead) - directions.T @ directions
    ago = np.subtract.outer(np.arange(ahead), np.arange(ahead))
    left_out = []
    for momentum in np.linspace(0.0, 0.95, 20):
        level = total @ np.where(ago >= 0, momentum ** np.maximum(ago, 0), 0.0)
        left_out.append(np.einsum("ij,jk,ik->i", level, rest, level) / 2)
    return z, np.stack(left_out)


def average_steps(walk: CalendarWalk, theta: Theta, moves: NDArray[np.bool_], ahead: int) -> Floats:
    """Steps of the walk at which to average over what it may do, with equal weights.

    Cubature nodes in the eight widest directions of a walk, at the variance that it has at as_of. What the other
    directions add to the variance of a level moves it by half of that: their ups and downs cancel over time, but
    for the mean of exp. The same nodes in every draw, so that averaging adds no noise. Against 100,000 walks the
    discounted sum over five years is within 0.7% up to an sd of 0.15 a bucket, a momentum of 0.4 and a reaction of
    0.5; a variance that goes on changing is what the nodes leave out.

    Returns
    -------
    array (nodes, draws, buckets ahead)
    """
    stand, momentum = walk.ahead_spread(theta, moves)
    z, left_out = average_innovations(ahead)
    steps = walked(z[:, None, :], stand, momentum, 0.0)
    at = np.linspace(0.0, 0.95, len(left_out))
    drift = np.stack([np.interp(momentum, at, column) for column in left_out.T], axis=-1) * stand.variance[:, None]
    return steps + np.diff(drift, axis=-1, prepend=0.0)


@dataclass(frozen=True, slots=True)
class Calendar:
    """The calendar of a hazard by bucket, observed and to come, over the futures that are looked at.

    Parameters
    ----------
    factor : array (futures, draws, buckets)
        What multiplies the hazard.
    innovation : array (futures, draws, buckets)
        What moved the walk into the bucket, beside its momentum; zero in the first.
    """

    factor: Floats
    innovation: Floats

    @classmethod
    def of(cls, walk: CalendarWalk, theta: Theta, index: TableIndex, steps: Floats) -> Self:
        """The calendar with these steps after as_of, (futures, draws, buckets ahead)."""
        seen = np.broadcast_to(theta["calendar"], (len(steps), *theta["calendar"].shape))
        every = np.concatenate([seen, steps], axis=-1)
        level = every @ index.loading(steps.shape[-1])
        moves = np.concatenate([index.moves, np.ones(steps.shape[-1], dtype=bool)])
        return cls(np.exp(np.clip(level, -FAR, FAR)), walk.innovations(theta, every, moves))


FAR = 50.0
"""Log hazard beyond which nothing changes: nobody stays, or nobody leaves."""


def future_shocks(shock: Shock, theta: Theta, segments: int, z: Floats | None, ahead: int) -> Floats:
    """The shocks of the fit with those of the future.

    Parameters
    ----------
    shock : Shock
    theta : mapping
        Draws of the hazard's parameters.
    segments : int
        Segments of the draws.
    z : array (draws, buckets ahead, segments + 1), optional
        Standard normals; None is the mean effect of the shocks on the hazard.
    ahead : int
        Buckets ahead.
    """
    sd = theta["shock_sd"][:, :, None]
    size = (len(sd), ahead, segments + 1)
    future = np.broadcast_to(sd**2 / 2, size) if z is None else sd * z
    return np.asarray(shock.ahead(theta, segments, future))
