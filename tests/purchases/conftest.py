"""Histories and a maximiser for the tests of the purchase models."""

import numpy as np
import pytest
from scipy import optimize, special

from lifeworth._parameters import draw_prior


@pytest.fixture(scope="session")
def maximise():
    """A function that gives the maximum of `log_likelihood`, from the prior medians: (parameters, its value)."""

    def maximise(parameters, log_likelihood):
        def natural(linked):
            pairs = zip(parameters, linked, strict=True)
            return {p.name: special.expit(v) if p.link == "logit" else np.exp(v) for p, v in pairs}

        def loss(linked):
            return -log_likelihood(natural(linked))

        start = np.array([p.location_scale()[0] for p in parameters])
        found = optimize.minimize(loss, start, method="L-BFGS-B", bounds=[(v - 6, v + 6) for v in start])
        options = {"maxiter": 4000, "maxfev": 4000, "xatol": 1e-7, "fatol": 1e-9}
        found = optimize.minimize(loss, found.x, method="Nelder-Mead", options=options)
        return natural(found.x), -found.fun

    return maximise


@pytest.fixture(scope="session")
def prior_theta():
    """A function that draws the parameters of a model from their prior, (draws, 1) each."""

    def prior_theta(model, draws=50, seed=1):
        return draw_prior(model.parameters, np.random.default_rng(seed), draws)

    return prior_theta


@pytest.fixture(scope="session")
def medians():
    """A function that gives the prior medians of a model as numbers."""

    def medians(model):
        return {p.name: float(p.natural(np.asarray(p.location_scale()[0]))) for p in model.parameters}

    return medians
