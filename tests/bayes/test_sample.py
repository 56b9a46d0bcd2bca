"""NUTS against exact posteriors on a grid, and what the same seed and the same shape promise."""

from pathlib import Path

import arviz as az
import numpy as np
import pandas as pd
import pytest
from scipy import special

from lifeworth.bayes import sample
from lifeworth.churn import Geometric, ShiftedBetaGeometric
from lifeworth.errors import TenureWarning
from lifeworth.fitting import fit
from lifeworth.ledger import CohortTable
from lifeworth.model import log_likelihood
from lifeworth.results import SamplerOptions

pytestmark = pytest.mark.mcmc
FADER_HARDIE = pd.read_csv(Path(__file__).parents[1] / "reference" / "fader_hardie_2007.csv", comment="#")
OPTIONS = SamplerOptions(draws=2000, tune=500, chains=4, cores=2)
PROBABILITIES = (0.05, 0.25, 0.50, 0.75, 0.95)


def table_of(segment, years=7):
    active = FADER_HARDIE[segment].to_numpy()[: years + 1]
    cells = {"tenure": np.arange(years), "at_risk": active[:-1], "churned": active[:-1] - active[1:]}
    return CohortTable.from_counts(pd.DataFrame({"cohort": segment} | cells), period="year")


@pytest.fixture(scope="module")
def high_end():
    return table_of("high_end")


@pytest.fixture(scope="module")
def sbg(high_end):
    return fit(high_end, churn=ShiftedBetaGeometric(), seed=3, sampler=OPTIONS)


@pytest.fixture(scope="module")
def geometric(high_end):
    with pytest.warns(TenureWarning, match="Geometric is refused"):
        return fit(high_end, churn=Geometric(), seed=3, sampler=OPTIONS)


def grid_posterior(curve, table, ends, points):
    """Natural values along each axis and the normalised posterior on the product of the link scales."""
    axes = [np.linspace(*end, points) for end in ends]
    at = np.meshgrid(*axes, indexing="ij")
    theta = {p.name: special.expit(x).reshape(-1, 1) for p, x in zip(curve.parameters, at, strict=True)}
    stay = curve.log_retention(table.frame["tenure"].to_numpy(), theta)
    at_risk, churned = (table.frame[c].to_numpy(dtype=float) for c in ("at_risk", "churned"))
    density = log_likelihood(stay, at_risk, churned).sum(axis=1).reshape(at[0].shape)
    for p, x in zip(curve.parameters, at, strict=True):
        location, sd = p.location_scale()
        density = density - 0.5 * ((x - location) / sd) ** 2
    density = np.exp(density - density.max())
    assert max(np.take(density, [0, -1], axis=k).max() for k in range(len(axes))) < 1e-8, "the grid is too small"
    return axes, density / density.sum()


def grid_quantiles(axes, density, axis):
    marginal = density.sum(axis=tuple(k for k in range(density.ndim) if k != axis))
    below = np.cumsum(marginal) - marginal / 2
    return special.expit(np.interp(PROBABILITIES, below, axes[axis]))


def assert_quantiles_agree(draws, exact):
    """Each sample quantile within 4 Monte Carlo standard errors of the exact one."""
    values = draws.to_numpy()
    for probability, expected in zip(PROBABILITIES, exact, strict=True):
        error = float(az.mcse(values, method="quantile", prob=probability))
        found = float(np.quantile(values, probability))
        assert abs(found - expected) < 4 * error
        assert error < 0.1 * (exact[-1] - exact[0]), "too few draws to tell anything"


@pytest.mark.parametrize("axis", [0, 1], ids=["first_churn", "polarization"])
def test_nuts_draws_the_exact_posterior_of_sbg(sbg, high_end, axis):
    curve = ShiftedBetaGeometric()
    axes, density = grid_posterior(curve, high_end, [(-2.4, -1.2), (-3.8, 0.8)], 700)
    name = curve.parameters[axis].name
    assert_quantiles_agree(sbg.draws["logo"][name], grid_quantiles(axes, density, axis))


def test_nuts_draws_the_exact_posterior_of_geometric(geometric, high_end):
    axes, density = grid_posterior(Geometric(), high_end, [(-2.8, -1.6)], 4000)
    assert_quantiles_agree(geometric.draws["logo"]["first_churn"], grid_quantiles(axes, density, 0))


def test_the_posterior_correlation_of_sbg_is_that_of_the_grid(sbg, high_end):
    """Polarization explains a high first churn: the two are not independent."""
    axes, density = grid_posterior(ShiftedBetaGeometric(), high_end, [(-2.4, -1.2), (-3.8, 0.8)], 700)
    x, y = (np.asarray(a) for a in axes)
    mean = [density.sum(axis=1) @ x, density.sum(axis=0) @ y]
    sd = [np.sqrt(density.sum(axis=1) @ (x - mean[0]) ** 2), np.sqrt(density.sum(axis=0) @ (y - mean[1]) ** 2)]
    exact = ((x - mean[0])[:, None] * (y - mean[1])[None, :] * density).sum() / (sd[0] * sd[1])
    logo = sbg.draws["logo"]
    found = [special.logit(logo[n].to_numpy().ravel()) for n in ("first_churn", "polarization")]
    product = np.prod([(v - m) / s for v, m, s in zip(found, mean, sd, strict=True)], axis=0).reshape(4, -1)
    assert abs(product.mean() - exact) < 4 * float(az.mcse(product))


def test_the_diagnostics_pass(sbg):
    assert sbg.diagnostics.verdict == "PASS"


def test_the_same_seed_gives_the_same_draws(sbg, high_end):
    again = fit(high_end, churn=ShiftedBetaGeometric(), seed=3, sampler=OPTIONS)
    for name in ("first_churn", "polarization"):
        np.testing.assert_array_equal(again.draws["logo"][name], sbg.draws["logo"][name])


def test_another_seed_gives_other_draws(sbg, high_end):
    other = fit(high_end, churn=ShiftedBetaGeometric(), seed=4, sampler=OPTIONS)
    assert not np.array_equal(other.draws["logo"]["first_churn"], sbg.draws["logo"]["first_churn"])


def test_another_table_of_the_same_shape_compiles_nothing(sbg):
    before = sample._compiled.cache_info()
    regular = fit(table_of("regular", years=5), churn=ShiftedBetaGeometric(), seed=1, sampler=OPTIONS)
    after = sample._compiled.cache_info()
    assert (after.misses, after.hits) == (before.misses, before.hits + 1)
    assert float(regular.draws["logo"]["first_churn"].mean()) > 0.3  # high end: 0.15


def test_parts_of_a_definition_that_are_not_read_compile_nothing(sbg, high_end):
    before = sample._compiled.cache_info().misses
    fit(high_end, churn=ShiftedBetaGeometric(), pooling="complete", seed=1, sampler=OPTIONS)
    assert sample._compiled.cache_info().misses == before


def test_another_definition_is_compiled_for_itself(sbg, geometric):
    assert set(geometric.draws["logo"].data_vars) == {"first_churn"}
    assert set(sbg.draws["logo"].data_vars) == {"first_churn", "polarization"}


def test_other_priors_move_the_posterior(sbg, high_end):
    with pytest.warns(TenureWarning, match="tenure 0 28.*% for 13.1%"):
        tight = fit(
            high_end,
            churn=ShiftedBetaGeometric(),
            priors={"first_churn": (0.30, 0.32)},
            seed=3,
            sampler=SamplerOptions(draws=300, tune=300, chains=2, cores=2),
        )
    assert float(tight.draws["logo"]["first_churn"].mean()) > float(sbg.draws["logo"]["first_churn"].max())
