"""How the rates of an expansion curve vary: by segment, and by a shock to each segment in each bucket.

The shock is a Gamma factor with mean one, so that it can be summed out: given the rates, the effective jumps of a
segment in a bucket are negative binomial, and no shock has to be sampled.
"""

from __future__ import annotations

from typing import Literal

from lifeworth._ops import NUMPY, Array, Ops
from lifeworth._parameters import Z90, Parameter, Theta
from lifeworth.effects.base import Shape

type Direction = Literal["expansion", "contraction"]
DIRECTIONS: tuple[Direction, Direction] = ("expansion", "contraction")


def variation_parameters(direction: Direction, shape: Shape) -> tuple[Parameter, ...]:
    """Parameters of the variation of one rate: segments (partially pooled) and the size of the shocks."""
    sd = f"{direction}_segment_sd"
    about = f"log {direction} rate of a segment against the common level"
    segments = (
        Parameter(sd, "log", (0.05, 1.5), f"sd of log {direction} rate between segments"),
        Parameter(f"{direction}_segment", "identity", (-Z90, Z90), about, shape.segments, sd, zero_sum=True),
    )
    shock = Parameter(
        f"{direction}_shock_sd", "log", (0.02, 0.8), f"sd of the factor by which a bucket moves the {direction} rate"
    )
    return (*(segments if shape.segments > 1 else ()), shock)


def log_level(direction: Direction, theta: Theta, segment: Array, ops: Ops = NUMPY) -> Array:
    """Log of the segment's rate over the common rate, at an average shock; (..., cells)."""
    name = f"{direction}_segment"
    return ops.take(theta[name], segment) if name in theta else 0.0
