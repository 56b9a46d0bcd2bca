import numpy as np
import pytest

import lifeworth as lw
from lifeworth.errors import DefinitionError


def test_hazard_of_the_first_tenure_has_the_prior_that_was_stated(constant_fit):
    """Without effects the hazard of every cell of a Geometric is first_churn itself."""
    table = constant_fit().table
    found = lw.prior_predictive(
        table, churn=lw.Geometric(), effects=(), priors={"first_churn": (0.1, 0.3)}, draws=20_000, seed=3
    )
    assert np.quantile(found["hazard"].isel(cell=0), [0.05, 0.95]) == pytest.approx([0.1, 0.3], rel=0.03)


def test_churned_is_binomial_of_the_cell_s_accounts(constant_fit):
    table = constant_fit().table
    found = lw.prior_predictive(table, draws=2000, seed=3)
    at_risk = table.frame["at_risk"].to_numpy()
    assert (found["churned"] >= 0).all()
    assert (found["churned"].max("draw").to_numpy() <= at_risk).all()
    share = (found["churned"] / at_risk).mean("draw").to_numpy()
    assert share == pytest.approx(found["hazard"].mean("draw").to_numpy(), abs=0.01)


def test_the_same_seed_gives_the_same_draws(constant_fit):
    table = constant_fit().table
    one, two = (lw.prior_predictive(table, draws=50, seed=8) for _ in range(2))
    assert one.identical(two)


def test_a_prior_for_nothing_is_refused(constant_fit):
    with pytest.raises(DefinitionError, match="frist_churn"):
        lw.prior_predictive(constant_fit().table, priors={"frist_churn": (0.1, 0.3)})
