"""Pareto/NBD: purchases at a rate of the customer's own, and a lifetime that may end at any moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from lifeworth._ops import NUMPY, Array, Ops, column
from lifeworth._parameters import Parameter, Theta
from lifeworth.purchases.base import History, PurchaseModel, along, log_sum_exp, poisson_path
from lifeworth.purchases.customers import PURCHASE_RATE, RATE_VARIATION, gamma_of

FIRST_YEAR_DROPOUT = Parameter(
    "first_year_dropout", "logit", (0.05, 0.90), "probability of leaving within a year of the first purchase"
)
DROPOUT_VARIATION = Parameter(
    "dropout_variation", "log", (0.3, 3.0), "coefficient of variation of the dropout rate over customers"
)
_LARGEST: Final = 600.0  # a beta below 1e-260 years is no other than one of 1e-260 years
_RULE: Final = np.polynomial.legendre.leggauss(24)


@dataclass(frozen=True, slots=True)
class ParetoNBD(PurchaseModel):
    """Pareto / NBD: a Poisson rate Gamma(r, alpha) and an exponential lifetime whose rate is Gamma(s, beta).

    Fitted as `purchase_rate` = r / alpha per year, `rate_variation` = r^(-1/2), `first_year_dropout` =
    1 - (beta / (beta + 1))^s with beta in years, and `dropout_variation` = s^(-1/2).

    The usual likelihood has a 2F1 that overflows and has no stable gradient. It is an integral of powers over the
    moment of leaving, taken here in logarithms by Gauss-Legendre over the logarithm of time since the last purchase:
    relative error of the probability of having left below 3e-5 for r, s from 0.02 to 100, alpha and beta from hours
    to decades and 3,000 purchases, and below 2e-8 for nine in ten such cases.

    Examples
    --------
    >>> from lifeworth.purchases.base import WEEKS_PER_YEAR as weeks
    >>> theta = ParetoNBD.from_classic(0.7866, 5.3349, 0.357, 11.6152, units_per_year=weeks)
    >>> round(float(ParetoNBD().probability_alive(History.of(0, 0, 40 / weeks), theta)[0]), 3)
    0.357
    """

    source = "Schmittlein, Morrison & Colombo (1987), Management Science 33(1), 1-24"
    varying = ("purchase_rate", "first_year_dropout")

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """`purchase_rate`, `rate_variation`, `first_year_dropout`, `dropout_variation`."""
        return PURCHASE_RATE, RATE_VARIATION, FIRST_YEAR_DROPOUT, DROPOUT_VARIATION

    def log_joint(self, history: History, theta: Theta, ops: Ops = NUMPY) -> tuple[Array, Array]:
        """Active: a lifetime beyond age; left: the integral over moments between the last purchase and age."""
        r, alpha, s, beta = _classic(theta, ops)
        x, last, age = history.frequency, history.recency, history.age
        common = ops.gammaln(r + x) - ops.gammaln(r) + r * ops.log(alpha) + s * ops.log(beta)
        alive = common - (r + x) * ops.log(alpha + age) - s * ops.log(beta + age)
        since = ops.where(age > last, age - last, 1.0)
        steep = 1 / ((r + x) / (alpha + last) + (s + 1) / (beta + last))
        reach = ops.log1p(since / steep)
        y = column(reach) * ((_RULE[0] + 1) / 2)
        moved = column(steep) * ops.expm1(y)
        fall = y - column(r + x) * ops.log1p(moved / column(alpha + last))
        fall = fall - column(s + 1) * ops.log1p(moved / column(beta + last)) + np.log(_RULE[1] / 2)
        start = ops.log(s) - (r + x) * ops.log(alpha + last) - (s + 1) * ops.log(beta + last)
        left = common + start + ops.log(steep * reach) + log_sum_exp(fall, ops)
        return alive, ops.where(age > last, left, -np.inf)

    def ahead(self, history: History, theta: Theta, horizons: Array) -> Array:
        """Posterior mean rate times the expected remaining lifetime within each horizon; finite at s = 1."""
        r, alpha, s, beta = _classic(theta)
        rate, left = (r + history.frequency) / (alpha + history.age), beta + history.age
        mean = np.broadcast_arrays(rate * left, s)[0]
        log_grown = np.log1p(along(np.asarray(horizons), mean) / left)
        near = np.where(np.abs(s - 1) < 1e-12, 1e-12, s - 1)
        return mean * -np.expm1(-near * log_grown) / near

    def draw_history(self, age: Array, theta: Theta, rng: np.random.Generator) -> History:
        """Lifetimes, Poisson counts in them, and the last of as many uniform moments."""
        r, alpha, s, beta, age = np.broadcast_arrays(*_classic(theta), np.asarray(age, dtype=float))
        active = np.minimum(age, _lifetime(s, beta, rng))
        x = rng.poisson(rng.gamma(r, 1 / alpha) * active).astype(float)
        last = active * rng.beta(np.maximum(x, 1), 1)
        return History(x, np.where(x > 0, last, 0.0), age)

    def _draw_ahead(self, history: History, theta: Theta, horizons: Array, rng: np.random.Generator) -> Array:
        r, alpha, s, beta = _classic(theta)
        shape, rate, s, left = np.broadcast_arrays(
            r + history.frequency, alpha + history.age, s, beta + history.age, horizons[0]
        )[:4]
        active = np.minimum(along(horizons, shape), _lifetime(s, left, rng))
        return poisson_path(rng.gamma(shape, 1 / rate), active, rng)

    @staticmethod
    def from_classic(r: Array, alpha: Array, s: Array, beta: Array, *, units_per_year: float = 1.0) -> dict[str, Array]:
        """The fitted parameters that stand for r, alpha, s and beta; `alpha` and `beta` in units of time."""
        return {
            "purchase_rate": r / alpha * units_per_year,
            "rate_variation": r**-0.5,
            "first_year_dropout": -np.expm1(-s * np.log1p(units_per_year / beta)),
            "dropout_variation": s**-0.5,
        }

    @staticmethod
    def to_classic(theta: Theta, *, units_per_year: float = 1.0) -> dict[str, Array]:
        """r, alpha, s and beta of the fitted parameters; `alpha` and `beta` in units of time."""
        r, alpha, s, beta = _classic(theta)
        return {"r": r, "alpha": alpha * units_per_year, "s": s, "beta": beta * units_per_year}


def _classic(theta: Theta, ops: Ops = NUMPY) -> tuple[Array, Array, Array, Array]:
    """r, alpha in years, s and beta in years."""
    s = 1 / (theta["dropout_variation"] * theta["dropout_variation"])
    grown = -ops.log1p(-theta["first_year_dropout"]) / s
    beta = 1 / ops.expm1(ops.where(grown < _LARGEST, grown, _LARGEST))
    return *gamma_of(theta["purchase_rate"], theta["rate_variation"]), s, beta


def _lifetime(s: Array, beta: Array, rng: np.random.Generator) -> Array:
    """Exponential lifetimes at rates Gamma(s, beta)."""
    with np.errstate(divide="ignore"):
        return rng.standard_exponential(np.shape(s)) * beta / rng.standard_gamma(s)
