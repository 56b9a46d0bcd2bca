"""How the rates of an expansion curve vary: by segment, by a shock to each segment in each bucket, and with churn.

The shock is a Gamma factor with mean one, so that it can be summed out: given the rates, the effective jumps of a
segment in a bucket are negative binomial, and no shock has to be sampled. What moves churn in a bucket, the innovation
of its calendar walk, moves the rates of all segments there: that is how churn and growth are correlated.
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


def churn_link_parameters(shape: Shape) -> tuple[Parameter, ...]:
    """How both rates move with churn, and what is not known of its innovations; none in a table of two buckets.

    `expansion_with_churn` of -0.5: in a bucket that raises all hazards by 10%, 5% less is expanded.
    """
    if shape.buckets < 3:
        return ()
    about = "change of log {} rate in a bucket for one of log hazard that its calendar innovation brings"
    error = "error of the innovations of churn, in their standard errors"
    return (
        *(Parameter(f"{d}_with_churn", "identity", (-1.5, 1.5), about.format(d)) for d in DIRECTIONS),
        Parameter("innovation_error", "identity", (-Z90, Z90), error, size=shape.buckets),
    )


def log_level(direction: Direction, theta: Theta, segment: Array, ops: Ops = NUMPY) -> Array:
    """Log of the segment's rate over the common rate, at an average shock; (..., cells)."""
    name = f"{direction}_segment"
    return ops.take(theta[name], segment) if name in theta else 0.0


def log_shift(direction: Direction, theta: Theta, innovation: Array) -> Array:
    """Log of the factor on a rate that comes with the innovations of churn; of their shape.

    Examples
    --------
    >>> theta = {"expansion_with_churn": -0.5}
    >>> log_shift("expansion", theta, 0.1)
    -0.05
    """
    name = f"{direction}_with_churn"
    return theta[name] * innovation if name in theta else 0.0 * innovation
