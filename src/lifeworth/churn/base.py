"""What a churn curve is: parameters and one method, from which hazard, retention and lifetime follow."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import fields
from typing import ClassVar, final

import numpy as np

from lifeworth._ops import NUMPY, Array, Ops
from lifeworth._parameters import Parameter, Theta

CURVES: dict[str, type[ChurnCurve]] = {}
"""Every churn curve by name; a subclass enters it when it is defined."""


class ChurnCurve(ABC):
    """The law of survival over tenure: a frozen definition whose fields are its settings.

    A subclass states `source`, `parameters` and `log_survival`. At numbers `log_survival` is the closed form;
    on PyTensor variables the likelihood; on arrays of draws the posterior.
    """

    __slots__ = ()
    source: ClassVar[str]

    def __init_subclass__(cls) -> None:
        """Enter the curve in the registry."""
        CURVES[cls.__name__] = cls

    @property
    @abstractmethod
    def parameters(self) -> tuple[Parameter, ...]:
        """What is fitted, with priors in natural units; rates are per period of the table."""

    @abstractmethod
    def log_survival(self, tenure: Array, theta: Theta, ops: Ops = NUMPY) -> Array:
        """Log probability that an account survives `tenure` periods.

        Parameters
        ----------
        tenure : array (n,)
            Periods since acquisition, from 0.
        theta : mapping of name to value
            Scalars are floats or (..., 1); vectors are (..., size).
        ops : Ops
            The array library of `theta`.

        Returns
        -------
        array (..., n)
            Zero at tenure 0, never rising.
        """

    @final
    def log_retention(self, tenure: Array, theta: Theta, ops: Ops = NUMPY) -> Array:
        """Log probability of staying through tenure t, given that it is reached; (..., n)."""
        start = np.asarray(tenure, dtype=float)
        return self.log_survival(start + 1, theta, ops) - self.log_survival(start, theta, ops)

    @final
    def survival(self, tenure: Array, theta: Theta, ops: Ops = NUMPY) -> Array:
        """Probability that an account survives `tenure` periods; (..., n)."""
        return ops.exp(self.log_survival(tenure, theta, ops))

    @final
    def hazard(self, tenure: Array, theta: Theta, ops: Ops = NUMPY) -> Array:
        """Probability of leaving during tenure t, given that it is reached; (..., n)."""
        return -ops.expm1(self.log_retention(tenure, theta, ops))

    @final
    def settings(self) -> dict[str, object]:
        """The fields of the definition, for storing it."""
        return {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]


FIRST_CHURN = Parameter("first_churn", "logit", (0.005, 0.50), "probability of leaving in the first period")
"""The parameter that every curve starts with."""
