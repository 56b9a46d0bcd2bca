"""Discounting in years, and the same rate per month and per year."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from lifeworth._ops import Array
from lifeworth.formulas._checks import number, plain, share


def discount_factor(years: ArrayLike, discount_rate_annual: ArrayLike) -> Array:
    """Value today of one unit of money paid after `years`, as a factor.

    (1 + d)^(-years): discounting is in years, whatever the period of the model.

    Parameters
    ----------
    years : array_like
        Time until the payment, in years; negative compounds a past payment up to today.
    discount_rate_annual : array_like
        Rate per year, > -1; broadcasts with `years`.

    Returns
    -------
    float or ndarray
        Factor, of the broadcast shape; always finite.

    Raises
    ------
    AssumptionError
        If an argument is missing or the rate is not above -1.

    Notes
    -----
    Source: the definition of compound interest.

    Examples
    --------
    >>> discount_factor(2, 1.0)
    0.25
    """
    d = number("discount_rate_annual", discount_rate_annual, -1.0, above=True)
    return plain(np.exp(-number("years", years) * np.log1p(d)))


def present_value(cash_flows: ArrayLike, years: ArrayLike, discount_rate_annual: ArrayLike) -> Array:
    """Present value of dated cash flows, in money.

    Sum over the last axis of cash_flows (1 + d)^(-years).

    Parameters
    ----------
    cash_flows : array_like, shape (..., payments)
        Money paid, of either sign.
    years : array_like, shape (..., payments)
        When each is paid, in years from now; 1/365 per day.
    discount_rate_annual : array_like, shape (...)
        Rate per year, > -1.

    Returns
    -------
    float or ndarray, shape (...)
        Money today; always finite.

    Raises
    ------
    AssumptionError
        If an argument is missing or the rate is not above -1.

    Notes
    -----
    Source: the definition of compound interest.

    Examples
    --------
    >>> round(present_value([100, 110], [0, 1], 0.10), 6)
    200.0
    """
    rate = np.asarray(discount_rate_annual, dtype=np.float64)[..., None]
    return plain(np.sum(number("cash_flows", cash_flows) * discount_factor(years, rate), axis=-1))


def monthly_rate(rate_annual: ArrayLike) -> Array:
    """Growth or discount rate per month that compounds to one per year.

    (1 + rate)^(1/12) - 1.

    Parameters
    ----------
    rate_annual : array_like
        Rate per year, > -1.

    Returns
    -------
    float or ndarray
        Rate per month, of the same shape; always finite.

    Raises
    ------
    AssumptionError
        If the rate is missing or not above -1.

    Notes
    -----
    Source: the definition of compound interest.

    Examples
    --------
    >>> round(monthly_rate(0.12), 6)
    0.009489
    """
    return plain(np.expm1(np.log1p(number("rate_annual", rate_annual, -1.0, above=True)) / 12))


def annual_rate(rate_monthly: ArrayLike) -> Array:
    """Growth or discount rate per year that one per month compounds to.

    (1 + rate)^12 - 1.

    Parameters
    ----------
    rate_monthly : array_like
        Rate per month, > -1.

    Returns
    -------
    float or ndarray
        Rate per year, of the same shape; always finite.

    Raises
    ------
    AssumptionError
        If the rate is missing or not above -1.

    Notes
    -----
    Source: the definition of compound interest.

    Examples
    --------
    >>> round(annual_rate(0.01), 6)
    0.126825
    """
    return plain(np.expm1(np.log1p(number("rate_monthly", rate_monthly, -1.0, above=True)) * 12))


def monthly_churn(churn_annual: ArrayLike) -> Array:
    """Probability of leaving in a month that makes a given one in a year, at constant churn.

    1 - (1 - churn)^(1/12).

    Parameters
    ----------
    churn_annual : array_like
        Probability of leaving in a year, in [0, 1].

    Returns
    -------
    float or ndarray
        Probability of leaving in a month, of the same shape; always finite.

    Raises
    ------
    AssumptionError
        If the churn is missing or outside [0, 1].

    Notes
    -----
    Source: the geometric law of churn.

    Examples
    --------
    >>> round(monthly_churn(1 - 0.5**12), 6)
    0.5
    """
    return plain(_compounded(churn_annual, "churn_annual", 1 / 12))


def annual_churn(churn_monthly: ArrayLike) -> Array:
    """Probability of leaving within a year, at constant churn per month.

    1 - (1 - churn)^12.

    Parameters
    ----------
    churn_monthly : array_like
        Probability of leaving in a month, in [0, 1].

    Returns
    -------
    float or ndarray
        Probability of leaving within twelve months, of the same shape; always finite.

    Raises
    ------
    AssumptionError
        If the churn is missing or outside [0, 1].

    Notes
    -----
    Source: the geometric law of churn.

    Examples
    --------
    >>> round(annual_churn(0.01), 6)
    0.113615
    """
    return plain(_compounded(churn_monthly, "churn_monthly", 12.0))


def _compounded(churn: ArrayLike, name: str, periods: float) -> Array:
    c = share(name, churn)
    inside = np.where(c < 1, c, 0.0)
    return np.where(c < 1, -np.expm1(periods * np.log1p(-inside)), 1.0)
