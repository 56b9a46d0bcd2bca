"""Survival, retention and hazard of the geometric and the shifted-beta-geometric (sBG) law of churn."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from lifeworth._ops import Array
from lifeworth.formulas._checks import Floats, number, plain, share

_SHIFT = 16
_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188)


def geometric_survival(tenure: ArrayLike, churn: ArrayLike) -> Array:
    """Probability that an account is still there after `tenure` periods, when churn is constant.

    S(t) = (1 - churn)^t.

    Parameters
    ----------
    tenure : array_like
        Periods completed, >= 0; need not be whole.
    churn : array_like
        Probability of leaving in a period, in [0, 1]; broadcasts with `tenure`.

    Returns
    -------
    float or ndarray
        Probability in [0, 1], of the broadcast shape; always finite.

    Raises
    ------
    AssumptionError
        If `tenure` is negative or `churn` lies outside [0, 1].

    Notes
    -----
    Source: Fader & Hardie (2007), Journal of Interactive Marketing 21(1), 76-90.

    Examples
    --------
    >>> round(geometric_survival(2, 0.2), 6)
    0.64
    """
    return plain((1 - share("churn", churn)) ** number("tenure", tenure, 0.0))


def sbg_survival(tenure: ArrayLike, alpha: ArrayLike, beta: ArrayLike) -> Array:
    """Probability that an account is still there after `tenure` periods, when churn differs by account.

    S(t) = B(alpha, beta + t) / B(alpha, beta): each account has its own constant churn probability, and
    these follow Beta(alpha, beta). S(0) = 1; the first loss is possible in the first period. Accurate to
    about 1e-16 times the tenure at any alpha and beta, where a difference of log beta functions is not.

    Parameters
    ----------
    tenure : array_like
        Periods completed, >= 0; need not be whole.
    alpha, beta : array_like
        Parameters of the beta law of churn, > 0; broadcast with `tenure`.

    Returns
    -------
    float or ndarray
        Probability in [0, 1], of the broadcast shape; always finite.

    Raises
    ------
    AssumptionError
        If `tenure` is negative, or `alpha` or `beta` is not positive.

    Notes
    -----
    Source: Fader & Hardie (2007), Journal of Interactive Marketing 21(1), 76-90.

    Examples
    --------
    At alpha = beta = 1 churn is uniform on (0, 1) and S(t) = 1 / (1 + t):

    >>> round(sbg_survival(3, 1, 1), 6)
    0.25
    """
    t = number("tenure", tenure, 0.0)
    a, b = _shapes(alpha, beta)
    near = np.ones(np.broadcast_shapes(t.shape, a.shape, b.shape))
    for i in range(_SHIFT):
        near = near * ((b + i) / (a + b + i)) * ((a + b + i + t) / (b + i + t))
    return plain(near * np.exp(_far_log_survival(t, a, b + _SHIFT)))


def sbg_retention(tenure: ArrayLike, alpha: ArrayLike, beta: ArrayLike) -> Array:
    """Probability that an account which reached its `tenure`-th renewal renews.

    r(t) = S(t) / S(t-1) = (beta + t - 1) / (alpha + beta + t - 1), t counted from 1. It rises with t although
    no account changes: those with high churn leave first.

    Parameters
    ----------
    tenure : array_like
        Number of the renewal, >= 1 (the first is 1).
    alpha, beta : array_like
        Parameters of the beta law of churn, > 0; broadcast with `tenure`.

    Returns
    -------
    float or ndarray
        Probability in (0, 1), of the broadcast shape; always finite.

    Raises
    ------
    AssumptionError
        If `tenure` is below 1, or `alpha` or `beta` is not positive.

    Notes
    -----
    Source: Fader & Hardie (2007), Journal of Interactive Marketing 21(1), 76-90.

    Examples
    --------
    >>> sbg_retention([1, 2, 3], 1, 3).round(6).tolist()
    [0.75, 0.8, 0.833333]
    """
    t = number("tenure", tenure, 1.0)
    a, b = _shapes(alpha, beta)
    return plain((b + (t - 1)) / (a + b + (t - 1)))


def sbg_hazard(tenure: ArrayLike, alpha: ArrayLike, beta: ArrayLike) -> Array:
    """Probability that an account with `tenure` completed periods leaves in the next one.

    h(t) = alpha / (alpha + beta + t) = 1 - r(t + 1), t counted from 0 as in the cells of a cohort table.

    Parameters
    ----------
    tenure : array_like
        Periods completed, >= 0 (an account in its first period has 0).
    alpha, beta : array_like
        Parameters of the beta law of churn, > 0; broadcast with `tenure`.

    Returns
    -------
    float or ndarray
        Probability in (0, 1), of the broadcast shape; always finite.

    Raises
    ------
    AssumptionError
        If `tenure` is negative, or `alpha` or `beta` is not positive.

    Notes
    -----
    Source: Fader & Hardie (2007), Journal of Interactive Marketing 21(1), 76-90.

    Examples
    --------
    >>> sbg_hazard([0, 1], 1, 3).round(6).tolist()
    [0.25, 0.2]
    """
    t = number("tenure", tenure, 0.0)
    a, b = _shapes(alpha, beta)
    return plain(a / (a + b + t))


def _shapes(alpha: ArrayLike, beta: ArrayLike) -> tuple[Floats, Floats]:
    return number("alpha", alpha, 0.0, above=True), number("beta", beta, 0.0, above=True)


def _far_log_survival(tenure: Floats, alpha: Floats, beta: Floats) -> Floats:
    # Stirling's series of the four log gammas with their large terms cancelled by hand; needs beta >= 16.
    far = tenure * np.log1p(-alpha / (alpha + beta + tenure))
    return np.asarray(far + _stirling_rest(beta, tenure) - _stirling_rest(alpha + beta, tenure))


def _stirling_rest(x: Floats, tenure: Floats) -> Floats:
    later = x + tenure
    series = sum(c * (later ** -(2 * k + 1) - x ** -(2 * k + 1)) for k, c in enumerate(_STIRLING))
    return np.asarray((x - 0.5) * np.log1p(tenure / x) + series)
