"""What is fitted: named parameters whose priors are stated as 90% intervals in natural units."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy import special

from lifeworth._ops import NUMPY, Array, Ops
from lifeworth._walk import Stand, Walk, walked
from lifeworth.errors import DefinitionError

type Link = Literal["logit", "log", "identity", "half"]
type Priors = Mapping[str, tuple[float, float]]
type Theta = Mapping[str, Array]
"""Values by parameter name. A scalar is a float or has a last axis of length one; a vector has its size."""

Z90 = float(special.ndtri(0.95))
"""Half the width of a standard normal's central 90% interval."""
HALF95 = float(special.ndtri(0.975))
"""The 95% quantile of a standard half-normal."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One fitted quantity and its prior.

    The prior is a Normal on the scale of `link`, stated as the central 90% interval `plausible` in natural
    units. `half` is a half-normal, for standard deviations: `plausible` is (0, its 95% quantile).

    Parameters
    ----------
    name : str
        The name used in `theta`, in `priors=` and in every summary.
    link : {"logit", "log", "identity", "half"}
        The scale on which the prior is Normal.
    plausible : (float, float)
        Low and high, in natural units.
    about : str
        What it is, with its unit.
    size : int, optional
        Length of a vector parameter; None is a scalar.
    scale : str, optional
        Name of a `half` or `log` parameter: the prior is Normal(0, that), and `plausible` is its reading at
        scale one.
    zero_sum : bool
        The elements of the vector sum to zero (deviations from a common level).
    walk : Walk, optional
        The elements are the steps of a walk that depend on one another; `scale` is the sd of its first innovation.

    Examples
    --------
    >>> location, sd = Parameter("first_churn", "logit", (0.02, 0.15), "").location_scale()
    >>> round(float(special.expit(location)), 4), round(sd, 3)
    (0.0566, 0.656)
    """

    name: str
    link: Link
    plausible: tuple[float, float]
    about: str
    size: int | None = None
    scale: str | None = None
    zero_sum: bool = False
    walk: Walk | None = None

    def __post_init__(self) -> None:
        low, high = self.plausible
        bounds = {"logit": (0.0, 1.0), "log": (0.0, np.inf), "identity": (-np.inf, np.inf), "half": (-1, np.inf)}
        lower, upper = bounds[self.link]
        if not lower < low < high < upper:
            raise DefinitionError(
                f"the plausible interval of {self.name} is {self.plausible}: low < high, both between "
                f"{max(lower, 0) if self.link == 'half' else lower} and {upper}, is needed."
            )
        if self.link == "half" and low != 0:
            raise DefinitionError(f"{self.name} is a standard deviation: state it as (0, high), not {self.plausible}.")

    def location_scale(self) -> tuple[float, float]:
        """Mean and standard deviation of the prior on the link scale (0 and sigma for `half`)."""
        if self.link == "half":
            return 0.0, self.plausible[1] / HALF95
        low, high = (float(self._linked(end)) for end in self.plausible)
        return (low + high) / 2, (high - low) / (2 * Z90)

    def _linked(self, value: float) -> Array:
        if self.link == "logit":
            return special.logit(value)
        return np.log(value) if self.link == "log" else value

    def natural(self, value: Array, ops: Ops = NUMPY) -> Array:
        """Value in natural units from a value on the link scale."""
        if self.link == "logit":
            return ops.expit(value)
        return ops.exp(value) if self.link == "log" else value


def with_priors(parameters: Iterable[Parameter], priors: Priors | None) -> tuple[Parameter, ...]:
    """The same parameters with the intervals of `priors` in place of their own.

    Names in `priors` that belong to another part of the model are left to that part; `check_priors` finds the
    names that belong to none.
    """
    given = dict(priors or {})
    return tuple(
        replace(p, plausible=(float(given[p.name][0]), float(given[p.name][1]))) if p.name in given else p
        for p in parameters
    )


def check_priors(parameters: Iterable[Parameter], priors: Priors | None) -> None:
    """Raise DefinitionError when `priors` names a parameter that the model does not have."""
    known = [p.name for p in parameters if p.scale is None]
    unknown = sorted(set(priors or {}) - set(known))
    if unknown:
        raise DefinitionError(f"priors for {', '.join(unknown)}: the model's parameters are {', '.join(known)}.")


def draw_prior(parameters: Iterable[Parameter], rng: np.random.Generator, draws: int) -> dict[str, Array]:
    """Draws of every parameter from its prior, in natural units.

    Returns
    -------
    dict of arrays
        Scalars (draws, 1); vectors (draws, size). A parameter with a `scale` uses that scale's own draws.
    """
    theta: dict[str, Array] = {}
    for p in parameters:
        location, sd = p.location_scale()
        value = rng.normal(size=(draws, p.size or 1))
        if p.zero_sum:
            value = value - value.mean(axis=-1, keepdims=True)
        if p.walk is not None and p.scale is not None:
            sd, still = theta[p.scale][:, 0], np.zeros(draws)
            momentum = theta[p.walk.momentum][:, 0] if p.walk.momentum else still
            theta[p.name] = walked(value, Stand(still, sd**2), momentum, p.walk.reaction)
        elif p.scale is not None:
            theta[p.name] = theta[p.scale] * value
        elif p.link == "half":
            theta[p.name] = np.abs(sd * value)
        else:
            theta[p.name] = p.natural(location + sd * value)
    return theta
