"""How often a value would have no end, where the answer is known by hand: of a year 20% leave in a, 40% in b."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import lifeworth as lw
from lifeworth.divergence import long_run_growth
from lifeworth.effects import CalendarWalk, Segments

pytestmark = pytest.mark.filterwarnings("ignore::lifeworth.errors.ExtrapolationWarning")
TERMS = lw.Economics(gross_margin=0.8, discount_rate_annual=0.10, horizon_years=5)


def growing(fit, curve, *, expansion, contraction=0.04, **more):
    """The same fit with growth at these rates; a sequence gives the rates of its shares of the draws in turn."""
    given = {"expansion_annual": expansion, "contraction_annual": contraction} | more
    given |= {"expansion_shock_sd": 0.1, "contraction_shock_sd": 0.1}
    held = {name: np.resize(np.asarray(value, dtype=float), (2, 50)) for name, value in given.items()}
    draws = xr.Dataset({name: (("chain", "draw"), value) for name, value in held.items()})
    return replace(fit, model=replace(fit.model, expansion=curve), draws=fit.draws | {"expansion": draws})


def shares(fit, terms=TERMS):
    found = lw.value(fit, terms).infinite()
    assert list(found.columns) == ["cohort", "segment", "undiscounted", "discounted"]
    rows = found.set_index(["cohort", "segment"])
    assert sorted(rows.index) == [(c, s) for c in ("all", "new") for s in ("a", "all", "b")]
    new, every = rows.loc["new"], rows.loc["all"]
    np.testing.assert_array_equal(new.sort_index(), every.sort_index())
    return new["undiscounted"].to_dict(), new["discounted"].to_dict()


def test_without_growth_every_value_ends(constant_fit):
    assert shares(constant_fit()) == ({"a": 0, "b": 0, "all": 0}, {"a": 0, "b": 0, "all": 0})


def test_the_share_of_draws_that_grow_faster_than_they_leave(constant_fit):
    """0.8 x 1.26 = 1.008 in half of the draws and 0.8 x 1.16 in the others; 0.6 x 1.26 never."""
    undiscounted, discounted = shares(growing(constant_fit(), lw.Constant(), expansion=[0.30, 0.20]))
    assert undiscounted == {"a": 0.5, "b": 0, "all": 0.5}
    assert discounted == {"a": 0, "b": 0, "all": 0}


def test_discounting_ends_what_grows_slower_than_it(constant_fit):
    """0.8 x 1.46 = 1.168 is above 1.10; 0.8 x 1.36 = 1.088 is above 1 only."""
    undiscounted, discounted = shares(growing(constant_fit(), lw.Constant(), expansion=[0.50, 0.40, 0.40, 0.40, 0.40]))
    assert undiscounted["a"] == 1
    assert discounted["a"] == 0.2


def test_a_price_increase_is_growth(constant_fit):
    """0.8 x 1.16 x 1.10 = 1.0208."""
    fit = growing(constant_fit(), lw.Constant(), expansion=0.20)
    assert shares(fit, replace(TERMS, price_increase_annual=0.10))[0]["a"] == 1
    assert shares(fit)[0]["a"] == 0


@pytest.mark.parametrize(
    ("curve", "end"), [(lw.Saturating(), {"headroom": 0.01}), (lw.Decaying(), {"expansion_half_life": 0.01})]
)
def test_a_ceiling_ends_the_value_but_not_the_share_without_it(constant_fit, curve, end):
    fit = growing(constant_fit(), curve, expansion=0.30, **end)
    assert shares(fit)[0] == {"a": 1, "b": 0, "all": 1}
    long = lw.value(fit, replace(TERMS, horizon_years=100, discount_rate_annual=0.0))
    assert long.sample("cltv", cohort="new", segment="a").max() < 10 * 1000


def test_the_hazard_is_that_of_the_last_level_of_the_walk(constant_fit):
    """The last step doubles the cumulative hazard: 0.8 becomes 0.64, less what the centring takes of it."""
    fit = constant_fit()
    index = fit.index
    steps = np.zeros((2, 50, index.shape.buckets - 1))
    steps[..., -1] = np.log(2)
    logo = fit.draws["logo"].assign(calendar=(("chain", "draw", "calendar_at"), steps))
    logo = logo.assign(calendar_sd=(("chain", "draw"), np.full((2, 50), 0.1)))
    model = replace(fit.model, effects=(Segments(), CalendarWalk(momentum=False, reaction=0.0)))
    fit = replace(fit, model=model, draws={"logo": logo, "money": logo})
    value = lw.value(fit, TERMS)
    rows = value.rows().query("cohort == 'new' and segment == 'a'")
    factor = 2 ** (1 - index.weights[-1])
    np.testing.assert_allclose(long_run_growth(value.forecaster, rows), factor * np.log(0.8), rtol=1e-9)


def test_cohorts_fitted_alone_have_their_own_hazard(constant_fit):
    """Only the cohort of 2020 in segment a never ends, at 0.99 x 1.16; the total has no end with it."""
    fit = constant_fit()
    model = replace(fit.model, effects=(), pooling="none")
    churn = np.full((2, 50, 10), 0.4)
    churn[..., 0] = 0.01
    draws = xr.Dataset({"first_churn": (("chain", "draw", "unit"), churn)})
    fit = replace(fit, model=model, draws={"logo": draws, "money": draws})
    assert fit.units[0] == ("2020", ("a",))
    value = lw.value(growing(fit, lw.Constant(), expansion=0.20), TERMS)
    rows = value.infinite().set_index(["cohort", "segment"])["undiscounted"]
    assert rows["all", "a"] == rows["all", "all"] == 1
    assert rows["all", "b"] == 0
    assert 0 < rows["new", "a"] < 0.5


def test_a_table_of_counts_has_the_growth_of_its_accounts(counts_fit):
    value = lw.value(counts_fit, replace(TERMS, arpa=100.0))
    assert not value.infinite()[["undiscounted", "discounted"]].to_numpy().any()
