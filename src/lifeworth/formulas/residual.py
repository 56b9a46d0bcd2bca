"""Expected discounted life of new accounts (DEL) and of those that have stayed so far (DERL)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from lifeworth._ops import Array
from lifeworth.errors import AssumptionError
from lifeworth.formulas._checks import Floats, OnUndefined, number, plain, quotient, share, where_defined
from lifeworth.formulas._special import beta_fraction, scaled_expint

_SMALLEST_DISCOUNT = 1e-8


def derl(
    retention: ArrayLike,
    discount_rate: ArrayLike,
    *,
    continued: bool = False,
    on_undefined: OnUndefined = "raise",
) -> Array:
    """Discounted expected residual lifetime under any retention rates, in payments.

    DERL = sum over k = 0, 1, ... of r(1) r(2) ... r(k+1) / (1 + d)^k: the account stands just before a
    renewal whose payment, if made, is not discounted. The sum ends with the rates given, unless `continued`.

    Parameters
    ----------
    retention : array_like, shape (..., horizon)
        Probability of staying through each next renewal, in [0, 1]; the next one first.
    discount_rate : array_like, shape (...)
        Rate per period, > -1.
    continued : bool
        Whether the last retention rate holds for ever after.
    on_undefined : {"raise", "nan"}
        What an infinite sum gives; "nan" also passes missing values through.

    Returns
    -------
    float or ndarray, shape (...)
        Expected discounted payments. Finite without `continued`; with it if (last rate) < 1 + d.

    Raises
    ------
    AssumptionError
        If the sum is infinite (no discount and a last rate of one), or an argument is out of range.

    Notes
    -----
    Source: Fader & Hardie (2010), Marketing Science 29(1), 85-93.

    Examples
    --------
    Half of half, half discounted: 0.5 + 0.25 / 2.

    >>> derl([0.5, 0.5], 1.0)
    0.625
    """
    r = np.atleast_1d(share("retention", retention, on_undefined))
    d = number("discount_rate", discount_rate, -1.0, above=True, on_undefined=on_undefined)
    if not r.shape[-1]:
        raise AssumptionError("retention is empty: at least one period is needed.")
    paid = np.cumprod(r, axis=-1) * (1 + d[..., None]) ** -np.arange(float(r.shape[-1]))
    total, last = paid.sum(axis=-1), r[..., -1]
    if not continued:
        return plain(total)
    reason = "derl: the last retention rate is not below 1 + discount_rate, so the continued sum is infinite"
    return plain(total + quotient(paid[..., -1] * last, 1 + d - last, reason, on_undefined))


def geometric_derl(churn: ArrayLike, discount_rate: ArrayLike, *, on_undefined: OnUndefined = "raise") -> Array:
    """Discounted expected residual lifetime under constant churn, in payments.

    DERL = r (1 + d) / (1 + d - r), r = 1 - churn: the next renewal is imminent and not discounted. It does
    not depend on tenure, which is what goes wrong where accounts differ.

    Parameters
    ----------
    churn : array_like
        Probability of leaving in a period, in [0, 1].
    discount_rate : array_like
        Rate per period, >= 0; broadcasts with `churn`.
    on_undefined : {"raise", "nan"}
        What an infinite lifetime gives; "nan" also passes missing values through.

    Returns
    -------
    float or ndarray
        Expected discounted payments, of the broadcast shape. Finite if churn + d > 0.

    Raises
    ------
    AssumptionError
        If churn and discount rate are both 0, or an argument is out of range.

    Notes
    -----
    Source: Fader & Hardie (2010), Marketing Science 29(1), 85-93.

    Examples
    --------
    >>> round(geometric_derl(0.2, 0.0), 6)
    4.0
    """
    c = share("churn", churn, on_undefined)
    d = number("discount_rate", discount_rate, 0.0, on_undefined=on_undefined)
    reason = "geometric_derl: neither churn nor discounting, so the residual lifetime is infinite"
    return quotient((1 - c) * (1 + d), c + d, reason, on_undefined)


def sbg_del(
    alpha: ArrayLike, beta: ArrayLike, discount_rate: ArrayLike, *, on_undefined: OnUndefined = "raise"
) -> Array:
    """Discounted expected lifetime of a new account under the sBG law, in payments.

    DEL = sum over t >= 0 of S(t) / (1 + d)^t = 2F1(1, beta; alpha + beta; 1 / (1 + d)): the first payment is
    made at once and is certain (timing "start"). For payments at period ends divide by 1 + d.

    Parameters
    ----------
    alpha, beta : array_like
        Parameters of the beta law of churn, > 0.
    discount_rate : array_like
        Rate per period: 0, or at least 1e-8; all three broadcast.
    on_undefined : {"raise", "nan"}
        What an infinite lifetime gives; "nan" also passes missing values through, for columns.

    Returns
    -------
    float or ndarray
        Expected discounted payments, of the broadcast shape. Finite if d > 0; at d = 0 it is
        (alpha + beta - 1) / (alpha - 1), finite if alpha > 1.

    Raises
    ------
    AssumptionError
        If d = 0 and alpha <= 1, or an argument is out of range.

    Notes
    -----
    Source: Fader & Hardie (2010), Marketing Science 29(1), 85-93.

    Examples
    --------
    Without discounting, at alpha = 2 and beta = 5: 6 / 1.

    >>> sbg_del(2, 5, 0)
    6.0
    """
    a, b, d = _sbg_arguments(alpha, beta, discount_rate, on_undefined)
    return _where_finite("sbg_del", _del(a, b, d), a, d, 1.0, on_undefined)


def sbg_derl(
    tenure: ArrayLike,
    alpha: ArrayLike,
    beta: ArrayLike,
    discount_rate: ArrayLike,
    *,
    on_undefined: OnUndefined = "raise",
) -> Array:
    """Discounted expected residual lifetime of an account in its `tenure`-th period (sBG), in payments.

    DERL(n) = sum over k >= 0 of S(n + k) / S(n - 1) / (1 + d)^k
    = r(n) 2F1(1, beta + n; alpha + beta + n; 1 / (1 + d)): n - 1 renewals were made, the n-th is imminent and
    its payment not discounted. It rises with n.

    Parameters
    ----------
    tenure : array_like
        Period just completed, n >= 1.
    alpha, beta : array_like
        Parameters of the beta law of churn, > 0.
    discount_rate : array_like
        Rate per period: 0, or at least 1e-8; all four broadcast.
    on_undefined : {"raise", "nan"}
        What an infinite lifetime gives; "nan" also passes missing values through, for columns.

    Returns
    -------
    float or ndarray
        Expected discounted payments, of the broadcast shape. Finite if d > 0; at d = 0 it is
        (beta + n - 1) / (alpha - 1), finite if alpha > 1.

    Raises
    ------
    AssumptionError
        If d = 0 and alpha <= 1, or an argument is out of range.

    Notes
    -----
    Source: Fader & Hardie (2010), Marketing Science 29(1), 85-93.

    Examples
    --------
    Without discounting, at alpha = 2 and beta = 5, before the third renewal: 7 / 1.

    >>> round(sbg_derl(3, 2, 5, 0), 6)
    7.0
    """
    n = number("tenure", tenure, 1.0, on_undefined=on_undefined)
    a, b, d = _sbg_arguments(alpha, beta, discount_rate, on_undefined)
    return _where_finite("sbg_derl", _derl(n, a, b, d), a, d, 1.0, on_undefined)


def sbg_del_elasticity(
    alpha: ArrayLike, beta: ArrayLike, discount_rate: ArrayLike, *, on_undefined: OnUndefined = "raise"
) -> Array:
    """Retention elasticity of the sBG lifetime: percent of DEL per percent of every retention rate.

    sum over t of t S(t) / (1 + d)^t, divided by DEL: one percent more retention at every renewal raises the
    t-th payment after the first by t percent. Timing as in `sbg_del`.

    Parameters
    ----------
    alpha, beta : array_like
        Parameters of the beta law of churn, > 0.
    discount_rate : array_like
        Rate per period: 0, or at least 1e-8; all three broadcast.
    on_undefined : {"raise", "nan"}
        What an infinite elasticity gives; "nan" also passes missing values through, for columns.

    Returns
    -------
    float or ndarray
        Elasticity, without unit, of the broadcast shape. Finite if d > 0; at d = 0 if alpha > 2.

    Raises
    ------
    AssumptionError
        If d = 0 and alpha <= 2, or an argument is out of range.

    Notes
    -----
    Source: Fader & Hardie (2010), Marketing Science 29(1), 85-93.

    Examples
    --------
    Without discounting, at alpha = 3 and beta = 5: beta / (alpha - 2).

    >>> round(sbg_del_elasticity(3, 5, 0), 6)
    5.0
    """
    a, b, d = _sbg_arguments(alpha, beta, discount_rate, on_undefined)
    first = np.ones(())
    later = _derl(first, a, b, d) / (1 + d)
    values = later * _elasticity(first, a, b, d) / (1 + later)
    return _where_finite("sbg_del_elasticity", values, a, d, 2.0, on_undefined)


def sbg_derl_elasticity(
    tenure: ArrayLike,
    alpha: ArrayLike,
    beta: ArrayLike,
    discount_rate: ArrayLike,
    *,
    on_undefined: OnUndefined = "raise",
) -> Array:
    """Retention elasticity of the sBG residual lifetime: percent of DERL per percent of every retention rate.

    2F1(2, beta + n; alpha + beta + n; z) / 2F1(1, beta + n; alpha + beta + n; z), z = 1 / (1 + d); for
    constant retention it is (1 + d) / (1 + d - r). Timing as in `sbg_derl`.

    Parameters
    ----------
    tenure : array_like
        Period just completed, n >= 1.
    alpha, beta : array_like
        Parameters of the beta law of churn, > 0.
    discount_rate : array_like
        Rate per period: 0, or at least 1e-8; all four broadcast.
    on_undefined : {"raise", "nan"}
        What an infinite elasticity gives; "nan" also passes missing values through, for columns.

    Returns
    -------
    float or ndarray
        Elasticity, without unit, of the broadcast shape. Finite if d > 0; at d = 0 if alpha > 2.

    Raises
    ------
    AssumptionError
        If d = 0 and alpha <= 2, or an argument is out of range.

    Notes
    -----
    Source: Fader & Hardie (2010), Marketing Science 29(1), 85-93.

    Examples
    --------
    Without discounting, at alpha = 3, beta = 5 and n = 1: (alpha + beta + n - 2) / (alpha - 2).

    >>> round(sbg_derl_elasticity(1, 3, 5, 0), 6)
    7.0
    """
    n = number("tenure", tenure, 1.0, on_undefined=on_undefined)
    a, b, d = _sbg_arguments(alpha, beta, discount_rate, on_undefined)
    return _where_finite("sbg_derl_elasticity", _elasticity(n, a, b, d), a, d, 2.0, on_undefined)


def pareto2_derl(
    elapsed: ArrayLike,
    shape: ArrayLike,
    scale: ArrayLike,
    discount_rate_continuous: ArrayLike,
    *,
    on_undefined: OnUndefined = "raise",
) -> Array:
    """Discounted expected residual lifetime when accounts may leave at any moment (Pareto II), in periods.

    DERL = integral over x >= 0 of ((scale + t) / (scale + t + x))^shape exp(-delta x)
    = (scale + t)^s delta^(s - 1) Psi(s, s; (scale + t) delta): money flows evenly from now on.

    Parameters
    ----------
    elapsed : array_like
        Time since acquisition t, >= 0, in periods.
    shape, scale : array_like
        Of the gamma law of the leaving rate, > 0; the scale in periods.
    discount_rate_continuous : array_like
        Continuously compounded rate delta per period, >= 0, which is log(1 + d); all four broadcast.
    on_undefined : {"raise", "nan"}
        What an infinite lifetime gives; "nan" also passes missing values through, for columns.

    Returns
    -------
    float or ndarray
        Expected discounted periods, of the broadcast shape. Finite if delta > 0; at delta = 0 it is
        (scale + t) / (shape - 1), finite if shape > 1.

    Raises
    ------
    AssumptionError
        If delta = 0 and shape <= 1, or an argument is out of range.

    Notes
    -----
    Source: Fader & Hardie, notes on contractual settings in continuous time.

    Examples
    --------
    Without discounting, after ten periods at shape 3 and scale 10: 20 / 2.

    >>> round(pareto2_derl(10, 3, 10, 0), 6)
    10.0
    """
    mode = on_undefined
    scaled = number("scale", scale, 0.0, above=True, on_undefined=mode)
    scaled = np.asarray(scaled + number("elapsed", elapsed, 0.0, on_undefined=mode))
    s = number("shape", shape, 0.0, above=True, on_undefined=mode)
    delta = number("discount_rate_continuous", discount_rate_continuous, 0.0, on_undefined=mode)
    values = scaled * scaled_expint(s, scaled * np.where(delta > 0, delta, 1.0))
    still = scaled / np.where(s > 1, s - 1, np.nan)
    reason = "pareto2_derl: no discounting and shape <= 1, so the residual lifetime is infinite"
    return where_defined(np.where(delta > 0, values, still), (delta > 0) | (s > 1), reason, on_undefined)


def _sbg_arguments(
    alpha: ArrayLike, beta: ArrayLike, discount_rate: ArrayLike, mode: OnUndefined
) -> tuple[Floats, Floats, Floats]:
    d = number("discount_rate", discount_rate, 0.0, on_undefined=mode)
    if np.any((d > 0) & (d < _SMALLEST_DISCOUNT)):
        raise AssumptionError(f"discount_rate must be 0 or at least {_SMALLEST_DISCOUNT:g}.")
    a = number("alpha", alpha, 0.0, above=True, on_undefined=mode)
    return a, number("beta", beta, 0.0, above=True, on_undefined=mode), d


def _where_finite(name: str, values: Array, alpha: Floats, d: Floats, low: float, mode: OnUndefined) -> Array:
    reason = f"{name}: no discounting and alpha <= {low:g}, so the sum is infinite"
    return where_defined(values, (d > 0) | (alpha > low), reason, mode)


def _del(alpha: Floats, beta: Floats, d: Floats) -> Floats:
    value, _ = beta_fraction(alpha, beta, np.where(d > 0, d, 1.0))
    still = (alpha + beta - 1) / np.where(alpha > 1, alpha - 1, np.nan)
    return np.where(d > 0, (1 + d) / value, still)


def _derl(tenure: Floats, alpha: Floats, beta: Floats, d: Floats) -> Floats:
    renews = (beta + (tenure - 1)) / (alpha + beta + (tenure - 1))
    return np.asarray(renews * _del(alpha, beta + tenure, d))


def _elasticity(tenure: Floats, alpha: Floats, beta: Floats, d: Floats) -> Floats:
    value, slope = beta_fraction(alpha, beta + tenure, np.where(d > 0, d, 1.0))
    still = (alpha + beta + tenure - 2) / np.where(alpha > 2, alpha - 2, np.nan)
    return np.where(d > 0, (1 + d) * slope / value, still)
