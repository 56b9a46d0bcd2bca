"""BG/BB: at each opportunity a customer who has not left buys or does not; opportunities are counted, not timed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lifeworth._ops import NUMPY, Array, Ops, column
from lifeworth._parameters import Parameter, Theta
from lifeworth.errors import DataError, DefinitionError
from lifeworth.purchases.base import History, PurchaseModel, along, log_discount, log_sum_exp
from lifeworth.purchases.customers import (
    DROPOUT,
    DROPOUT_POLARIZATION,
    beta_of,
    mean_and_polarization,
    occasions_until_dropout,
)

PURCHASE_PROBABILITY = Parameter(
    "purchase_probability", "logit", (0.05, 0.95), "mean probability that an active customer buys at an opportunity"
)
PURCHASE_POLARIZATION = Parameter(
    "purchase_polarization",
    "logit",
    (0.01, 0.80),
    "how unlike the customers' buying is: 0 all alike, 1 each buys always or never",
)


@dataclass(frozen=True, slots=True)
class BGBB(PurchaseModel):
    """Beta-geometric / beta-Bernoulli: buying Beta(alpha, beta), leaving before an opportunity Beta(gamma, delta).

    Time is counted in opportunities since the first purchase: frequency, recency, age and horizons are whole numbers.
    Fitted as `purchase_probability` = alpha / (alpha + beta), `purchase_polarization` = 1 / (alpha + beta + 1),
    `dropout` = gamma / (gamma + delta) and `dropout_polarization` = 1 / (gamma + delta + 1). `probability_alive` is
    that at the last opportunity; at the next one it is smaller by (delta + age) / (gamma + delta + age).

    Parameters
    ----------
    opportunities_per_year : float
        How they are discounted: the k-th after age falls k / opportunities_per_year years after it.

    Examples
    --------
    Donors of 1995 (Fader, Hardie & Shang): 3.18 gifts expected of a new donor in ten years.

    >>> theta = BGBB.from_classic(1.2035, 0.7497, 0.6567, 2.7834)
    >>> round(float(BGBB().expected_new(theta, 10)[0]), 2)
    3.18
    """

    opportunities_per_year: float = 1.0
    source = "Fader, Hardie & Shang (2010), Marketing Science 29(6), 1086-1108"
    unit = "opportunity"
    varying = ("purchase_probability", "dropout")

    def __post_init__(self) -> None:
        if not (np.isfinite(self.opportunities_per_year) and self.opportunities_per_year > 0):
            raise DefinitionError(f"opportunities_per_year is {self.opportunities_per_year!r}: give a number above 0.")

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """`purchase_probability`, `purchase_polarization`, `dropout`, `dropout_polarization`."""
        return PURCHASE_PROBABILITY, PURCHASE_POLARIZATION, DROPOUT, DROPOUT_POLARIZATION

    def log_joint(self, history: History, theta: Theta, ops: Ops = NUMPY) -> tuple[Array, Array]:
        """Active: every opportunity survived; left: the sum over the opportunities before which it may have been."""
        (alpha, beta), (gamma, delta) = _classic(theta)
        x, last, age = _whole(history)
        active = _log_ratio(alpha, beta, x, age - x, ops) + _log_ratio(gamma, delta, 0, age, ops)
        longest = int(np.max(age - last, initial=0)) if history.most is None else history.most
        terms = np.arange(max(longest, 1))
        missed = last[:, None] + terms
        missed = ops.where(missed < age[:, None], missed, age[:, None])
        bought, left = x[:, None], np.ones((1, 1))
        each = _log_ratio(column(alpha), column(beta), bought, missed - bought, ops)
        each = each + _log_ratio(column(gamma), column(delta), left, missed, ops)
        each = ops.where(last[:, None] + terms < age[:, None], each, -np.inf)
        each = ops.where((age > last)[:, None], each, 0.0)
        return active, ops.where(age > last, log_sum_exp(each, ops), -np.inf)

    def ahead(self, history: History, theta: Theta, horizons: Array) -> Array:
        """Exact sums over the opportunities ahead."""
        return self._summed(history, theta, np.asarray(horizons), 0.0)

    def discounted_purchases(
        self, history: History, theta: Theta, horizon: Array, *, discount_rate_annual: float
    ) -> Array:
        """Expected purchases at the next `horizon` opportunities, each discounted to age; an exact sum (..., n)."""
        force = log_discount(discount_rate_annual) / self.opportunities_per_year
        ahead = self._summed(history, theta, self._horizon(horizon)[None, :], force)[0]
        return self.probability_alive(history, theta) * ahead

    def draw_history(self, age: Array, theta: Theta, rng: np.random.Generator) -> History:
        """Opportunity by opportunity, up to the one before which the customer left."""
        buying, leaving = _classic(theta)
        alpha, beta, gamma, delta, age = np.broadcast_arrays(*buying, *leaving, np.asarray(age, dtype=float))
        last_one = occasions_until_dropout(rng.beta(gamma, delta), rng) - 1
        probability = rng.beta(alpha, beta)
        x, last = np.zeros(age.shape), np.zeros(age.shape)
        for k in range(1, int(np.max(age, initial=0)) + 1):
            bought = (rng.random(age.shape) < probability) & (k <= np.minimum(age, last_one))
            x, last = x + bought, np.where(bought, k, last)
        return History(x, last, age)

    def _draw_ahead(self, history: History, theta: Theta, horizons: Array, rng: np.random.Generator) -> Array:
        buying, leaving = _classic(theta)
        x, _, age = _whole(history)
        alpha, beta, gamma, delta = np.broadcast_arrays(
            buying[0] + x, buying[1] + age - x, leaving[0], leaving[1] + age, horizons[0]
        )[:4]
        stays = occasions_until_dropout(rng.beta(gamma, delta), rng) - 1
        taken = np.minimum(along(horizons, alpha), stays)
        steps = np.diff(taken, axis=0, prepend=np.zeros((1, *alpha.shape)))
        return np.cumsum(rng.binomial(steps.astype(np.int64), rng.beta(alpha, beta)), axis=0)

    def _summed(self, history: History, theta: Theta, horizons: Array, force: float) -> Array:
        """Purchases at the opportunities within each horizon, the k-th weighted with exp(-force k)."""
        if (horizons != np.floor(horizons)).any():
            raise DefinitionError("a horizon of BGBB is a whole number of opportunities.")
        (alpha, beta), (gamma, delta) = _classic(theta)
        x, _, age = _whole(history)
        buys, left = (alpha + x) / (alpha + beta + age), delta + age
        share: Array = np.ones(np.broadcast_shapes(np.shape(buys), np.shape(left), np.shape(gamma)))
        total = np.zeros((len(horizons), *share.shape))
        within = horizons.reshape(len(horizons), *(1,) * (share.ndim - 1), -1)
        for k in range(1, int(np.max(horizons, initial=0)) + 1):
            share = share * (left + k - 1) / (gamma + left + k - 1)
            total = total + np.where(k <= within, share * np.exp(-force * k), 0.0)
        return buys * total

    @staticmethod
    def from_classic(alpha: Array, beta: Array, gamma: Array, delta: Array) -> dict[str, Array]:
        """The fitted parameters that stand for alpha, beta, gamma and delta."""
        names = ("purchase_probability", "purchase_polarization", "dropout", "dropout_polarization")
        values = (*mean_and_polarization(alpha, beta), *mean_and_polarization(gamma, delta))
        return dict(zip(names, values, strict=True))

    @staticmethod
    def to_classic(theta: Theta) -> dict[str, Array]:
        """Alpha, beta, gamma and delta of the fitted parameters."""
        (alpha, beta), (gamma, delta) = _classic(theta)
        return {"alpha": alpha, "beta": beta, "gamma": gamma, "delta": delta}


def _classic(theta: Theta) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """Alpha and beta of buying, gamma and delta of leaving."""
    buying = beta_of(theta["purchase_probability"], theta["purchase_polarization"])
    return buying, beta_of(theta["dropout"], theta["dropout_polarization"])


def _log_ratio(a: Array, b: Array, i: Array, j: Array, ops: Ops) -> Array:
    """Log of B(a + i, b + j) / B(a, b)."""
    above = ops.gammaln(a + i) - ops.gammaln(a) + ops.gammaln(b + j) - ops.gammaln(b)
    return above - ops.gammaln(a + b + i + j) + ops.gammaln(a + b)


def _whole(history: History) -> tuple[Array, Array, Array]:
    """Frequency, recency and age, refused where they are numbers and do not count opportunities."""
    if history.most is not None:
        return history.frequency, history.recency, history.age
    x, last, age = (np.asarray(v, dtype=float) for v in (history.frequency, history.recency, history.age))
    bad = np.flatnonzero((last != np.floor(last)) | (age != np.floor(age)) | (x > last))
    if len(bad):
        named = "; ".join(f"row {i}: frequency {x[i]:g}, recency {last[i]:g}, age {age[i]:g}" for i in bad[:5])
        raise DataError(
            f"{len(bad)} rows do not count opportunities ({named}). Recency and age must be whole numbers, with at "
            "most one purchase at each."
        )
    return x, last, age
