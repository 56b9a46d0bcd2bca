"""Calibration: what it finds in ranks that are right and in ranks that are not, and that the models are right."""

import logging
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lifeworth._parameters import draw_prior
from lifeworth.calibration import Calibration, Design, calibrate
from lifeworth.calibration.study import ranked, study
from lifeworth.calibration.uniformity import ecdf_test
from lifeworth.calibration.world import World, book
from lifeworth.churn import CURVES, Geometric, Smooth
from lifeworth.effects import EFFECTS, CalendarWalk, CohortDecay, Renewal, Segments
from lifeworth.errors import DefinitionError, FitError
from lifeworth.expansion import EXPANSIONS, Constant, Flat
from lifeworth.indexing import merged
from lifeworth.model import Model, log_likelihood, log_retention
from lifeworth.results import SamplerOptions

QUICK = SamplerOptions(draws=200, tune=200, chains=2, cores=2, target_accept=0.9)
SMALL = Design(segments=2, cohorts=4, tenures=6, accounts=200)
GEOMETRIC = Model(Geometric(), (Segments(),), Flat())
FULL = Model(Smooth(), (Segments(), CalendarWalk(), CohortDecay()), Constant())


def of_pits(*pits, draws=99):
    """A calibration with these ranks, one quantity each."""
    parts = [
        pd.DataFrame(
            {
                "simulation": np.arange(len(pit)),
                "part": "logo",
                "quantity": f"q{i}",
                "rank": np.floor(np.asarray(pit) * (draws + 1)).astype(int).clip(0, draws),
                "draws": draws,
            }
        )
        for i, pit in enumerate(pits)
    ]
    fits = pd.DataFrame({"simulation": np.arange(len(pits[0])), "part": "logo", "reason": ""})
    fits = fits.assign(r_hat=1.0, ess_bulk=400.0, ess_tail=400.0, divergences=0, draws=400, seconds=1.0)
    return Calibration(pd.concat(parts, ignore_index=True), fits, GEOMETRIC, SMALL, seed=1)


def uniform(n=200, seed=0):
    return np.random.default_rng(seed).uniform(size=n)


def posterior(shift=0.0, sd=1.0, n=200, seed=0):
    """PIT of standard normal truths under a posterior N(shift, sd)."""
    return stats.norm.cdf((np.random.default_rng(seed).normal(size=n) - shift) / sd)


# --- The band ---


def test_the_band_holds_the_ecdf_of_uniform_ranks_in_95_of_100_studies():
    rng = np.random.default_rng(3)
    difference, band, p_value = ecdf_test(rng.uniform(size=(2000, 100)))
    inside = np.abs(difference) <= band + 1e-12
    assert 0.94 < inside.mean() < 0.98  # discrete: at least 95%, give or take 1% for 2,000 studies
    np.testing.assert_array_equal(inside, p_value > 0.05)


def test_p_values_of_uniform_ranks_are_uniform():
    rng = np.random.default_rng(4)
    *_, p = ecdf_test(rng.uniform(size=(2000, 100)))
    for level in (0.01, 0.05, 0.2, 0.5):
        assert np.mean(p <= level) < level + 3 * np.sqrt(level * (1 - level) / 2000)
    assert 0.45 < p.mean() < 0.6


def test_the_p_value_at_several_points_is_that_of_simulation():
    pit, points = np.array([0.05, 0.1, 0.15, 0.2, 0.35, 0.9]), (0.25, 0.5, 0.75)
    rng = np.random.default_rng(5)
    counts = (rng.uniform(size=(40_000, 6, 1)) < np.array(points)).sum(axis=1)
    tails = 2 * np.minimum(stats.binom.cdf(counts, 6, points), stats.binom.sf(counts - 1, 6, points))
    own = (pit[:, None] < np.array(points)).sum(axis=0)
    worst = (2 * np.minimum(stats.binom.cdf(own, 6, points), stats.binom.sf(own - 1, 6, points))).min()
    exact = np.mean(tails.min(axis=1) <= worst * (1 + 1e-9))
    assert ecdf_test(pit[None, :], points)[2][0] == pytest.approx(exact, abs=0.01)


# --- What a table of ranks says ---


def test_uniform_ranks_pass():
    found = of_pits(*(uniform(seed=i) for i in range(40)))
    assert found.verdict == "PASS"
    assert found.table()["n"].tolist() == [200] * 40
    assert str(found).startswith("PASS: 200 simulations, 40 quantities")


@pytest.mark.parametrize(
    ("wrong", "column", "above"),
    [
        (posterior(sd=0.6), "spread", 1.15),
        (posterior(shift=-0.5), "mean_rank", 0.6),
    ],
    ids=["too narrow", "too low"],
)
def test_one_wrong_posterior_among_forty_fails_and_says_how(wrong, column, above):
    found = of_pits(*(uniform(seed=i) for i in range(39)), wrong)
    assert found.verdict == "FAIL"
    table = found.table()
    assert table.loc[table["verdict"] == "FAIL", "quantity"].tolist() == ["q39"]
    row = table.iloc[-1]
    assert row[column] > above
    assert abs(row["ecdf_difference"]) > row["band_95"]


def test_a_posterior_too_wide_fails():
    found = of_pits(posterior(sd=2.0))
    assert found.verdict == "FAIL"
    assert found.table()["spread"][0] < 0.8


def test_the_ecdf_difference_is_positive_where_the_posterior_is_too_high():
    row = of_pits(posterior(shift=0.7)).table().iloc[0]
    assert row["ecdf_difference"] > 0
    assert row["mean_rank"] < 0.4


def test_simulations_that_failed_are_kept_and_many_fail_the_study():
    found = of_pits(uniform())
    few = replace(found, fits=found.fits.assign(reason=[*["FitError: no start"] * 10, *[""] * 190]))
    many = replace(found, fits=found.fits.assign(reason=[*["FitError: no start"] * 11, *[""] * 189]))
    assert (few.verdict, len(few.failed)) == ("PASS", 10)
    assert (many.verdict, len(many.failed)) == ("FAIL", 11)


def test_ranks_of_ties_are_spread_by_chance():
    rng = np.random.default_rng(1)
    ranks = [ranked({"x": np.ones(1)}, {"x": np.ones(30)}, np.inf, rng)[0] for _ in range(200)]
    assert {r["draws"] for r in ranks} == {30}
    assert {min(r["rank"] for r in ranks), max(r["rank"] for r in ranks)} == {0, 30}


def test_draws_are_thinned_to_the_independent_ones():
    values = {"x": np.arange(500.0)}
    rng = np.random.default_rng(1)
    assert ranked({"x": np.array([99.5])}, values, 50.0, rng) == [{"quantity": "x", "rank": 10, "draws": 50}]
    assert ranked({"x": np.array([99.5])}, values, 3.0, rng)[0]["draws"] == 20


# --- What is simulated ---


def world_of(model=FULL, design=SMALL):
    return World.of(book(design), model)


def happened(world, seed=0):
    rng, table, theta = np.random.default_rng(seed), world.table, {}
    for part in world.parts:
        theta[part] = draw_prior(world.parameters(part), rng, 1)
        table = world.happen(part, theta[part], table, rng)
    return table, theta


def test_the_design_is_a_triangle():
    cells = Design(segments=1, cohorts=8).cells()
    assert cells.groupby("cohort")["tenure"].max().tolist() == [11, 11, 11, 11, 11, 8, 5, 2]
    assert (cells["bucket"].min(), cells["bucket"].max()) == (-7, 0)


@pytest.mark.parametrize("period", [1, 3, 12])
@pytest.mark.parametrize("bucket", [1, 3, 12])
def test_every_cohort_is_seen_whatever_the_units(period, bucket):
    design = Design(segments=2, cohorts=3, tenures=4, months_per_period=period, months_per_bucket=bucket)
    cells = design.cells()
    assert set(cells["cohort"]) == {0, 1, 2}
    assert cells["bucket"].max() == 0
    assert cells.loc[cells["cohort"] == 0, "tenure"].max() == 3
    world = World.of(book(design), FULL)
    assert (world.index.shape.cohorts, world.index.shape.buckets) == (3, 1 - cells["bucket"].min())


@pytest.mark.parametrize("wrong", [{"accounts": 0}, {"months_per_period": 2}, {"terms": ()}, {"terms": (12, 12)}])
def test_impossible_designs_are_refused(wrong):
    with pytest.raises(DefinitionError):
        Design(**wrong)


def test_no_simulation_is_refused():
    with pytest.raises(DefinitionError, match="simulations=0"):
        calibrate(simulations=0)


def test_a_prior_that_names_nothing_is_refused():
    with pytest.raises(DefinitionError, match="nothing"):
        calibrate(simulations=1, priors={"nothing": (0.1, 0.2)})


def test_at_risk_is_what_the_tenure_before_left():
    table, _ = happened(world_of())
    for _, cells in table.frame.groupby(["cohort", "segment"]):
        assert cells["at_risk"].iloc[0] == 200
        np.testing.assert_array_equal(cells["at_risk"].iloc[1:], (cells["at_risk"] - cells["churned"]).iloc[:-1])


def test_as_many_leave_as_the_hazard_says():
    world = world_of(GEOMETRIC, replace(SMALL, accounts=100_000))
    theta = {"first_churn": [[0.1]], "segment_sd": [[0.5]], "segment": [[0.3, -0.3]]}
    theta = {name: np.array(value) for name, value in theta.items()}
    frame = world.happen("logo", theta, world.table, np.random.default_rng(1)).frame
    share = frame.groupby("segment")["churned"].sum() / frame.groupby("segment")["at_risk"].sum()
    np.testing.assert_allclose(share, 1 - 0.9 ** np.exp([0.3, -0.3]), rtol=0.01)


def test_growth_varies_with_its_shocks_as_much_as_is_said():
    world = World.of(book(Design(segments=1, cohorts=400, tenures=3, accounts=100_000)), replace(FULL, effects=()))
    theta = {"expansion_annual": 0.4, "contraction_annual": 0.1, "expansion_shock_sd": 0.5, "contraction_shock_sd": 0.1}
    theta = {name: np.array([[value]]) for name, value in theta.items()}
    frame = world.happen("expansion", theta, world.table, np.random.default_rng(1)).frame
    rates = frame.groupby("bucket")[["expansion", "contraction"]].sum().div(300_000 / 12, axis=0)
    np.testing.assert_allclose(rates.mean(), [0.4, 0.1], rtol=0.08)
    np.testing.assert_allclose(rates.std() / rates.mean(), [0.5, np.sqrt(0.1**2 + 1 / 2500)], rtol=0.15)


def test_the_log_likelihood_ranked_is_that_of_the_model():
    world = world_of()
    table, theta = happened(world)
    cells = merged(table, world.index, world.model.uses)
    at = world.index.cells(cells)
    stay = log_retention(FULL.churn, FULL.effects, theta["logo"], at, world.index.shape.tenures)
    ours = log_likelihood(stay, cells["at_risk"].to_numpy(), cells["churned"].to_numpy()).sum()
    assert world.values("logo", theta["logo"], table)["log_likelihood"][0] == pytest.approx(ours)


def test_only_elements_that_a_cell_depends_on_are_ranked():
    blind = world_of().blind("logo")
    assert blind == [f"steps[{i}]" for i in range(5, 18)]  # six tenures: five steps
    assert world_of().blind("expansion") == []


# --- With the sampler ---

mcmc = pytest.mark.mcmc


@pytest.fixture(scope="module")
def geometric():
    return calibrate(churn=Geometric(), effects=(Segments(),), design=SMALL, simulations=40, seed=5, sampler=QUICK)


@mcmc
def test_geometric_with_segments_is_calibrated(geometric):
    assert geometric.verdict == "PASS", geometric.table().to_string()
    assert len(geometric.failed) == 0
    quantities = set(geometric.table().query("part == 'logo'")["quantity"])
    assert quantities == {
        "first_churn",
        "segment_sd",
        "segment[0]",
        "segment[1]",
        "log_likelihood",
        "last_retention",
        "cltv",
    }
    assert set(geometric.fits["part"]) == {"logo", "expansion"}
    assert (geometric.fits["draws"] == 400).all()


@mcmc
def test_coverage_counts_the_ranks_inside(geometric):
    """80% intervals of 40 books hold the CLTV in 24 or more with probability 0.996."""
    found = geometric.coverage(0.8).set_index(["part", "quantity"]).loc[("logo", "cltv")]
    ranks = geometric.ranks.query("part == 'logo' and quantity == 'cltv'")
    share = ranks["rank"] / ranks["draws"]
    assert found["coverage"] == pytest.approx(((share > 0.1) & (share < 0.9)).mean(), abs=3 / 40)
    assert found["coverage"] >= 24 / 40
    assert found["se"] == pytest.approx(np.sqrt(0.8 * 0.2 / 40))


@mcmc
def test_the_same_seed_gives_the_same_ranks(geometric):
    again = calibrate(churn=Geometric(), effects=(Segments(),), design=SMALL, simulations=2, seed=5, sampler=QUICK)
    first = geometric.ranks[geometric.ranks["simulation"] < 2]
    pd.testing.assert_frame_equal(again.ranks, first.reset_index(drop=True))


@mcmc
def test_a_fit_with_other_priors_than_the_world_fails():
    """The seam through which calibration is tested itself: few accounts, so that the prior counts."""
    fitted = replace(GEOMETRIC, priors=(("first_churn", (0.2, 0.6)),))
    found = study(GEOMETRIC, fitted, replace(SMALL, accounts=3), 40, 5, QUICK)
    assert found.verdict == "FAIL"
    row = found.table().set_index("quantity").loc["first_churn"]
    assert row["mean_rank"] < 0.4  # the posterior is too high
    assert row["verdict"] == "FAIL"


@mcmc
def test_a_fit_that_fails_is_kept_with_its_reason(monkeypatch, caplog):
    def refuse(*_):
        raise FitError("no start")

    monkeypatch.setattr("lifeworth.fitting.sample", refuse)
    with caplog.at_level(logging.INFO, logger="lifeworth"):
        found = study(GEOMETRIC, GEOMETRIC, SMALL, 3, 5, QUICK)
    assert found.failed["reason"].tolist() == ["FitError: no start"] * 3
    assert found.ranks.empty
    assert found.verdict == "FAIL"
    assert "no ranks" in str(found)
    assert caplog.messages[-1] == "calibration: 3 of 3 simulations"


@mcmc
@pytest.mark.parametrize("pooling", ["complete", "none"])
def test_other_poolings_can_be_calibrated(pooling):
    found = calibrate(
        churn=Geometric(), effects=(), pooling=pooling, design=SMALL, simulations=2, seed=1, sampler=QUICK
    )
    assert len(found.failed) == 0
    assert "segment[0]" not in set(found.ranks["quantity"])


# --- The study of everything shipped: minutes each ---

STUDY = SamplerOptions(draws=300, tune=300, chains=2, cores=2)
CROSSED = Design(segments=2, terms=(1, 12))


def assert_calibrated(found):
    assert found.verdict == "PASS", f"{found}\n{found.table().to_string()}"


@pytest.mark.slow
@mcmc
@pytest.mark.parametrize("curve", list(CURVES))
def test_every_curve_is_calibrated(curve):
    assert_calibrated(calibrate(churn=CURVES[curve](), effects=(Segments(),), expansion=Flat(), seed=20, sampler=STUDY))


def effect_study(effect, simulations):
    """Beside Renewal, without which no model is fitted to contracts: they make the second segment column."""
    effects = tuple(dict.fromkeys((EFFECTS[effect](), Renewal())))
    return calibrate(
        churn=Geometric(),
        effects=effects,
        expansion=Flat(),
        design=CROSSED,
        simulations=simulations,
        seed=21,
        sampler=STUDY,
    )


@pytest.mark.parametrize("effect", list(EFFECTS))
def test_the_design_of_the_study_tells_every_effect_apart(effect, monkeypatch):
    def refuse(*_):
        raise FitError("nothing is compiled")

    monkeypatch.setattr("lifeworth.fitting.compiled", refuse)
    assert EFFECTS[effect]() in effect_study(effect, 1).model.effects


@pytest.mark.slow
@mcmc
@pytest.mark.parametrize("effect", list(EFFECTS))
def test_every_effect_is_calibrated(effect):
    assert_calibrated(effect_study(effect, 200))


@pytest.mark.slow
@mcmc
@pytest.mark.parametrize("expansion", list(EXPANSIONS))
def test_every_expansion_is_calibrated(expansion):
    assert_calibrated(
        calibrate(churn=Geometric(), effects=(), expansion=EXPANSIONS[expansion](), seed=22, sampler=STUDY)
    )


@pytest.mark.slow
@mcmc
@pytest.mark.parametrize("pooling", ["partial", "complete", "none"])
def test_the_recommended_model_is_calibrated(pooling):
    assert_calibrated(calibrate(pooling=pooling, seed=23, sampler=STUDY))
