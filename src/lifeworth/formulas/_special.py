"""Two special functions where scipy's are inaccurate or missing."""

from __future__ import annotations

import numpy as np

from lifeworth.formulas._checks import Floats


def beta_fraction(alpha: Floats, beta: Floats, d: Floats) -> tuple[Floats, Floats]:
    """Return u with E[1 / (d + churn)] = 1 / u over churn ~ Beta(alpha, beta), and du / dd.

    DEL = (1 + d) / u. Gauss's continued fraction of 2F1(1, alpha; alpha + beta; -1/d) has positive terms
    only, so nothing cancels; scipy's hyp2f1 (1.18) returns nan at alpha = 100, beta = 1000, d = 0.1.
    """
    total = alpha + beta
    root = np.sqrt(d * (1 + d))
    value, slope = (d + root) / 2, (1 + (2 * d + 1) / (2 * root)) / 2  # the fraction's own limit
    levels = int(np.ceil(np.max(20 / np.log1p(4 * value), initial=0.0))) + 20
    for m in range(levels, -1, -1):
        shrink = (total + (m - 1)) / (total + (2 * m - 1)) if m else 1.0
        odd = (alpha + m) / (total + 2 * m) * shrink
        even = (m + 1) * (beta + m) / (total + 2 * m) / (total + (2 * m + 1))
        inner = value + even
        slope = 1 + odd * even * slope / inner**2
        value = d + odd * value / inner
    return value, slope


def scaled_expint(order: Floats, x: Floats) -> Floats:
    """Return e^x E_s(x), the generalised exponential integral of order s > 0 at x > 0.

    Trapezoidal rule over v after substituting e^v / (x + s), which converges geometrically.
    """
    unit = 1 / (x + order)[..., None]
    last = 7 + np.nanmax(np.log1p(order / x), initial=0.0)
    nodes = np.exp(np.arange(-42.0, last, 0.125)) * unit
    log_integrand = -order[..., None] * np.log1p(nodes) - x[..., None] * nodes
    return np.asarray(0.125 * np.sum(nodes * np.exp(log_integrand), axis=-1))
