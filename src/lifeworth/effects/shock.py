"""Shock: something happens to one segment in one bucket, and is over with it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lifeworth._ops import NUMPY, Array, Ops
from lifeworth._parameters import Z90, Parameter, Theta
from lifeworth.effects.base import CellIndex, Effect, Shape


@dataclass(frozen=True, slots=True)
class Shock(Effect):
    """Independent deviations of log hazard of each segment in each bucket, beside the walk that all share.

    The future has shocks of the same size. They average out over segments and buckets; the walk does not.
    """

    about = "shocks to one segment in one bucket"
    uses = frozenset({"segment", "bucket"})

    def parameters(self, shape: Shape) -> tuple[Parameter, ...]:
        """`shock_sd` and one `shock` for each segment in each bucket; one segment has only the walk."""
        if shape.segments < 2 or shape.buckets < 2:
            return ()
        about = "log hazard of a segment in a bucket against the walk"
        size = shape.segments * shape.buckets
        return (
            Parameter("shock_sd", "log", (0.02, 0.40), "sd of the shock to a segment in a bucket"),
            Parameter("shock", "identity", (-Z90, Z90), about, size=size, scale="shock_sd"),
        )

    def eta(self, theta: Theta, cells: CellIndex, ops: Ops = NUMPY) -> Array:
        """The shock to the cell's segment in its bucket."""
        if "shock" not in theta:
            return 0.0
        return ops.take(theta["shock"], cells.bucket * cells.segments + cells.segment)

    def ahead(self, theta: Theta, segments: int, future: Array) -> Array:
        """Shocks with those of the future, and of an unseen segment as the last.

        Parameters
        ----------
        theta : mapping
            Draws, with "shock" (draws, buckets x segments).
        segments : int
            Segments of the draws.
        future : array (draws, buckets ahead, segments + 1)
            What the shocks of the future are.

        Returns
        -------
        array (draws, (buckets + buckets ahead) x (segments + 1))
            For positions that count segments + 1.
        """
        seen = theta["shock"].reshape(len(theta["shock"]), -1, segments)
        unseen = np.zeros((*seen.shape[:2], 1))
        every = np.concatenate([np.concatenate([seen, unseen], axis=2), future], axis=1)
        return every.reshape(len(every), -1)
