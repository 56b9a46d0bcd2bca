"""BG/NBD: purchases at a rate of the customer's own, and after each one the customer may leave for good."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lifeworth._ops import NUMPY, Array, Ops
from lifeworth._parameters import Parameter, Theta
from lifeworth.purchases.base import History, PurchaseModel, along, poisson_path
from lifeworth.purchases.customers import (
    DROPOUT,
    DROPOUT_POLARIZATION,
    PURCHASE_RATE,
    RATE_VARIATION,
    beta_of,
    gamma_of,
    mean_and_polarization,
    occasions_until_dropout,
)
from lifeworth.purchases.quadrature import purchases_until_dropout


@dataclass(frozen=True, slots=True)
class BGNBD(PurchaseModel):
    """Beta-geometric / NBD: a Poisson rate Gamma(r, alpha) over customers, dropout Beta(a, b) after each repeat.

    Fitted as `purchase_rate` = r / alpha per year, `rate_variation` = r^(-1/2), `dropout` = a / (a + b) and
    `dropout_polarization` = 1 / (a + b + 1). A customer without a repeat cannot have left: its probability of being
    active is 1 (MBGNBD lets it leave after the first purchase too).

    Examples
    --------
    Fader, Hardie & Lee's customer with 2 repeats, the last after 30.43 of 38.86 weeks: 1.226 purchases expected in
    the next 39 weeks.

    >>> from lifeworth.purchases.base import WEEKS_PER_YEAR as weeks
    >>> theta = BGNBD.from_classic(0.243, 4.414, 0.793, 2.426, units_per_year=weeks)
    >>> history = History.of([2], [30.43 / weeks], [38.86 / weeks])
    >>> round(float(BGNBD().expected_purchases(history, theta, 39 / weeks)[0]), 2)
    1.23
    """

    source = "Fader, Hardie & Lee (2005), Marketing Science 24(2), 275-284"
    varying = ("purchase_rate", "dropout")
    first_may_be_last: ClassVar[int] = 0
    """Occasions to leave before the first repeat purchase."""

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """`purchase_rate`, `rate_variation`, `dropout`, `dropout_polarization`."""
        return PURCHASE_RATE, RATE_VARIATION, DROPOUT, DROPOUT_POLARIZATION

    def log_joint(self, history: History, theta: Theta, ops: Ops = NUMPY) -> tuple[Array, Array]:
        """Active: every occasion survived, and no purchase since the last; left: at the last occasion."""
        r, alpha, a, b = _classic(theta)
        x, occasions = history.frequency, history.frequency + self.first_may_be_last
        bought = ops.gammaln(r + x) - ops.gammaln(r) + r * ops.log(alpha)
        stayed = ops.gammaln(b + occasions) - ops.gammaln(b) + ops.gammaln(a + b) - ops.gammaln(a + b + occasions)
        alive = bought + stayed - (r + x) * ops.log(alpha + history.age)
        before = b + ops.where(occasions > 0, occasions, 1) - 1
        left = bought + stayed + ops.log(a) - ops.log(before) - (r + x) * ops.log(alpha + history.recency)
        return alive, ops.where(occasions > 0, left, -np.inf)

    def ahead(self, history: History, theta: Theta, horizons: Array) -> Array:
        """The mean over the posterior of rate and dropout, both conjugate; by `purchases_until_dropout`."""
        shape, rate, a, b = np.broadcast_arrays(*self._posterior(history, theta))
        return purchases_until_dropout(a, b, shape, along(np.asarray(horizons), shape) / rate)

    def draw_history(self, age: Array, theta: Theta, rng: np.random.Generator) -> History:
        """Purchases of each customer as uniform times in its age, cut off at the one after which it left."""
        shape, rate, a, b = np.broadcast_arrays(*_classic(theta), np.asarray(age, dtype=float))[:4]
        made = rng.poisson(rng.gamma(shape, 1 / rate) * age)
        lasts = occasions_until_dropout(rng.beta(a, b), rng) - self.first_may_be_last
        x = np.minimum(made, lasts)
        last = age * rng.beta(np.maximum(x, 1), made - np.minimum(x, made) + 1)
        return History(x, np.where(x > 0, last, 0.0), np.broadcast_to(age, x.shape))

    def _draw_ahead(self, history: History, theta: Theta, horizons: Array, rng: np.random.Generator) -> Array:
        shape, rate, a, b = np.broadcast_arrays(*self._posterior(history, theta), horizons[0])[:4]
        made = poisson_path(rng.gamma(shape, 1 / rate), along(horizons, shape), rng)
        return np.minimum(made, occasions_until_dropout(rng.beta(a, b), rng))

    def _posterior(self, history: History, theta: Theta) -> tuple[Array, Array, Array, Array]:
        """Shape and rate of the purchase rate, shapes of the dropout, of a customer active at its age."""
        r, alpha, a, b = _classic(theta)
        return r + history.frequency, alpha + history.age, a, b + history.frequency + self.first_may_be_last

    @staticmethod
    def from_classic(r: Array, alpha: Array, a: Array, b: Array, *, units_per_year: float = 1.0) -> dict[str, Array]:
        """The fitted parameters that stand for r, alpha, a and b; `alpha` in units of time."""
        dropout, polarization = mean_and_polarization(a, b)
        return {
            "purchase_rate": r / alpha * units_per_year,
            "rate_variation": r**-0.5,
            "dropout": dropout,
            "dropout_polarization": polarization,
        }

    @staticmethod
    def to_classic(theta: Theta, *, units_per_year: float = 1.0) -> dict[str, Array]:
        """r, alpha (in units of time), a and b of the fitted parameters."""
        r, alpha, a, b = _classic(theta)
        return {"r": r, "alpha": alpha * units_per_year, "a": a, "b": b}


def _classic(theta: Theta) -> tuple[Array, Array, Array, Array]:
    """r, alpha in years, a and b."""
    rate = gamma_of(theta["purchase_rate"], theta["rate_variation"])
    return *rate, *beta_of(theta["dropout"], theta["dropout_polarization"])
