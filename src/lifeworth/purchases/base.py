"""What a purchase model is: parameters and the likelihood of a customer's history, from which the rest follows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import ClassVar, Final, final

import numpy as np
from scipy import special

from lifeworth._ops import NUMPY, Array, Ops, column
from lifeworth._parameters import Parameter, Theta
from lifeworth.errors import DataError, DefinitionError

PURCHASES: dict[str, type[PurchaseModel]] = {}
"""Every purchase model by name; a subclass enters it when it is defined."""

DAYS_PER_YEAR: Final = 365.25
WEEKS_PER_YEAR: Final = DAYS_PER_YEAR / 7

_NODES: Final = 10
_GRADING: Final = 6.0


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """What the models need of customers: repeat purchases, when the last one was, how long they are observed.

    Attributes
    ----------
    frequency : array (n,)
        Repeat purchases; the first purchase is not one.
    recency : array (n,)
        Time of the last purchase, since the first one; 0 without a repeat.
    age : array (n,)
        Time from the first purchase to `as_of`.
    most : int, optional
        No age is above it: needed by BGBB where the arrays are symbolic, and read off them where they are numbers.

    Time is in years; for BGBB it is counted in opportunities to purchase.
    """

    frequency: Array
    recency: Array
    age: Array
    most: int | None = None

    @classmethod
    def of(cls, frequency: Array, recency: Array, age: Array) -> History:
        """Checked arrays of numbers.

        Raises
        ------
        DataError
            A frequency that is no whole number from 0, times that are not 0 <= recency <= age, or a recency that is
            not 0 for those, and only those, without a repeat purchase.

        Examples
        --------
        Two customers, one of whom came back once after half a year:

        >>> History.of([0, 1], [0, 0.5], [0.7, 0.7]).frequency
        array([0., 1.])
        """
        x, t, a = np.broadcast_arrays(*(np.atleast_1d(np.asarray(v, dtype=float)) for v in (frequency, recency, age)))
        rules = (
            (np.isfinite(x) & (x >= 0) & (x == np.floor(x)), "have a frequency that is not a whole number from 0"),
            (np.isfinite(a) & (t >= 0) & (t <= a), "break 0 <= recency <= age"),
            ((x > 0) == (t > 0), "have a recency without a repeat purchase, or the other way round"),
        )
        for fine, what in rules:
            bad = np.flatnonzero(~fine)
            if len(bad):
                named = "; ".join(f"row {i}: frequency {x[i]:g}, recency {t[i]:g}, age {a[i]:g}" for i in bad[:5])
                raise DataError(f"{len(bad)} rows {what} ({named}). Count days since the first purchase.")
        return cls(x, t, a)

    @classmethod
    def none(cls, customers: int = 1) -> History:
        """Customers on the day of their first purchase."""
        return cls(np.zeros(customers), np.zeros(customers), np.zeros(customers))


class PurchaseModel(ABC):
    """The law of repeat purchases of customers who may silently leave: a frozen definition.

    A subclass states `source`, `unit`, `parameters`, `log_joint`, `ahead` and how customers are drawn. `log_joint` is
    the likelihood: at numbers, on PyTensor variables and on arrays of draws.
    """

    __slots__ = ()
    source: ClassVar[str]
    unit: ClassVar[str] = "year"
    """What time is counted in."""
    varying: ClassVar[tuple[str, ...]] = ()
    """The parameters that differ between cohorts and segments under partial pooling."""

    def __init_subclass__(cls) -> None:
        """Enter the model in the registry."""
        PURCHASES[cls.__name__] = cls

    @property
    @abstractmethod
    def parameters(self) -> tuple[Parameter, ...]:
        """What is fitted, with priors in natural units."""

    @abstractmethod
    def log_joint(self, history: History, theta: Theta, ops: Ops = NUMPY) -> tuple[Array, Array]:
        """Log likelihood of a history together with being active at its age, and together with having left before.

        Parameters
        ----------
        history : History
            Of n customers, or distinct rows.
        theta : mapping of name to value
            Floats, draws (..., 1), or PyTensor variables.
        ops : Ops
            The array library of `theta`.

        Returns
        -------
        (array, array), each (..., n)
            The second is -inf where the customer cannot have left.
        """

    @abstractmethod
    def ahead(self, history: History, theta: Theta, horizons: Array) -> Array:
        """Expected purchases after age, up to each horizon, of those who are active at their age.

        Of who is active, the last purchase tells nothing more: only frequency and age are read.

        Parameters
        ----------
        horizons : array (m, n) or (m, 1)
            Time after age.

        Returns
        -------
        array (m, ..., n)
        """

    @abstractmethod
    def draw_history(self, age: Array, theta: Theta, rng: np.random.Generator) -> History:
        """Histories of new customers observed for `age` (n,), one per customer and draw; each array (..., n)."""

    @abstractmethod
    def _draw_ahead(self, history: History, theta: Theta, horizons: Array, rng: np.random.Generator) -> Array:
        """Purchases up to each of rising `horizons`, (m, n), of customers who are active at their age; (m, ..., n)."""

    @final
    def log_likelihood(self, history: History, theta: Theta, ops: Ops = NUMPY) -> Array:
        """Log density of frequency and purchase times; (..., n).

        The density is that of the times of all repeat purchases, of which only the last one matters; time is in
        `unit`, so in other units the sum over customers differs by log(units) times the number of repeats.
        """
        return ops.logaddexp(*self.log_joint(history, theta, ops))

    @final
    def probability_alive(self, history: History, theta: Theta) -> Array:
        """Probability that a customer with this history is active at its age; (..., n)."""
        alive, lost = self.log_joint(history, theta)
        return special.expit(alive - lost)

    @final
    def expected_purchases(self, history: History, theta: Theta, horizon: Array) -> Array:
        """Expected purchases in (age, age + horizon], given the history; (..., n).

        Parameters
        ----------
        horizon : float or array (n,)
            In the model's unit of time.
        """
        horizons = self._horizon(horizon)[None, :]
        return self.probability_alive(history, theta) * self.ahead(history, theta, horizons)[0]

    @final
    def expected_new(self, theta: Theta, horizon: Array) -> Array:
        """Expected repeat purchases of a new customer up to each horizon; (..., n) for `horizon` (n,)."""
        times = self._horizon(horizon)
        return self.expected_purchases(History.none(len(times)), theta, times)

    def discounted_purchases(
        self, history: History, theta: Theta, horizon: Array, *, discount_rate_annual: float
    ) -> Array:
        """Expected purchases in (age, age + horizon], each discounted from its moment to age; (..., n).

        The integral by parts v^h E(h) + log(1 + d) int_0^h v^s E(s) ds over the expectation E, by Gauss-Legendre on
        a scale graded towards age. The rule's own error is below 1e-5 of the sum for rates of 2 to 50% and horizons
        of 1 to 50 years over the prior, below 1e-7 in nine of ten draws.

        Parameters
        ----------
        horizon : float or array (n,)
            Years after age.
        discount_rate_annual : float
            Factor (1 + d)^(-years).
        """
        force = log_discount(discount_rate_annual)
        h = self._horizon(horizon)
        reach = np.minimum(h, 40 / max(force, 1e-9))  # what lies beyond is worth less than 1e-17
        nodes, weights = np.polynomial.legendre.leggauss(_NODES + int(force * np.max(reach)))
        nodes, weights = (nodes + 1) / 2, weights / 2
        part = np.expm1(_GRADING * nodes) / np.expm1(_GRADING)
        slope = _GRADING * np.exp(_GRADING * nodes) / np.expm1(_GRADING)
        times = np.concatenate([part[:, None] * reach, h[None, :]])
        expected = self.ahead(history, theta, times)
        weight = np.concatenate([(weights * slope)[:, None] * force * reach, np.ones((1, len(h)))])
        weight = weight * np.exp(-force * times)
        return self.probability_alive(history, theta) * np.einsum("mn,m...n->...n", weight, expected)

    @final
    def draw_purchases(self, history: History, theta: Theta, horizon: Array, rng: np.random.Generator) -> Array:
        """Purchases in (age, age + horizon] drawn for one customer per row and draw; whole numbers (..., n)."""
        return self.draw_path(history, theta, self._horizon(horizon)[None, :], rng)[0]

    @final
    def draw_path(
        self, history: History, theta: Theta, horizons: Array, rng: np.random.Generator, *, active: Array | None = None
    ) -> Array:
        """Purchases in (age, age + horizon] of one customer per row and draw, at each horizon of one future.

        Parameters
        ----------
        horizons : array (m, n) or (m, 1)
            Rising times after age, in the model's unit.
        active : bool array (..., n), optional
            Who is active at its age; None draws it.

        Returns
        -------
        array (m, ..., n)
            Whole numbers that do not fall.
        """
        if active is None:
            alive = self.probability_alive(history, theta)
            active = rng.random(np.shape(alive)) < alive
        times = np.broadcast_to(horizons, (len(horizons), len(history.frequency)))
        return np.where(active, self._draw_ahead(history, theta, times, rng), 0.0)

    @final
    def settings(self) -> dict[str, object]:
        """The fields of the definition, for storing it."""
        return {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]

    def _horizon(self, horizon: Array) -> Array:
        """The horizon as an array of at least one dimension, refused where it is no time ahead."""
        times = np.atleast_1d(np.asarray(horizon, dtype=float))
        if not (np.isfinite(times) & (times >= 0)).all():
            raise DefinitionError(f"a horizon is a finite time of at least 0, in {self.unit}s; got {horizon!r}.")
        return times


def log_discount(discount_rate_annual: float) -> float:
    """log(1 + d), refused where the rate is no rate."""
    if not (np.isfinite(discount_rate_annual) and discount_rate_annual >= 0):
        raise DefinitionError(f"discount_rate_annual is {discount_rate_annual!r}: give a rate of at least 0, as 0.12.")
    return float(np.log1p(discount_rate_annual))


def poisson_path(rate: Array, times: Array, rng: np.random.Generator) -> Array:
    """Counts of a Poisson process at rising times, (m, ..., n), from its increments."""
    steps = np.diff(times, axis=0, prepend=np.zeros((1, *times.shape[1:])))
    return np.cumsum(rng.poisson(rate * steps), axis=0)


def along(times: Array, like: Array) -> Array:
    """Horizons (m, n) with the axes of `like`, (..., n), in between."""
    return times.reshape(len(times), *(1,) * (np.ndim(like) - 1), -1)


def log_sum_exp(values: Array, ops: Ops) -> Array:
    """Log of the sum of exponentials over the last axis."""
    top = values.max(axis=-1)
    return top + ops.log(ops.exp(values - column(top)).sum(axis=-1))
