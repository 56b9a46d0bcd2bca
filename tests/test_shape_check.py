"""The tenure check: against numbers worked out by hand, and against curves that cannot take the shape planted."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import lifeworth as lw
from lifeworth.errors import CalendarWarning, DefinitionError, TenureWarning
from lifeworth.results import SamplerOptions
from lifeworth.shape_check import TenureCheck, shape_notes, tenure_check

QUICK = SamplerOptions(draws=500, tune=400, chains=2, cores=2)
FALLING = [0.20, 0.12, 0.08, 0.06, 0.05, 0.045, 0.04, 0.04]


def fit_of(counts_fit, cells):
    """A fit of one segment whose every draw says 20% at every tenure, on other counts."""
    at_risk, churned = zip(*cells, strict=True)
    frame = {"cohort": "x", "tenure": range(len(cells)), "at_risk": at_risk, "churned": churned}
    table = lw.CohortTable.from_counts(pd.DataFrame(frame), period="year")
    logo = counts_fit.draws["logo"][["first_churn"]]
    logo = logo.assign(first_churn=(("chain", "draw"), np.full((2, 50), 0.2))).isel(draw=np.arange(2000) % 50)
    logo = logo.assign_coords(draw=np.arange(2000))
    model = replace(counts_fit.model, effects=())
    return replace(counts_fit, table=table, index=type(counts_fit.index).of(table), model=model, draws={"logo": logo})


def test_the_table_shows_counts_and_their_binomial_interval(counts_fit):
    """Of 100 at 20% between 14 and 27 leave with 90% (5% and 95% quantiles of the binomial), and 20 are expected."""
    table = tenure_check(fit_of(counts_fit, [(100, 27), (70, 40)])).table().set_index("tenure")
    assert list(table.columns) == ["at_risk", "observed", "mean", "low", "high", "inside"]
    low, high = stats.binom(100, 0.2).ppf([0.05, 0.95]) / 100
    assert table.loc[0, ["observed", "mean", "low", "high"]].tolist() == pytest.approx([0.27, 0.2, low, high])
    assert table["inside"].tolist() == [True, False]
    assert table["at_risk"].tolist() == [100, 70]


@pytest.mark.parametrize("churned", [20, 26, 28, 32])
def test_the_p_value_of_one_tenure_is_that_of_the_binomial(counts_fit, churned):
    """With one tenure and nothing uncertain: the chance of 100 at 20% to lie as far from 20 as the churned do."""
    check = tenure_check(fit_of(counts_fit, [(100, churned)]))
    away = np.abs(np.arange(101) - 20) >= churned - 20
    exact = stats.binom(100, 0.2).pmf(np.arange(101))[away].sum()
    assert check.p_value == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 1000) + 1e-3)
    assert check.refused == (exact < 0.01)


def test_tenures_add_up(counts_fit):
    """Deviations of two sd at four tenures: none is odd alone, the sum of 16 at four degrees of freedom is."""
    alone = tenure_check(fit_of(counts_fit, [(10_000, 2_080)]))
    check = tenure_check(fit_of(counts_fit, [(10_000, 2_080), (7_000, 1_467), (5_000, 943), (4_000, 749)]))
    assert not alone.refused
    assert check.refused
    assert check.p_value == pytest.approx(stats.chi2(4).sf(16), abs=0.006)


def test_what_is_refused_is_said_with_the_worst_tenures(counts_fit):
    notes = list(shape_notes(fit_of(counts_fit, [(100, 20), (100, 60), (40, 8), (40, 2), (20, 4)])))
    assert [kind for kind, _ in notes] == [TenureWarning]
    assert notes[0][1].startswith("Geometric is refused by its tenure check (p = 0.000)")
    assert "tenure 1 20.0% for 60.0%" in notes[0][1]
    assert not list(shape_notes(fit_of(counts_fit, [(100, 20), (80, 14)])))


def test_the_same_fit_is_checked_alike(counts_fit):
    fit = fit_of(counts_fit, [(100, 27), (70, 20)])
    pd.testing.assert_frame_equal(tenure_check(fit).table(), tenure_check(fit).table())


def test_segments_and_cohorts_of_a_tenure_are_added(constant_fit):
    """625 accounts begin in each of ten cohorts; 20% and 40% leave at each anniversary, exactly as the draws say."""
    check = tenure_check(constant_fit())
    first = check.table().iloc[0]
    assert first["at_risk"] == 5000
    assert first["observed"] == first["mean"] == pytest.approx(0.3)
    assert check.p_value == 1.0
    assert "not refused" in repr(check)
    assert "4 of 4 tenures inside" in repr(check)


def test_cohorts_fitted_alone_are_checked_by_their_own_draws(constant_fit):
    fit = constant_fit()
    churn = np.tile(np.tile([0.2, 0.4], 5), (2, 50, 1))
    logo = fit.draws["logo"][["first_churn"]].assign(first_churn=(("chain", "draw", "unit"), churn))
    fit = replace(fit, model=replace(fit.model, effects=(), pooling="none"), draws={"logo": logo})
    assert tenure_check(fit).p_value == 1.0
    swapped = replace(fit, draws={"logo": logo.isel(unit=slice(None, None, -1))})
    assert tenure_check(swapped).table()["mean"].iloc[0] == pytest.approx(0.3)
    assert tenure_check(swapped).table()["mean"].iloc[2] > tenure_check(fit).table()["mean"].iloc[2]


@pytest.mark.parametrize("probability", [0.0, 1.0, 90])
def test_a_probability_is_a_share(constant_fit, probability):
    with pytest.raises(DefinitionError, match="probability"):
        tenure_check(constant_fit(), probability=probability)


def test_certain_hazards_do_not_divide_by_nothing(counts_fit):
    fit = fit_of(counts_fit, [(100, 100)])
    certain = fit.draws["logo"].assign(first_churn=(("chain", "draw"), np.full((2, 2000), 1 - 1e-16)))
    assert not tenure_check(replace(fit, draws={"logo": certain})).refused


def simulated(hazards, seed, accounts=4000):
    rng, cells, left = np.random.default_rng(seed), [], accounts
    for tenure, hazard in enumerate(hazards):
        gone = int(rng.binomial(left, hazard))
        cells.append({"cohort": "x", "tenure": tenure, "at_risk": left, "churned": gone})
        left -= gone
    return lw.CohortTable.from_counts(pd.DataFrame(cells), period="year")


@pytest.mark.mcmc
def test_a_constant_hazard_is_refused_where_hazards_fall():
    with pytest.warns(TenureWarning, match="Geometric is refused by its tenure check"):
        fit = lw.fit(simulated(FALLING, 1), churn=lw.Geometric(), seed=2, sampler=QUICK)
    assert fit.notes[-1].startswith("TenureWarning: Geometric")
    assert not tenure_check(fit).table()["inside"].all()


@pytest.mark.mcmc
@pytest.mark.filterwarnings("ignore::lifeworth.errors.DiagnosticsWarning")
@pytest.mark.parametrize("curve", [lw.Smooth(), lw.BetaDiscreteWeibull()], ids=lambda curve: type(curve).__name__)
def test_a_curve_that_can_fall_is_not_refused(curve):
    """A TenureWarning would be an error here."""
    fit = lw.fit(simulated(FALLING, 1), churn=curve, seed=2, sampler=QUICK)
    assert tenure_check(fit).p_value > 0.05


@pytest.mark.mcmc
@pytest.mark.filterwarnings("ignore::lifeworth.errors.TenureWarning")
def test_the_true_curve_is_hardly_ever_refused():
    """Forty tables of constant hazard: at 1% each, more than two refusals have a chance of 0.8%."""
    tables = [simulated([0.1] * 8, seed) for seed in range(40)]
    fits = [lw.fit(table, churn=lw.Geometric(), seed=3, sampler=QUICK) for table in tables]
    p = np.array([tenure_check(fit).p_value for fit in fits])
    assert (p < 0.01).sum() <= 2
    assert 0.4 < p.mean() < 0.65


@pytest.fixture(scope="module")
def motor(shared):
    """Accounts of the motor book as it stood a year before its end: of them 30%, 35% and 30% left, in that order."""
    source = shared / "data" / "motor_insurance" / "ledger.parquet"
    ledger = lw.Ledger.from_spells(source, as_of="2018-11-30", amount_per="year", acquired="acquired")
    table = ledger.cohort_table(period="year", cohort="year", calendar="quarter", by=["channel", "risk"]).cut(4)
    return replace(table, has_money=False)


@pytest.mark.mcmc
@pytest.mark.filterwarnings(
    "ignore::lifeworth.errors.DataWarning",
    "ignore::lifeworth.errors.ShortHistoryWarning",
    "ignore::lifeworth.errors.TrendWarning",
    "ignore::lifeworth.errors.DiagnosticsWarning",
)
def test_a_law_that_only_falls_is_refused_where_the_second_renewal_is_the_worst(motor):
    """sBG says 33% and 31% for the first two renewals of the motor book; Smooth says what was seen.

    Without CohortDecay, which would bend the first tenures of every cohort as sBG cannot.
    """
    effects = (lw.Segments(), lw.CalendarWalk())
    with pytest.warns(TenureWarning, match="tenure 0 3.* tenure 1 3"):
        fallen = lw.fit(motor, churn=lw.ShiftedBetaGeometric(), effects=effects, seed=7, sampler=QUICK)
    assert not tenure_check(fallen).table()["inside"][:2].any()
    smooth = tenure_check(lw.fit(motor, effects=effects, seed=7, sampler=QUICK))
    assert smooth.p_value > 0.1
    assert smooth.table()["inside"][:5].all()


def test_a_check_says_what_it_found():
    counts = pd.DataFrame({"at_risk": [10], "churned": [9]}, index=pd.Index([0], name="tenure"))
    check = TenureCheck(counts, np.full((4, 1), 2.0), np.array([[1.0], [2.0], [2.0], [3.0]]), 0.0, 0.9)
    assert repr(check) == "TenureCheck(refused: p = 0.000, 38.9% of losses misplaced; 0 of 1 tenures inside)"


def test_a_misfit_too_small_to_matter_is_not_refused(counts_fit):
    """Of twenty million 20.1% for 20% is eleven standard deviations, and a quarter of a percent of the losses."""
    check = tenure_check(fit_of(counts_fit, [(20_000_000, 4_020_000)]))
    assert check.p_value == 0
    assert check.misplaced == pytest.approx(0.0025, abs=1e-4)
    assert not check.refused


def drifting(fit, factor):
    """The same fit on a table in which more accounts left in the last bucket than in those before."""
    frame = fit.table.frame.copy()
    last = frame["bucket"] == frame["bucket"].max()
    frame["churned"] = frame["churned"].where(~last, (frame["churned"] * factor).round().astype(int))
    return replace(fit, table=replace(fit.table, frame=frame, has_money=False))


def test_a_calendar_that_does_not_move_is_not_refused(constant_fit):
    fit = constant_fit()
    check = lw.tenure_check(fit, along="bucket")
    assert check.table()["bucket"].tolist() == sorted(fit.table.frame["bucket"].unique())
    assert check.table()["observed"].to_numpy() == pytest.approx(check.table()["mean"].to_numpy())
    assert list(shape_notes(fit)) == []


def test_a_calendar_that_moves_is_refused_where_the_model_has_none(constant_fit):
    fit = drifting(constant_fit(), 1.3)
    ((kind, text),) = (note for note in shape_notes(fit) if note[0] is CalendarWarning)
    assert kind is CalendarWarning
    assert "bucket -3 28.5% for 37.0%" in text
    assert "add CalendarWalk()" in text
