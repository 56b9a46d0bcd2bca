import numpy as np
import pytest
from scipy import stats

from lifeworth.backtesting.ahead import held_out_cells
from lifeworth.backtesting.leave_future_out import future_log_density
from lifeworth.model import binomial_log_pmf


def test_of_a_known_hazard_it_is_the_binomial(constant_fit):
    """Every draw is the truth: 20% of a and 40% of b leave at each anniversary."""
    fit = constant_fit()
    held = held_out_cells(fit.table.frame, 4, 4)
    found = future_log_density(fit, held).set_index("segment")["log_density"]
    hazard = held["segment"].map({"a": 0.2, "b": 0.4}).to_numpy(dtype=float)
    exact = stats.binom.logpmf(held["churned"], held["at_risk"], hazard)
    for segment in ("a", "b"):
        assert found[segment] == pytest.approx(exact[held["segment"] == segment].sum(), rel=1e-9)
    assert found["all"] == pytest.approx(exact.sum(), rel=1e-9)


def test_the_draws_are_averaged_as_densities(constant_fit):
    """Half of the draws put 10 points more on staying in a: the mean is of densities, not of their logs."""
    fit = constant_fit()
    draws = fit.draws["logo"].copy(deep=True)
    draws["segment"][0, :, 0] += np.log(np.log(0.9) / np.log(0.8))
    fit.draws["logo"] = draws
    held = held_out_cells(fit.table.frame, 4, 4)
    found = future_log_density(fit, held).set_index("segment")["log_density"]
    n, churned = (held.loc[held["segment"] == "a", c] for c in ("at_risk", "churned"))
    log_density = [stats.binom.logpmf(churned, n, rate).sum() for rate in (0.1, 0.2)]
    assert found["a"] == pytest.approx(np.logaddexp(*log_density) - np.log(2), rel=1e-9)


def test_impossible_is_minus_infinity_and_certain_is_zero():
    stay = np.array([1.0, 1.0, 0.0])
    found = binomial_log_pmf(stay, np.array([3.0, 3.0, 3.0]), np.array([1.0, 0.0, 3.0]))
    assert found.tolist() == [-np.inf, 0.0, 0.0]
