"""Customer lifetime value in closed form, and year by year on a worksheet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from lifeworth._ops import Array
from lifeworth.errors import AssumptionError
from lifeworth.formulas._checks import Floats, OnUndefined, number, one_of, plain, quotient, share


def cltv_basic(
    arpa: ArrayLike, gross_margin: ArrayLike, churn: ArrayLike, *, on_undefined: OnUndefined = "raise"
) -> Array:
    """Lifetime value at constant churn and flat revenue, in money per account.

    CLTV = arpa gross_margin / churn: undiscounted, the first payment certain, gross of CAC.

    Parameters
    ----------
    arpa : array_like
        Recurring revenue per account and period, >= 0, in money.
    gross_margin : array_like
        Share of revenue kept after cost, <= 1.
    churn : array_like
        Probability of leaving in a period of the same length, in [0, 1]; all three broadcast.
    on_undefined : {"raise", "nan"}
        What zero churn gives; "nan" also passes missing values through, for columns.

    Returns
    -------
    float or ndarray
        Money per account, of the broadcast shape. Finite if churn > 0.

    Raises
    ------
    AssumptionError
        If churn is 0, or an argument is missing or out of range.

    Notes
    -----
    Source: David Skok, For Entrepreneurs, "What's your TRUE customer lifetime value?".

    Examples
    --------
    >>> cltv_basic(10_000, 0.80, 0.20)
    40000.0
    """
    margin = _margin(arpa, gross_margin, on_undefined)
    c = share("churn", churn, on_undefined)
    return quotient(margin, c, "cltv_basic: churn is 0, so the lifetime is infinite", on_undefined)


def cltv_with_expansion(
    arpa: ArrayLike,
    gross_margin: ArrayLike,
    churn: ArrayLike,
    expansion: ArrayLike,
    exact: bool = False,
    *,
    on_undefined: OnUndefined = "raise",
) -> Array:
    """Lifetime value at constant churn and constant growth of the accounts that stay, in money per account.

    Linear: arpa gross_margin / (churn - expansion). Exact: arpa gross_margin / (1 - (1 - churn)(1 +
    expansion)), the sum of payments that grow by (1 + expansion) each period in which the account is kept.
    Both undiscounted, the first payment certain. The linear form leaves out churn times expansion: with
    expansion it is too high.

    Parameters
    ----------
    arpa : array_like
        Recurring revenue per account in the first period, >= 0, in money.
    gross_margin : array_like
        Share of revenue kept after cost, <= 1.
    churn : array_like
        Probability of leaving in a period, in [0, 1].
    expansion : array_like
        Growth of a kept account's revenue per period, >= -1 (negative: contraction); all four broadcast.
    exact : bool
        Whether growth compounds on survivors only, as it does.
    on_undefined : {"raise", "nan"}
        What an infinite value gives; "nan" also passes missing values through, for columns.

    Returns
    -------
    float or ndarray
        Money per account, of the broadcast shape. Finite if churn > expansion (linear), or if
        (1 - churn)(1 + expansion) < 1 (exact).

    Raises
    ------
    AssumptionError
        If the value is not finite, or an argument is missing or out of range.

    Notes
    -----
    Source: linear, the net-churn formula in practice; exact, the geometric series.

    Examples
    --------
    >>> round(cltv_with_expansion(15_000, 0.85, 0.15, 0.10))
    255000
    >>> round(cltv_with_expansion(15_000, 0.85, 0.15, 0.10, exact=True))  # 12,750 / 0.065
    196154
    """
    margin = _margin(arpa, gross_margin, on_undefined)
    c = share("churn", churn, on_undefined)
    g = number("expansion", expansion, -1.0, on_undefined=on_undefined)
    if exact:
        reason = "cltv_with_expansion: (1 - churn) (1 + expansion) is not below 1, so the value is infinite"
        return quotient(margin, c - g * (1 - c), reason, on_undefined)
    reason = "cltv_with_expansion: churn is not above expansion, so the linear form is undefined"
    return quotient(margin, c - g, reason, on_undefined)


def cltv_skok(
    arpa: ArrayLike,
    gross_margin: ArrayLike,
    churn: ArrayLike,
    expansion: ArrayLike,
    discount_rate: ArrayLike = 0.0,
    *,
    first_increase: Literal["second_period", "first_period"] = "second_period",
    on_undefined: OnUndefined = "raise",
) -> Array:
    """Lifetime value when revenue grows by the same amount each period (Skok), in money per account.

    arpa gross_margin (1 / (1 - K) + expansion W / (1 - K)^2), K = (1 - churn)(1 - discount_rate). Skok's W is
    K: the first payment is arpa, the increase begins with the second. W = 1, also in use, adds one increase
    to the first payment already. The first payment is certain and undiscounted; Skok discounts by (1 - d).

    Parameters
    ----------
    arpa : array_like
        Recurring revenue per account in the first period, >= 0, in money.
    gross_margin : array_like
        Share of revenue kept after cost, <= 1.
    churn : array_like
        Probability of leaving in a period, in [0, 1].
    expansion : array_like
        Increase per period as a share of `arpa` (not compounding), >= -1.
    discount_rate : array_like
        Rate per period, in [0, 1]; all five broadcast.
    first_increase : {"second_period", "first_period"}
        The payment that first carries an increase.
    on_undefined : {"raise", "nan"}
        What an infinite value gives; "nan" also passes missing values through, for columns.

    Returns
    -------
    float or ndarray
        Money per account, of the broadcast shape. Finite if churn or discount rate is positive.

    Raises
    ------
    AssumptionError
        If churn and discount rate are both 0, or an argument is missing or out of range.

    Notes
    -----
    Source: David Skok, For Entrepreneurs, "What's your TRUE customer lifetime value?".

    Examples
    --------
    100 / 0.1 + 10 x 0.9 / 0.01:

    >>> round(cltv_skok(100, 1.0, 0.10, 0.10), 6)
    1900.0
    """
    one_of("first_increase", first_increase, ("second_period", "first_period"))
    margin = _margin(arpa, gross_margin, on_undefined)
    c, d = share("churn", churn, on_undefined), share("discount_rate", discount_rate, on_undefined)
    g = number("expansion", expansion, -1.0, on_undefined=on_undefined)
    lost = c + d - c * d
    waited = 1 - lost if first_increase == "second_period" else 1.0
    reason = "cltv_skok: neither churn nor discounting, so the value is infinite"
    return quotient(margin * (lost + g * waited), lost**2, reason, on_undefined)


def margin_multiple(
    retention: ArrayLike,
    discount_rate: ArrayLike,
    *,
    timing: Literal["immediate", "no_first_payment", "end"] = "no_first_payment",
    on_undefined: OnUndefined = "raise",
) -> Array:
    """Lifetime value of one unit of margin per period at constant retention, in multiples of that margin.

    With r = retention and d = discount rate:
    "immediate" (1 + d) / (1 + d - r), the first payment at once and certain (an Economics of timing "start");
    "no_first_payment" r / (1 + d - r), the first payment after one period and one renewal (Gupta and
    Lehmann); "end" 1 / (1 + d - r), the t-th payment at the end of period t, earned with survival r^(t-1).

    Parameters
    ----------
    retention : array_like
        Probability of staying through a period, in [0, 1].
    discount_rate : array_like
        Rate per period, >= 0; broadcasts with `retention`.
    timing : {"no_first_payment", "immediate", "end"}
        When the payments fall and which of them is certain.
    on_undefined : {"raise", "nan"}
        What an infinite multiple gives; "nan" also passes missing values through, for columns.

    Returns
    -------
    float or ndarray
        Multiple of the margin per period, of the broadcast shape. Finite if retention < 1 + d.

    Raises
    ------
    AssumptionError
        If retention is 1 and the discount rate 0, or an argument is missing or out of range.

    Notes
    -----
    Source: Gupta & Lehmann (2003); Fader & Hardie, note 024, for the three timings.

    Examples
    --------
    >>> round(margin_multiple(0.8, 0.12), 6)  # 0.8 / 0.32
    2.5
    """
    one_of("timing", timing, ("immediate", "no_first_payment", "end"))
    r = share("retention", retention, on_undefined)
    d = number("discount_rate", discount_rate, 0.0, on_undefined=on_undefined)
    first = {"immediate": 1 + d, "no_first_payment": r, "end": np.ones(())}[timing]
    reason = "margin_multiple: full retention without discounting, so the multiple is infinite"
    return quotient(first, (1 - r) + d, reason, on_undefined)


@dataclass(frozen=True, slots=True, eq=False)
class Worksheet:
    """Lifetime value of an account year by year, in money per acquired account.

    Money is that of an account still there, until `present_value`, which weighs by survival and discounts.
    Arrays have shape (..., years); totals shape (...). Built by `worksheet`.

    Parameters
    ----------
    year : ndarray, shape (years,)
        Years 1, 2, ...
    revenue, service_cost, profit : ndarray
        Of an account that is there in the year.
    survival : ndarray
        Probability of being there in the year, S(year - 1); 1 in the first.
    discount_factor : ndarray
        (1 + d)^(-year): payments fall at year ends.
    present_value : ndarray
        profit x survival x discount factor.
    cac : float or ndarray
        Cost of acquisition per account.

    Examples
    --------
    >>> sheet = worksheet(100, 0.0, 0.5, 0, 0.0, 2, retention=0.5, cac=60)
    >>> sheet.present_value.tolist(), sheet.value_net
    ([50.0, 25.0], 15.0)
    """

    year: Floats
    revenue: Floats
    service_cost: Floats
    profit: Floats
    survival: Floats
    discount_factor: Floats
    present_value: Floats
    cac: Array

    @property
    def total_revenue(self) -> Array:
        """Expected undiscounted revenue per acquired account, in money."""
        return plain((self.revenue * self.survival).sum(axis=-1))

    @property
    def total_profit(self) -> Array:
        """Expected undiscounted profit per acquired account, in money."""
        return plain((self.profit * self.survival).sum(axis=-1))

    @property
    def total_present_value(self) -> Array:
        """Present value at acquisition per acquired account, gross of CAC, in money."""
        return plain(self.present_value.sum(axis=-1))

    @property
    def value_net(self) -> Array:
        """Present value at acquisition per acquired account, less CAC, in money."""
        return plain(self.total_present_value - self.cac)


def worksheet(
    acv: ArrayLike,
    expansion: ArrayLike,
    gross_margin: ArrayLike,
    service_cost: ArrayLike,
    discount_rate: ArrayLike,
    years: int,
    retention: ArrayLike = 1.0,
    cac: ArrayLike = 0,
) -> Worksheet:
    """Lifetime value over a finite number of years, year by year, in money per acquired account.

    In year t = 1, 2, ...: revenue = acv (1 + expansion)^(t-1); profit = revenue gross_margin - service_cost;
    present value = profit S(t-1) (1 + d)^(-t): paid at the year's end, earned with the survival at its start.

    Parameters
    ----------
    acv : array_like, shape (...)
        Contract value in the first year, >= 0, in money.
    expansion : array_like, shape (...)
        Growth of a kept account's revenue per year, >= -1.
    gross_margin : array_like, shape (...)
        Share of revenue kept after cost, <= 1.
    service_cost : array_like, shape (...)
        Cost to serve a kept account per year, >= 0, in money.
    discount_rate : array_like, shape (...)
        Rate per year, > -1.
    years : int
        Number of years, >= 1.
    retention : float, or array_like of shape (..., years - 1), (..., years) or (..., 1)
        Probability of renewing, in [0, 1]: one number for every year, or one per year along the last axis,
        the first renewal first. A rate for the end of the last year is accepted and has no effect.
    cac : array_like, shape (...)
        Cost of acquisition, >= 0, in money.

    Returns
    -------
    Worksheet
        Arrays of shape (..., years); always finite.

    Raises
    ------
    AssumptionError
        If an argument is missing or out of range, or `retention` has another length.

    Notes
    -----
    Source: the yearly CLTV worksheet in practice.

    Examples
    --------
    >>> sheet = worksheet(50_000, 0.15, 0.82, 6_000, 0.12, 5)
    >>> sheet.profit[:2].round().tolist(), round(sheet.total_present_value)
    ([35000.0, 41150.0], 171479)
    """
    if years != int(years) or years < 1:
        raise AssumptionError(f"years must be a whole number, at least 1; got {years!r}.")
    year = np.arange(1.0, int(years) + 1)
    revenue = _column("acv", acv, 0.0) * (1 + _column("expansion", expansion, -1.0)) ** (year - 1)
    cost = _column("service_cost", service_cost, 0.0)
    profit = revenue * _column("gross_margin", gross_margin, high=1.0) - cost
    survival = _survival(share("retention", retention), int(years))
    factor = (1 + number("discount_rate", discount_rate, -1.0, above=True)[..., None]) ** -year
    money = profit * survival * factor

    def spread(part: Floats) -> Floats:
        return np.broadcast_to(part, money.shape).copy()

    return Worksheet(
        year=year,
        revenue=spread(revenue),
        service_cost=spread(cost),
        profit=spread(profit),
        survival=spread(survival),
        discount_factor=spread(factor),
        present_value=money,
        cac=plain(number("cac", cac, 0.0)),
    )


def _margin(arpa: ArrayLike, gross_margin: ArrayLike, on_undefined: OnUndefined) -> Floats:
    revenue = number("arpa", arpa, 0.0, on_undefined=on_undefined)
    return np.asarray(revenue * number("gross_margin", gross_margin, high=1.0, on_undefined=on_undefined))


def _column(name: str, value: ArrayLike, low: float = -np.inf, high: float = np.inf) -> Floats:
    return number(name, value, low, high)[..., None]


def _survival(retention: Floats, years: int) -> Floats:
    rates = retention if retention.ndim else retention[None]
    if rates.shape[-1] not in {1, years - 1, years}:
        raise AssumptionError(f"retention has {rates.shape[-1]} rates; it needs one, {years - 1} or {years}.")
    renewals = np.broadcast_to(rates[..., : years - 1], (*rates.shape[:-1], years - 1))
    return np.concatenate([np.ones((*rates.shape[:-1], 1)), np.cumprod(renewals, axis=-1)], axis=-1)
