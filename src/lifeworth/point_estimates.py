"""Maximum-likelihood point estimates of the purchase models, by the fitters of lifetimes.

Only its fitters are used, and of them only the parameters: its year has 360 days, its covariances are wrong off the
diagonal, and what it changes on import (warning filters, an option of pandas) is put back.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from lifeworth._ops import Array
from lifeworth.errors import DefinitionError, FitError
from lifeworth.purchases import BGBB, BGNBD, MBGNBD, GammaGamma, History, ParetoNBD, PurchaseModel, Spend


def point_estimate(
    model: PurchaseModel | GammaGamma, rows: History | Spend, *, customers: Array | None = None
) -> dict[str, float]:
    """Parameters of greatest likelihood: a point without an interval, for comparison with the posterior.

    Parameters
    ----------
    model : PurchaseModel or GammaGamma
        A model of the package.
    rows : History, or Spend for GammaGamma
        Customers or distinct rows. GammaGamma leaves rows without a repeat purchase out.
    customers : array (n,), optional
        Customers per row; one each by default.

    Returns
    -------
    dict of str to float
        The model's parameters in natural units; `model.to_classic` gives those of the publications.

    Raises
    ------
    DefinitionError
        lifetimes has no such model, or the rows are not what it is fitted to.
    FitError
        The fitter did not converge, or found a spend whose mean over customers is infinite.

    Examples
    --------
    20,000 customers drawn at a mean of 5 purchases a year, of whom one in five leaves after each:

    >>> theta = {"purchase_rate": 5.0, "rate_variation": 1.0, "dropout": 0.2, "dropout_polarization": 0.2}
    >>> rows = BGNBD().draw_history(np.full(20_000, 2.0), theta, np.random.default_rng(1))
    >>> found = point_estimate(BGNBD(), rows)
    >>> round(found["purchase_rate"]), round(found["dropout"], 2)
    (5, 0.2)
    """
    wanted = Spend if isinstance(model, GammaGamma) else History
    fitter = next((fit for kind, fit in _FITTERS.items() if type(model) is kind), None)
    if fitter is None or not isinstance(rows, wanted):
        known = ", ".join(kind.__name__ for kind in _FITTERS)
        raise DefinitionError(
            f"lifetimes cannot fit {type(model).__name__} to a {type(rows).__name__}. It has {known}; GammaGamma is "
            "fitted to Spend, all others to History."
        )
    weights = np.ones(len(rows.frequency)) if customers is None else np.asarray(customers, dtype=float)
    with _lifetimes() as library:
        try:
            found = fitter(library, rows, weights)
        except (ValueError, FloatingPointError) as error:  # ConvergenceError is a ValueError
            text = " ".join(str(error).split())
            raise FitError(f"lifetimes could not fit {type(model).__name__}: {text}") from error
    if not np.isfinite(found).all():
        raise FitError(f"lifetimes found {found} for {type(model).__name__}: not finite. Fit the posterior instead.")
    return _natural(model, found)


def _natural(model: Any, found: list[float]) -> dict[str, float]:
    if isinstance(model, GammaGamma) and found[1] <= 1:
        raise FitError(
            f"the fitted q is {found[1]:.4g}: at or below 1 the mean spend over customers is infinite. "
            "Fit the posterior, which keeps it finite, or look for a few very large amounts."
        )
    return {name: float(value) for name, value in model.from_classic(*found).items()}


def _bg_nbd(library: Any, rows: Any, weights: Array) -> list[float]:
    fit = library.BetaGeoFitter().fit(rows.frequency, rows.recency, rows.age, weights=weights)
    return [fit.params_[name] for name in ("r", "alpha", "a", "b")]


def _mbg_nbd(library: Any, rows: Any, weights: Array) -> list[float]:
    fit = library.ModifiedBetaGeoFitter().fit(rows.frequency, rows.recency, rows.age, weights=weights)
    return [fit.params_[name] for name in ("r", "alpha", "a", "b")]


def _pareto_nbd(library: Any, rows: Any, weights: Array) -> list[float]:
    """From a start of its own, or it would draw one from NumPy's global generator."""
    start = np.array([0.5, 1.0, 0.5, 1.0])
    fit = library.ParetoNBDFitter().fit(
        rows.frequency, rows.recency, rows.age, weights=weights, initial_params=start, tol=1e-8, maxiter=10_000
    )
    return [fit.params_[name] for name in ("r", "alpha", "s", "beta")]


def _bg_bb(library: Any, rows: Any, weights: Array) -> list[float]:
    fit = library.BetaGeoBetaBinomFitter().fit(rows.frequency, rows.recency, rows.age, weights=weights)
    return [fit.params_[name] for name in ("alpha", "beta", "gamma", "delta")]


def _gamma_gamma(library: Any, rows: Any, weights: Array) -> list[float]:
    repeat = rows.frequency > 0
    fit = library.GammaGammaFitter().fit(rows.frequency[repeat], rows.mean[repeat], weights=weights[repeat])
    return [fit.params_[name] for name in ("p", "q", "v")]


_FITTERS: dict[type, Callable[[Any, Any, Array], list[float]]] = {
    BGNBD: _bg_nbd,
    MBGNBD: _mbg_nbd,
    ParetoNBD: _pareto_nbd,
    BGBB: _bg_bb,
    GammaGamma: _gamma_gamma,
}


@contextlib.contextmanager
def _lifetimes() -> Iterator[Any]:
    """The library, silent, and the settings of others as they were."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        chained = pd.get_option("mode.chained_assignment")
        import lifetimes

        pd.set_option("mode.chained_assignment", chained)
        yield lifetimes
