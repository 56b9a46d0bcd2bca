"""Contracts from the ledger to the value: who cannot leave before renewal is worth his term for sure."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import lifeworth as lw
from lifeworth.churn import Geometric
from lifeworth.effects import CalendarWalk, CohortDecay, Renewal, Segments
from lifeworth.errors import DataError, DefinitionError, ExtrapolationWarning
from lifeworth.expansion import Flat
from lifeworth.forecasting.forecaster import Forecaster
from lifeworth.forecasting.groups import Groups
from lifeworth.indexing import TableIndex
from lifeworth.model import Model
from lifeworth.results import Diagnostics, Fit, SamplerOptions

AS_OF = "2025-12-31"
LEAVE = {1: 0.02, 12: 0.25, 24: 0.40}
"""Chance to leave whenever a term of so many months ends."""
CUSTOMERS = {1: 1500, 12: 2000, 24: 1200}
TERMS = lw.Economics(gross_margin=0.8, discount_rate_annual=0.1, horizon_years=3)


def spells(term, rng):
    """Customers acquired over five and a half years, on any day to the 28th; nobody leaves inside a term."""
    n = CUSTOMERS[term]
    month = np.datetime64("2020-01", "M") + rng.integers(66, size=n).astype("timedelta64[M]")
    day = rng.integers(28, size=n).astype("timedelta64[D]")
    left = (month + (term * rng.geometric(LEAVE[term], n)).astype("timedelta64[M]")).astype("datetime64[D]") + day
    end = np.where(left <= np.datetime64(AS_OF, "D"), left, np.datetime64("NaT", "D"))
    names = [f"{term}-{i}" for i in range(n)]
    start = month.astype("datetime64[D]") + day
    return pd.DataFrame({"customer_id": names, "start": start, "end": end, "amount": 100.0, "term": term})


@pytest.fixture(scope="module")
def ledger():
    rng = np.random.default_rng(1)
    every = pd.concat([spells(term, rng) for term in LEAVE], ignore_index=True)
    return lw.Ledger.from_spells(every, as_of=AS_OF, term_months="term")


@pytest.fixture(scope="module")
def table(ledger):
    return ledger.cohort_table(cohort="year", by=["term_months"])


def test_the_cells_are_refused_without_the_terms(ledger):
    with pytest.raises(DataError, match='Add "term_months" to `by`'):
        ledger.cohort_table()


def test_in_the_cells_nobody_leaves_between_renewals(table):
    by_term = table.frame[table.frame["churned"] > 0].groupby("term_months")["tenure"]
    assert sorted(by_term.unique()["12"]) == [11, 23, 35, 47, 59]
    assert sorted(by_term.unique()["24"]) == [23, 47]
    at_renewal = table.frame[(table.frame["tenure"] + 1) % table.frame["term_months"].astype(int) == 0]
    sums = at_renewal.groupby("term_months")[["churned", "at_risk"]].sum()
    for term, leave in LEAVE.items():
        n = sums.loc[str(term), "at_risk"]
        assert sums.loc[str(term), "churned"] / n == pytest.approx(leave, abs=4 * np.sqrt(leave * (1 - leave) / n))


# --- At known parameters ---


def known(table, mid_term=1e-12):
    """Every draw is the truth: 2% a month, and 25% and 40% at the end of a term of 12 and 24 months."""
    hazard = np.array([-np.log1p(-LEAVE[term]) / term for term in (1, 12, 24)])  # by period, segments in this order
    level = np.log(hazard) - np.log(hazard).mean()
    theta = {"first_churn": -np.expm1(-np.exp(np.log(hazard).mean())), "segment_sd": 0.3, "mid_term": mid_term}
    draws = {name: (("chain", "draw"), np.full((2, 5), value)) for name, value in theta.items()}
    draws["segment"] = (("chain", "draw", "segment_at"), np.tile(level, (2, 5, 1)))
    parts = dict.fromkeys(("logo", "money"), xr.Dataset(draws))
    row = {"r_hat": 1.0, "ess_bulk": 1e3, "ess_tail": 1e3, "divergences": 0, "draws": 10}
    diagnostics = Diagnostics(pd.DataFrame([{"part": part, **row} for part in parts]))
    model = Model(Geometric(), (Segments(), Renewal()), Flat())
    index = TableIndex.of(table)
    assert index.segments == (("1",), ("12",), ("24",))
    return Fit(model, table, index, parts, diagnostics, 1, SamplerOptions())


def discounted(shares):
    return 80 * np.sum(shares * 1.1 ** (-np.arange(1, len(shares) + 1) / 12))


def shares(fit, step, weight="logo"):
    """Share still there at the opening of a step, of new accounts of each term: draws by term."""
    zeros = np.zeros(3, dtype=np.int64)
    money = np.full(3, 100.0)
    groups = Groups(np.arange(3), zeros + fit.index.shape.cohorts, zeros, zeros + 1, money / 100, money, money**2)
    forecaster = Forecaster(fit=fit, thin=2, seed=1, buckets_ahead=10, tenures=90)
    (state,) = (s for s in forecaster.walk(groups, step, predictive=False, stream=0) if s.step == step)
    return dict(zip(LEAVE, getattr(state, weight).T, strict=True))


@pytest.mark.parametrize("term", LEAVE)
def test_a_new_account_is_worth_its_term_and_what_is_renewed(table, term):
    """Month k is paid by those who renewed every term that ended before it."""
    found = lw.value(known(table), TERMS).sample("cltv", cohort="new", term_months=str(term))
    paid = (1 - LEAVE[term]) ** (np.arange(36) // term)
    assert found == pytest.approx(discounted(paid), rel=1e-9)


def test_an_account_in_the_middle_of_its_term_stays_to_the_end_of_it():
    """Acquired in August on a year's contract, read in January: seven months to go, then 75% renew."""
    rows = [("a", "2025-08-15", None, 100.0, 12), ("b", "2025-08-15", None, 100.0, 1), ("c", "2025-08-15", None, 1, 24)]
    frame = pd.DataFrame(rows, columns=["customer_id", "start", "end", "amount", "term"])
    ledger = lw.Ledger.from_spells(frame, as_of="2026-01-15", term_months="term")
    with pytest.warns(ExtrapolationWarning):
        found = lw.value(known(ledger.cohort_table(by=["term_months"])), TERMS)
    residual = found.sample("residual", cohort="all", term_months="12")
    assert residual == pytest.approx(discounted(0.75 ** ((5 + np.arange(36)) // 12)), rel=1e-9)
    assert found.sample("logo_retention", cohort="all", term_months="12") == pytest.approx(0.75)
    assert found.sample("logo_retention", cohort="all", term_months="24") == pytest.approx(1)
    assert found.sample("logo_retention", cohort="all", term_months="1") == pytest.approx(0.98**12)


def test_a_fit_that_was_kept_knows_its_terms(table, tmp_path):
    fit = known(table)
    fit.save(tmp_path)
    again = lw.load(tmp_path)
    assert again.index == fit.index
    assert hash(again.index.shape) == hash(fit.index.shape)


@pytest.mark.parametrize(
    "settings",
    [{"effects": (Segments(), CalendarWalk(), CohortDecay())}, {"effects": ()}, {"pooling": "none"}],
    ids=["effects", "no-effects", "none"],
)
def test_a_model_without_renewals_is_refused(table, settings):
    """It would read eleven months without a chance to leave as loyalty."""
    with pytest.raises(DefinitionError, match=r"contracts run up to 24 periods.*Add Renewal\(\)"):
        lw.fit(table, seed=1, **settings)


def test_without_renewals_a_year_of_contracts_would_lose_a_fifth_before_the_first_ends(table):
    """What is refused: at the same truth, a month like any other."""
    fit = known(table)
    blind = replace(fit, model=replace(fit.model, effects=(Segments(),)))
    assert shares(fit, 11)[12] == pytest.approx(1.0)
    assert shares(blind, 11)[12] == pytest.approx(0.75 ** (11 / 12))
    assert shares(blind, 12)[12] == pytest.approx(shares(fit, 12)[12])


# --- Fitted ---

OPTIONS = SamplerOptions(draws=800, tune=600, chains=2, cores=2)


@pytest.fixture(scope="module")
def fitted(table):
    return lw.fit(table, seed=1, sampler=OPTIONS)


def assert_in_band(draws, truth):
    low, high = np.quantile(draws, [0.05, 0.95])
    assert low < truth < high
    assert high - low < 0.2, "a band that tells nothing"


@pytest.mark.mcmc
def test_the_fit_finds_that_nobody_leaves_between_renewals(fitted):
    assert Renewal() in fitted.model.effects
    assert float(fitted.draws["logo"]["mid_term"].quantile(0.95)) < 0.02


@pytest.mark.mcmc
@pytest.mark.parametrize(("term", "step"), [(1, 12), (12, 12), (12, 24), (24, 24)])
def test_the_fit_finds_how_many_renew(fitted, term, step):
    assert_in_band(shares(fitted, step)[term], (1 - LEAVE[term]) ** (step // term))


@pytest.mark.mcmc
def test_a_new_contract_holds_its_term_for_sure(fitted):
    """Money paid at the opening of the last month of the first term."""
    assert np.quantile(shares(fitted, 11, "money")[12], 0.05) > 0.98
    assert np.quantile(shares(fitted, 23, "money")[24], 0.05) > 0.97


@pytest.mark.mcmc
def test_renewals_can_be_fitted_without_levels_of_segments(table):
    """About 2% a month at every term: 25% of a year is 2.4% a month, 40% of two years 2.1%."""
    accounts = replace(table, has_money=False)
    fit = lw.fit(accounts, churn=Geometric(), effects=(Renewal(),), seed=1, sampler=OPTIONS)
    assert_in_band(fit.theta("logo")["first_churn"], 0.0216)
    assert float(fit.draws["logo"]["mid_term"].quantile(0.95)) < 0.02
