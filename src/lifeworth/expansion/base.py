"""What an expansion curve is: the yearly rates at which the survivors' opening money grows and shrinks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import fields
from typing import ClassVar, final

from lifeworth._ops import NUMPY, Array, Ops
from lifeworth._parameters import Parameter, Theta

EXPANSIONS: dict[str, type[ExpansionCurve]] = {}
"""Every expansion curve by name; a subclass enters it when it is defined."""


class ExpansionCurve(ABC):
    """The law of growth of the accounts that stay: a frozen definition whose fields are its settings."""

    __slots__ = ()
    about: ClassVar[str]

    def __init_subclass__(cls) -> None:
        """Enter the curve in the registry."""
        EXPANSIONS[cls.__name__] = cls

    @property
    @abstractmethod
    def parameters(self) -> tuple[Parameter, ...]:
        """What is fitted, with priors in natural units; empty where nothing is."""

    @abstractmethod
    def rates(self, years: Array, theta: Theta, ops: Ops = NUMPY) -> tuple[Array, Array]:
        """Expansion and contraction per year, as shares of the survivors' opening money.

        Parameters
        ----------
        years : array (n,)
            Years since acquisition at the opening of a tenure.
        theta : mapping of name to value
            Scalars are floats or (..., 1).
        ops : Ops
            The array library of `theta`.

        Returns
        -------
        (array (..., n), array (..., n))
            Both at least zero.
        """

    @final
    def settings(self) -> dict[str, object]:
        """The fields of the definition, for storing it."""
        return {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]
