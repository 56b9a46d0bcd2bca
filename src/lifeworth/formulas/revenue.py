"""Retention of revenue and of accounts, the ratio of value to acquisition cost, and payback."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from lifeworth._ops import Array
from lifeworth.errors import AssumptionError
from lifeworth.formulas._checks import Floats, OnUndefined, number, plain, quotient, share

_NOTHING_OPEN = "{}: nothing is open at the start, so there is nothing to retain"


def nrr(
    opening: ArrayLike,
    churned_amount: ArrayLike,
    expansion: ArrayLike = 0.0,
    contraction: ArrayLike = 0.0,
    *,
    on_undefined: OnUndefined = "raise",
) -> Array:
    """Net revenue retention of a book, as a share of its opening revenue.

    NRR = (opening - churned_amount - contraction + expansion) / opening, over twelve months unless the
    amounts cover another span; accounts won in the meantime do not count.

    Parameters
    ----------
    opening : array_like
        Recurring revenue of the book at the start, >= 0, in money.
    churned_amount, contraction : array_like
        Of it lost with accounts and lost within accounts that stayed, >= 0 and together at most `opening`.
    expansion : array_like
        Gained within accounts that stayed, >= 0; all four broadcast.
    on_undefined : {"raise", "nan"}
        What an empty book gives; "nan" also passes missing values through, for columns.

    Returns
    -------
    float or ndarray
        Share, 1.10 for 110%, of the broadcast shape. Finite if opening > 0.

    Raises
    ------
    AssumptionError
        If opening is 0, or an argument is missing or out of range.

    Notes
    -----
    Source: the usual definition in subscription reporting.

    Examples
    --------
    >>> nrr(10_000_000, 1_000_000, 2_000_000)
    1.1
    """
    start = number("opening", opening, 0.0, on_undefined=on_undefined)
    gained = number("expansion", expansion, 0.0, on_undefined=on_undefined)
    kept = start - _losses(start, churned_amount, contraction, on_undefined)
    return quotient(kept + gained, start, _NOTHING_OPEN.format("nrr"), on_undefined)


def grr(
    opening: ArrayLike,
    churned_amount: ArrayLike,
    contraction: ArrayLike = 0.0,
    *,
    on_undefined: OnUndefined = "raise",
) -> Array:
    """Gross revenue retention of a book, as a share of its opening revenue.

    GRR = (opening - churned_amount - contraction) / opening, over twelve months unless the amounts cover
    another span. Contraction is each account's own loss over the whole span: monthly GRRs do not multiply to
    a yearly one.

    Parameters
    ----------
    opening : array_like
        Recurring revenue of the book at the start, >= 0, in money.
    churned_amount, contraction : array_like
        Of it lost with accounts and lost within accounts that stayed, >= 0 and together at most `opening`;
        all three broadcast.
    on_undefined : {"raise", "nan"}
        What an empty book gives; "nan" also passes missing values through, for columns.

    Returns
    -------
    float or ndarray
        Share in [0, 1], of the broadcast shape. Finite if opening > 0.

    Raises
    ------
    AssumptionError
        If opening is 0, or an argument is missing or out of range.

    Notes
    -----
    Source: the usual definition in subscription reporting.

    Examples
    --------
    >>> grr(10_000_000, 1_000_000, 500_000)
    0.85
    """
    start = number("opening", opening, 0.0, on_undefined=on_undefined)
    kept = start - _losses(start, churned_amount, contraction, on_undefined)
    return quotient(kept, start, _NOTHING_OPEN.format("grr"), on_undefined)


def logo_retention(at_risk: ArrayLike, churned: ArrayLike, *, on_undefined: OnUndefined = "raise") -> Array:
    """Retention of accounts, whatever they pay, as a share of the accounts at the start.

    1 - churned / at_risk, over twelve months unless the counts cover another span.

    Parameters
    ----------
    at_risk : array_like
        Accounts at the start, >= 0.
    churned : array_like
        Of them, accounts that left, in [0, at_risk]; broadcasts with `at_risk`.
    on_undefined : {"raise", "nan"}
        What an empty book gives; "nan" also passes missing values through, for columns.

    Returns
    -------
    float or ndarray
        Share in [0, 1], of the broadcast shape. Finite if at_risk > 0.

    Raises
    ------
    AssumptionError
        If at_risk is 0, or an argument is missing or out of range.

    Notes
    -----
    Source: the usual definition in subscription reporting.

    Examples
    --------
    >>> logo_retention(200, 30)
    0.85
    """
    start = number("at_risk", at_risk, 0.0, on_undefined=on_undefined)
    left = number("churned", churned, 0.0, on_undefined=on_undefined)
    if np.any(left > start):
        raise AssumptionError("churned exceeds at_risk: more accounts left than were there.")
    return quotient(start - left, start, _NOTHING_OPEN.format("logo_retention"), on_undefined)


def cltv_to_cac(cltv: ArrayLike, cac: ArrayLike | None, *, on_undefined: OnUndefined = "raise") -> Array:
    """Ratio of lifetime value to the cost of acquiring the account.

    CLTV / CAC, the value gross of CAC.

    Parameters
    ----------
    cltv : array_like
        Lifetime value per account, in money.
    cac : array_like or None
        Cost of acquisition per account, > 0, in the same money; broadcasts. None is unknown, not zero.
    on_undefined : {"raise", "nan"}
        What a zero or unknown cost gives; "nan" also passes missing values through, for columns.

    Returns
    -------
    float or ndarray
        Ratio, of the broadcast shape. Finite if cac > 0.

    Raises
    ------
    AssumptionError
        If cac is 0, unknown or negative, or `cltv` is missing.

    Notes
    -----
    Source: the usual definition in subscription reporting.

    Examples
    --------
    >>> cltv_to_cac(42_000, 14_000)
    3.0
    """
    value = number("cltv", cltv, on_undefined=on_undefined)
    cost = number("cac", cac, 0.0, on_undefined=on_undefined)
    return quotient(value, cost, "cltv_to_cac: cac is 0, so there is no ratio", on_undefined)


def payback_months(
    cac: ArrayLike,
    arpa_monthly: ArrayLike,
    gross_margin: ArrayLike,
    churn_monthly: ArrayLike = 0.0,
    expansion_monthly: ArrayLike = 0.0,
) -> Array:
    """Payback of the acquisition cost, in whole months.

    The first n with arpa gross_margin (1 + q + ... + q^(n-1)) >= cac, q = (1 - churn)(1 + expansion): each
    month's margin weighed by the survival at its start, undiscounted.

    Parameters
    ----------
    cac : array_like
        Cost of acquisition per account, >= 0, in money.
    arpa_monthly : array_like
        Recurring revenue per account and month, >= 0, in money.
    gross_margin : array_like
        Share of revenue kept after cost, <= 1.
    churn_monthly : array_like
        Probability of leaving in a month, in [0, 1].
    expansion_monthly : array_like
        Growth of a kept account's revenue per month, >= -1; all five broadcast.

    Returns
    -------
    float or ndarray
        Months, of the broadcast shape; 0 if cac is 0 and inf where the margin never covers it.

    Raises
    ------
    AssumptionError
        If an argument is missing or out of range.

    Notes
    -----
    Source: the usual definition in subscription reporting, with survival.

    Examples
    --------
    800 a month without churn; 800 + 400 + 200 with half of the accounts leaving each month:

    >>> payback_months(1_400, 1_000, 0.8), payback_months(1_400, 1_000, 0.8, 0.5)
    (2.0, 3.0)
    """
    cost = number("cac", cac, 0.0)
    margin = number("arpa_monthly", arpa_monthly, 0.0) * number("gross_margin", gross_margin, high=1.0)
    c, g = share("churn_monthly", churn_monthly), number("expansion_monthly", expansion_monthly, -1.0)
    cost, margin, faded = np.broadcast_arrays(cost, margin, c - g * (1 - c))
    owed = np.divide(cost, margin, out=np.where(cost > 0, np.inf, 0.0), where=margin > 0)
    months = np.where(owed <= 1, np.ceil(owed), np.inf)
    later = (owed > 1) & (owed < np.inf) & (faded < 1) & (np.where(owed < np.inf, owed, 0.0) * faded < 1)
    months[later] = _months_until(owed[later], faded[later])
    return plain(months)


def _months_until(owed: Floats, faded: Floats) -> Floats:
    # (1 - q^n) / (1 - q) = owed solved for n; at q = 1 its limit. A whole n is not missed for a rounding
    # error.
    flat = faded == 0
    safe = np.where(flat, 0.5, faded)
    months = np.where(flat, owed, np.log1p(-np.where(flat, 0.0, owed * faded)) / np.log1p(-safe))
    return np.asarray(np.ceil(months * (1 - 1e-10)))


def _losses(opening: Floats, churned_amount: ArrayLike, contraction: ArrayLike, mode: OnUndefined) -> Floats:
    lost = number("churned_amount", churned_amount, 0.0, on_undefined=mode)
    lost = np.asarray(lost + number("contraction", contraction, 0.0, on_undefined=mode))
    if np.any(lost > opening * (1 + 1e-12)):
        raise AssumptionError("churned_amount and contraction exceed opening: more was lost than was there.")
    return np.minimum(lost, opening)
