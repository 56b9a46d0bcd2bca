"""Gamma-gamma spend: what customers pay per purchase, each around a level of its own."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import ClassVar

import numpy as np

from lifeworth._ops import NUMPY, Array, Ops
from lifeworth._parameters import Parameter, Theta
from lifeworth.errors import DataError, DefinitionError

MEAN_SPEND = Parameter("mean_spend", "log", (1.0, 10_000.0), "mean over customers of their mean spend per purchase")
BETWEEN_VARIATION = Parameter(
    "between_variation", "log", (0.15, 1.5), "how unlike the customers' levels are: (mean / harmonic mean - 1)^(1/2)"
)
WITHIN_VARIATION = Parameter(
    "within_variation", "log", (0.1, 1.5), "coefficient of variation of the purchases of one customer"
)


@dataclass(frozen=True, slots=True, eq=False)
class Spend:
    """What is known of customers' spend: how many repeat purchases, and their mean amount.

    Attributes
    ----------
    frequency : array (n,)
        Repeat purchases; the first purchase is not one. 0: nothing is known.
    mean : array (n,)
        Mean amount per repeat purchase, above 0; not used where frequency is 0.
    """

    frequency: Array
    mean: Array

    @classmethod
    def of(cls, frequency: Array, mean: Array) -> Spend:
        """Checked arrays of numbers.

        Raises
        ------
        DataError
            A frequency that is no whole number from 0, or a mean of repeat purchases that is not above 0.

        Examples
        --------
        >>> Spend.of([2, 0], [22.35, 0]).mean
        array([22.35,  0.  ])
        """
        x, m = np.broadcast_arrays(*(np.atleast_1d(np.asarray(v, dtype=float)) for v in (frequency, mean)))
        fine = np.isfinite(x) & (x >= 0) & (x == np.floor(x)) & ((x == 0) | (np.isfinite(m) & (m > 0)))
        bad = np.flatnonzero(~fine)
        if len(bad):
            named = "; ".join(f"row {i}: frequency {x[i]:g}, mean {m[i]:g}" for i in bad[:5])
            raise DataError(
                f"{len(bad)} rows have no whole frequency from 0 with a mean spend above 0 ({named}). "
                "Leave customers without paid repeat purchases out, or give them frequency 0."
            )
        return cls(x, m)


@dataclass(frozen=True, slots=True)
class GammaGamma:
    """Purchases of a customer are Gamma(p, nu), and nu differs over customers as Gamma(q, gamma).

    Fitted as `mean_spend` = p gamma / (q - 1), `within_variation` = p^(-1/2) and `between_variation` =
    (q - 1)^(-1/2). So q is above 1: at or below it the mean over customers is infinite, and formulas that divide by
    q - 1 turn negative. Spend does not depend on how often a customer buys: an assumption to be checked.

    Examples
    --------
    CDNOW at its published fit: 35.17 a purchase, and 24.65 for who paid 22.345 at two repeats.

    >>> theta = GammaGamma.from_classic(6.2496, 3.7442, 15.4435)
    >>> spend = Spend.of([0, 2], [0, 22.345])
    >>> GammaGamma().expected_spend(spend, theta).round(2).tolist()
    [35.17, 24.65]
    """

    varying: ClassVar[tuple[str, ...]] = ("mean_spend",)
    source = "Colombo & Jiang (1999), J. Interactive Marketing 13(3); Fader, Hardie & Lee (2005), J. Mktg Res. 42(4)"

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """`mean_spend` in money, `between_variation`, `within_variation`."""
        return MEAN_SPEND, BETWEEN_VARIATION, WITHIN_VARIATION

    def log_likelihood(self, spend: Spend, theta: Theta, ops: Ops = NUMPY) -> Array:
        """Log density of the mean of the repeat purchases, given their number; 0 without any; (..., n).

        Parameters
        ----------
        spend : Spend
            Of n customers, or distinct rows.
        theta : mapping of name to value
            Floats, draws (..., 1), or PyTensor variables.
        ops : Ops
            The array library of `theta`.
        """
        p, q, gamma = _classic(theta)
        any_ = spend.frequency > 0
        x, mean = ops.where(any_, spend.frequency, 1.0), ops.where(any_, spend.mean, 1.0)
        shapes = ops.gammaln(p * x + q) - ops.gammaln(p * x) - ops.gammaln(q)
        scale = q * ops.log(gamma) + p * x * ops.log(x) - (p * x + q) * ops.log(gamma + x * mean)
        return ops.where(any_, shapes + scale + (p * x - 1) * ops.log(mean), 0.0)

    def expected_spend(self, spend: Spend, theta: Theta) -> Array:
        """Expected mean spend per purchase of a customer, given its repeat purchases; (..., n).

        Linear in the mean: it lies between that and `mean_spend`, and is `mean_spend` without a repeat.
        """
        p, q, gamma = _classic(theta)
        return p * (gamma + spend.frequency * spend.mean) / (p * spend.frequency + q - 1)

    def draw_level(self, spend: Spend, theta: Theta, rng: np.random.Generator) -> Array:
        """Draws of the mean spend per purchase that each customer would show for ever; (..., n)."""
        p, q, gamma = _classic(theta)
        shape, rate = np.broadcast_arrays(p * spend.frequency + q, gamma + spend.frequency * spend.mean)
        return p * rate / rng.standard_gamma(shape)

    def draw_total(self, purchases: Array, level: Array, theta: Theta, rng: np.random.Generator) -> Array:
        """Draws of the amount of that many purchases by customers of that level; 0 for none; (..., n)."""
        p = _classic(theta)[0]
        return rng.standard_gamma(p * purchases) * level / p

    def draw_spend(self, frequency: Array, theta: Theta, rng: np.random.Generator) -> Spend:
        """Mean spend of new customers who buy this often again."""
        x = np.asarray(frequency, dtype=float)
        level = self.draw_level(Spend(np.zeros_like(x), np.zeros_like(x)), theta, rng)
        return Spend(x, self.draw_total(x, level, theta, rng) / np.maximum(x, 1))

    def settings(self) -> dict[str, object]:
        """The fields of the definition, for storing it."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @staticmethod
    def from_classic(p: Array, q: Array, gamma: Array) -> dict[str, Array]:
        """The fitted parameters that stand for p, q and gamma.

        Raises
        ------
        DefinitionError
            q is not above 1: the mean over customers would be infinite.
        """
        if not np.all(np.asarray(q) > 1):
            raise DefinitionError(f"q is {q}: the mean spend over customers is finite for q above 1 only.")
        return {
            "mean_spend": p * gamma / (q - 1),
            "between_variation": (q - 1) ** -0.5,
            "within_variation": p**-0.5,
        }

    @staticmethod
    def to_classic(theta: Theta) -> dict[str, Array]:
        """p, q and gamma of the fitted parameters."""
        return dict(zip(("p", "q", "gamma"), _classic(theta), strict=True))


def _classic(theta: Theta) -> tuple[Array, Array, Array]:
    """p, q and gamma."""
    p = 1 / (theta["within_variation"] * theta["within_variation"])
    excess = 1 / (theta["between_variation"] * theta["between_variation"])
    return p, 1 + excess, theta["mean_spend"] * excess / p
