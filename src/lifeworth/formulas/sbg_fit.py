"""Maximum-likelihood point estimates of constant and of shifted-beta-geometric (sBG) churn from counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special

from lifeworth._ops import Array
from lifeworth.errors import AssumptionError, DataError, FitError
from lifeworth.formulas._checks import Floats, number, plain

_SAME_FIT = 1e-9
_GEOMETRIC, _POLARIZED = 1e9, 1e-9


@dataclass(frozen=True, slots=True)
class GeometricFit:
    """Maximum-likelihood estimate of one constant churn probability.

    Parameters
    ----------
    churn : float
        Probability of leaving in a period.
    log_likelihood : float
        Of the counts, in natural logarithms.

    Examples
    --------
    >>> GeometricFit(churn=0.25, log_likelihood=-2.25).churn
    0.25
    """

    churn: float
    log_likelihood: float


@dataclass(frozen=True, slots=True)
class SbgFit:
    """Maximum-likelihood estimate of the beta law of churn probabilities among accounts.

    Parameters
    ----------
    alpha, beta : float
        Parameters of the beta law.
    log_likelihood : float
        Of the counts, in natural logarithms.
    limit : {None, "geometric", "polarized"}
        Where the likelihood has no maximum at finite parameters: "geometric" if accounts show no difference
        in churn (alpha + beta is set to 1e9), "polarized" if nobody left after the first period (set to
        1e-9).

    Examples
    --------
    >>> SbgFit(alpha=1.0, beta=3.0, log_likelihood=-10.0, limit=None).first_churn
    0.25
    """

    alpha: float
    beta: float
    log_likelihood: float
    limit: Literal["geometric", "polarized"] | None

    @property
    def first_churn(self) -> float:
        """Mean churn probability alpha / (alpha + beta), that of the first period."""
        return self.alpha / (self.alpha + self.beta)


def fit_geometric(at_risk: ArrayLike, churned: ArrayLike) -> GeometricFit:
    """Constant churn probability per period that makes the counts most likely.

    churn = (sum of churned) / (sum of at_risk).

    Parameters
    ----------
    at_risk : array_like
        Accounts, or weights, at the start of each cell, >= 0.
    churned : array_like
        Of them, those that left in it, in [0, at_risk]; of the same shape.

    Returns
    -------
    GeometricFit
        Churn and log-likelihood; finite if any account was at risk.

    Raises
    ------
    AssumptionError
        If nobody was at risk, or a count is missing or negative.
    DataError
        If shapes differ or more left than were at risk.

    Notes
    -----
    Source: Fader & Hardie (2007), Journal of Interactive Marketing 21(1), 76-90.

    Examples
    --------
    >>> fit_geometric([10, 5], [5, 1]).churn  # 6 of 15
    0.4
    """
    n, lost, _ = _counts(at_risk, churned, None)
    churn = float(lost.sum() / n.sum())
    likelihood = special.xlogy(lost.sum(), churn) + special.xlog1py((n - lost).sum(), -churn)
    return GeometricFit(churn, float(likelihood))


def sbg_log_likelihood(
    alpha: ArrayLike,
    beta: ArrayLike,
    at_risk: ArrayLike,
    churned: ArrayLike,
    tenure: ArrayLike | None = None,
) -> Array:
    """Log-likelihood of counts by tenure under the sBG law, in natural logarithms.

    Sum over cells of churned log h(t) + (at_risk - churned) log(1 - h(t)), h(t) = alpha / (alpha + beta + t),
    t from 0. For one whole cohort it equals the sum of losses times log P(lost at t) and survivors times log
    S.

    Parameters
    ----------
    alpha, beta : array_like, shape (...)
        Parameters of the beta law of churn, > 0.
    at_risk, churned : array_like, shape (..., tenures)
        Counts or weights by tenure; all cells of the array are summed.
    tenure : array_like, optional
        Completed periods of each cell, >= 0, broadcasting with the counts; 0, 1, ... along the last axis if
        left out.

    Returns
    -------
    float or ndarray, shape (...) of alpha and beta
        Log-likelihood, without the binomial constants; always finite.

    Raises
    ------
    AssumptionError
        If nobody was at risk, or an argument is missing or out of range.
    DataError
        If shapes differ or more left than were at risk.

    Notes
    -----
    Source: Fader & Hardie (2007), Journal of Interactive Marketing 21(1), 76-90, appendix.

    Examples
    --------
    One of two leaves at alpha = beta = 1: 2 log(1/2).

    >>> round(sbg_log_likelihood(1, 1, [2], [1]), 6)
    -1.386294
    """
    n, lost, t = _counts(at_risk, churned, tenure)
    a = number("alpha", alpha, 0.0, above=True)[..., None]
    b = number("beta", beta, 0.0, above=True)[..., None]
    cells = lost * np.log(a / (a + b + t)) + (n - lost) * np.log((b + t) / (a + b + t))
    return plain(cells.sum(axis=-1))


def fit_sbg(at_risk: ArrayLike, churned: ArrayLike, tenure: ArrayLike | None = None) -> SbgFit:
    """Parameters of the sBG law that make the counts most likely, by cohort or over many cohorts at once.

    Maximises `sbg_log_likelihood` over the mean and the sum of alpha and beta. Counts may be weights; a cell
    with at_risk 0 is not observed, and tenures need not start at 0 (late entry).

    Parameters
    ----------
    at_risk, churned : array_like, shape (..., tenures)
        Counts or weights by tenure; all cells of the array are used together.
    tenure : array_like, optional
        Completed periods of each cell, >= 0, broadcasting with the counts; 0, 1, ... along the last axis if
        left out.

    Returns
    -------
    SbgFit
        alpha, beta, log-likelihood, and the limit they ran to, if any.

    Raises
    ------
    AssumptionError
        If nobody or everybody left, or fewer than two tenures were observed: no estimate exists.
    DataError
        If shapes differ or more left than were at risk.
    FitError
        If the optimiser found no maximum.

    Notes
    -----
    Source: Fader & Hardie (2007), Journal of Interactive Marketing 21(1), 76-90.

    Examples
    --------
    Hazards 1/4, 1/5, 1/6 are those of alpha = 1, beta = 3:

    >>> estimate = fit_sbg([400, 300, 240], [100, 60, 40])
    >>> round(estimate.alpha, 4), round(estimate.beta, 4)
    (1.0, 3.0)
    """
    n, lost, t = _counts(at_risk, churned, tenure)
    if not 0 < lost.sum() < n.sum():
        whom = "nobody" if lost.sum() == 0 else "everybody"
        raise AssumptionError(f"fit_sbg: {whom} left, so alpha and beta have no estimate.")
    if np.unique(t[n > 0]).size < 2:
        raise AssumptionError("fit_sbg: one tenure shows the mean churn only; at least two are needed.")
    if lost[t > 0].sum() == 0:
        return _at(lost[t == 0].sum() / n[t == 0].sum(), _POLARIZED, "polarized", n, lost, t)
    constant = fit_geometric(n, lost)
    alpha, beta, likelihood = _maximum(n, lost, t)
    if likelihood <= constant.log_likelihood + _SAME_FIT * n.sum():
        return _at(constant.churn, _GEOMETRIC, "geometric", n, lost, t)
    return SbgFit(alpha, beta, likelihood, None)


def _counts(at_risk: ArrayLike, churned: ArrayLike, tenure: ArrayLike | None) -> tuple[Floats, Floats, Floats]:
    n = np.atleast_1d(number("at_risk", at_risk, 0.0))
    lost = np.atleast_1d(number("churned", churned, 0.0))
    if n.shape != lost.shape:
        raise DataError(f"at_risk has shape {n.shape} and churned {lost.shape}; they must be the same.")
    if not n.sum():
        raise AssumptionError("at_risk is 0 everywhere: nobody was observed.")
    if np.any(lost > n):
        worst = ", ".join(f"{d:g} > {k:g}" for d, k in zip(lost[lost > n][:5], n[lost > n][:5], strict=True))
        raise DataError(f"churned exceeds at_risk in {np.sum(lost > n)} cells: {worst}.")
    t = np.arange(float(n.shape[-1])) if tenure is None else number("tenure", tenure, 0.0)
    try:
        t = np.broadcast_to(t, n.shape)
    except ValueError as error:
        raise DataError(f"tenure has shape {t.shape} and at_risk {n.shape}; they must match.") from error
    return n.ravel(), lost.ravel(), t.ravel()


def _at(churn: float, total: float, limit: Literal["geometric", "polarized"], *cells: Floats) -> SbgFit:
    alpha, beta = float(churn * total), float((1 - churn) * total)
    return SbgFit(alpha, beta, sbg_log_likelihood(alpha, beta, *cells), limit)


def _maximum(n: Floats, lost: Floats, t: Floats) -> tuple[float, float, float]:
    churn = lost.sum() / n.sum()
    starts = [(special.logit(churn), np.log(total)) for total in (0.5, 5.0, 50.0)]
    fits = [
        optimize.minimize(
            _loss,
            start,
            args=(n, lost, t),
            jac=True,
            method="L-BFGS-B",
            bounds=[(-30, 30), (np.log(_POLARIZED), np.log(_GEOMETRIC))],
            options={"ftol": 1e-15, "gtol": 1e-11, "maxiter": 1000},
        )
        for start in starts
    ]
    best = min(fits, key=lambda fit: float(fit.fun))
    if not np.isfinite(best.fun) or abs(best.x[0]) >= 30:
        raise FitError("fit_sbg: the likelihood has no maximum inside alpha, beta > 0.")
    total, share_lost = np.exp(best.x[1]), special.expit(best.x[0])
    return (
        float(total * share_lost),
        float(total * special.expit(-best.x[0])),
        -float(best.fun) * float(n.sum()),
    )


def _loss(x: Floats, n: Floats, lost: Floats, t: Floats) -> tuple[float, Floats]:
    # Minus the mean log-likelihood and its gradient in logit(mean churn) and log(alpha + beta).
    total = np.exp(x[1])
    alpha, beta = total * special.expit(x[0]), total * special.expit(-x[0])
    kept = n - lost
    cells = lost * np.log(alpha / (total + t)) + kept * np.log((beta + t) / (total + t))
    both = np.sum(n / (total + t))
    by_alpha, by_beta = lost.sum() / alpha - both, np.sum(kept / (beta + t)) - both
    gradient = np.array([alpha * beta / total * (by_alpha - by_beta), alpha * by_alpha + beta * by_beta])
    return -float(cells.sum() / n.sum()), -gradient / n.sum()
