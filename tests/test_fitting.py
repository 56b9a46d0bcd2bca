"""Fitting: what is fitted to which table, honest answers where there is little to learn, and known truth recovered."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import special

from lifeworth import fitting
from lifeworth._parameters import draw_prior
from lifeworth.churn import Geometric, Smooth
from lifeworth.economics import Economics
from lifeworth.effects import CalendarWalk, CohortDecay, Segments
from lifeworth.errors import DefinitionError, DiagnosticsWarning, FitError, ShortHistoryWarning
from lifeworth.expansion import Flat
from lifeworth.fitting import fit
from lifeworth.ledger import CohortTable, Ledger
from lifeworth.ledger.datasets import true_cltv, true_residual
from lifeworth.ledger.simulate import SegmentWorld, World, simulate
from lifeworth.results import SamplerOptions
from lifeworth.valuing import value

SHORT = SamplerOptions(draws=500, tune=400, chains=2, cores=2)
TERMS = Economics(gross_margin=0.8, discount_rate_annual=0.1, horizon_years=3, arpa=100.0)
quiet = pytest.mark.filterwarnings(
    "ignore::lifeworth.errors.DiagnosticsWarning",
    "ignore::lifeworth.errors.ShortHistoryWarning",
    "ignore::lifeworth.errors.ExtrapolationWarning",
)


def counts(cells, **columns):
    """One cohort: (at_risk, churned) for tenure 0, 1, ..."""
    at_risk, churned = zip(*cells, strict=True)
    frame = {"cohort": "x", "tenure": range(len(cells)), "at_risk": at_risk, "churned": churned}
    return CohortTable.from_counts(pd.DataFrame(frame | columns), period="year")


def small_ledger(months=12, segments=("a", "b"), first=1):
    """Two accounts a month and segment; every fifth leaves after two months, every third grows after four."""
    rows, serial = [], 0
    for month in range(first, first + months):
        for segment in segments:
            for _ in range(2):
                serial += 1
                day = f"2025-{month:02d}-10"
                later = (pd.Timestamp(day) + pd.DateOffset(months=2 if serial % 5 == 0 else 4)).strftime("%Y-%m-%d")
                if serial % 5 == 0 and later <= "2025-12-31":
                    rows.append((serial, day, later, 100.0, segment))
                elif serial % 3 == 0 and later <= "2025-12-31":
                    rows += [(serial, day, later, 100.0, segment), (serial, later, None, 130.0, segment)]
                else:
                    rows.append((serial, day, None, 100.0, segment))
    frame = pd.DataFrame(rows, columns=["customer_id", "start", "end", "amount", "segment"])
    ledger = Ledger.from_spells(frame.astype({"customer_id": "str"}), as_of="2025-12-31")
    return ledger.cohort_table(period="month", cohort="quarter", calendar="quarter", by=["segment"])


@pytest.fixture(scope="module")
def table():
    return small_ledger()


# --- What is fitted, without the sampler: draws come from the prior ---


@pytest.fixture
def from_prior(monkeypatch):
    """Replace sampling by draws of the prior; gives the list of what was asked for."""
    asked = []

    def compiled(kind, model, shape):
        return kind, model, shape

    def sample(model, data, parameters, seed, options):
        asked.append({"kind": model[0], "model": model[1], "shape": model[2], "data": dict(data), "seed": seed})
        theta = draw_prior(parameters, np.random.default_rng(seed), 2 * options.draws)
        held = {}
        for p in parameters:
            values = theta[p.name].reshape(2, options.draws, -1)
            dims = ("chain", "draw", f"{p.name}_at") if p.size else ("chain", "draw")
            held[p.name] = (dims, values if p.size else values[:, :, 0])
        return xr.Dataset(held), asked_divergences(parameters)

    def asked_divergences(parameters):
        return from_prior_divergences.get("cohort", 0) if any(p.name == "cohort" for p in parameters) else 0

    from_prior_divergences = {}
    monkeypatch.setattr(fitting, "compiled", compiled)
    monkeypatch.setattr(fitting, "sample", sample)
    monkeypatch.setattr(fitting, "shape_notes", lambda fit: ())  # the prior has not seen the churn by tenure
    asked_for = type("Asked", (list,), {"divergences": from_prior_divergences})(asked)
    asked_for.calls = asked
    return asked_for


OPTIONS = SamplerOptions(draws=1000)


@quiet
def test_a_ledger_is_fitted_by_accounts_by_money_and_for_growth(table, from_prior):
    found = fit(table, seed=1, sampler=OPTIONS)
    assert list(found.draws) == ["logo", "money", "expansion"]
    assert [call["kind"] for call in from_prior.calls] == ["hazard", "hazard", "expansion"]
    logo, money = (call["data"] for call in from_prior.calls[:2])
    assert logo["at_risk"].sum() == table.frame["at_risk"].sum()
    assert logo["churned"].sum() == table.frame["churned"].sum()
    assert money["at_risk"].sum() <= logo["at_risk"].sum()
    assert len({call["seed"] for call in from_prior.calls}) == 3


@quiet
def test_exposure_and_events_of_growth_are_in_jumps_of_the_segment(table, from_prior):
    """All rises are 30: exposure is the survivors' opening money over 30, a twelfth of a year each."""
    fit(table, seed=1, sampler=OPTIONS)
    data = from_prior.calls[2]["data"]
    survivors = table.frame["opening"].sum() - table.frame["churned_amount"].sum()
    assert data["expansion_exposure"].sum() == pytest.approx(survivors / 30 / 12)
    assert data["expansion_events"].sum() == pytest.approx(table.frame["expansion"].sum() / 30)
    assert data["contraction_events"].sum() == 0


@quiet
def test_flat_growth_fits_the_hazards_only(table, from_prior):
    assert list(fit(table, expansion=Flat(), seed=1, sampler=OPTIONS).draws) == ["logo", "money"]


def test_counts_are_fitted_by_accounts_only(from_prior):
    found = fit(counts([(100, 20), (80, 10)]), seed=1, sampler=OPTIONS)
    assert list(found.draws) == ["logo"]
    assert found.weights == ("logo",)
    assert found.model.effects == ()


@quiet
@pytest.mark.parametrize(
    ("pooling", "effects"),
    [("partial", (Segments(), CalendarWalk(), CohortDecay())), ("complete", (CalendarWalk(),)), ("none", ())],
)
def test_pooling_decides_the_effects(table, from_prior, pooling, effects):
    assert fit(table, pooling=pooling, seed=1, sampler=OPTIONS).model.effects == effects


@quiet
def test_given_effects_are_kept_as_they_are(table, from_prior):
    assert fit(table, effects=(Segments(),), seed=1, sampler=OPTIONS).model.effects == (Segments(),)


@quiet
def test_pooling_none_fits_every_cohort_and_segment_alone(table, from_prior):
    found = fit(table, pooling="none", seed=1, sampler=OPTIONS)
    assert len(found.units) == 8
    assert found.draws["logo"].sizes["unit"] == 8
    hazards = [call for call in from_prior.calls if call["kind"] == "hazard"]
    assert len(hazards) == 16
    assert len({call["seed"] for call in hazards}) == 16
    assert len({call["shape"] for call in hazards}) == 1
    for call, (cohort, (segment,)) in zip(hazards, found.units * 2, strict=False):
        own = table.frame[(table.frame["cohort"] == cohort) & (table.frame["segment"] == segment)]
        assert call["data"]["at_risk"].sum() <= own["at_risk"].sum() + 1e-9
    assert sum(c["data"]["at_risk"].sum() for c in hazards[:8]) == table.frame["at_risk"].sum()


@quiet
def test_cohort_decay_is_left_out_where_the_diagnostics_refuse_it(table, from_prior):
    from_prior.divergences["cohort"] = 500
    with pytest.warns(DiagnosticsWarning, match="CohortDecay was left out"):
        found = fit(table, seed=1, sampler=OPTIONS)
    assert found.model.effects == (Segments(), CalendarWalk())
    assert found.diagnostics.verdict == "PASS"
    assert any("CohortDecay was left out" in note for note in found.notes)


@quiet
def test_cohort_decay_that_was_asked_for_is_kept_and_the_verdict_said(table, from_prior):
    from_prior.divergences["cohort"] = 500
    with pytest.warns(DiagnosticsWarning, match="before using a number"):
        found = fit(table, effects=(CalendarWalk(), CohortDecay()), seed=1, sampler=OPTIONS)
    assert found.model.effects == (CalendarWalk(), CohortDecay())
    assert found.diagnostics.verdict == "FAIL"


def test_what_the_reader_must_know_is_warned_and_kept(table, from_prior):
    with pytest.warns(ShortHistoryWarning):
        found = fit(table, seed=1, sampler=OPTIONS)
    assert [note.split(":")[0] for note in found.notes] == ["ShortHistoryWarning"]


@quiet
def test_no_seed_takes_one_and_records_it(table, from_prior):
    first, second = (fit(table, sampler=OPTIONS) for _ in range(2))
    assert first.seed != second.seed
    again = fit(table, seed=first.seed, sampler=OPTIONS)
    for part in first.draws:
        xr.testing.assert_identical(again.draws[part], first.draws[part])


def test_a_prior_of_nothing_is_refused_before_anything_is_sampled(table, from_prior):
    with pytest.raises(DefinitionError, match="polarization"):
        fit(table, priors={"polarization": (0.1, 0.5)}, seed=1)
    assert from_prior.calls == []


@quiet
def test_a_table_without_a_completed_tenure_is_refused(from_prior):
    rows = pd.DataFrame({"customer_id": ["a"], "start": ["2025-12-10"], "end": pd.NaT, "amount": [10.0]})
    table = Ledger.from_spells(rows, as_of="2025-12-31").cohort_table(period="month")
    with pytest.raises(FitError, match="at risk"):
        fit(table, seed=1)


# --- Honest answers where there is little to learn ---


def posterior_by_quadrature(stayed, left, quantiles):
    """Quantiles of first_churn given accounts that left in, or stayed through, tenures of that one hazard."""
    prior = Geometric().parameters[0]
    location, sd = prior.location_scale()
    at = np.linspace(location - 8 * sd, location + 8 * sd, 20_001)
    hazard = special.expit(at)
    density = np.exp(-0.5 * ((at - location) / sd) ** 2 + left * np.log(hazard) + stayed * np.log1p(-hazard))
    below = np.cumsum(density) / density.sum()
    return special.expit(np.interp(quantiles, below, at))


LITTLE = {
    "one customer": [(1, 0)],
    "one customer, who left": [(1, 1)],
    "no churn at all": [(100, 0)] * 5,
    "everything churned": [(50, 50)],
    "everything churned by and by": [(50, 20), (30, 20), (10, 10)],
}


@pytest.fixture(scope="module")
def little():
    """Fits of Smooth, the default, to next to nothing."""
    return {name: fit(counts(cells), seed=2, sampler=SHORT) for name, cells in LITTLE.items()}


def first_churn(found):
    return found.draws["logo"]["first_churn"].to_numpy().ravel()


@pytest.mark.mcmc
@quiet
@pytest.mark.parametrize("name", LITTLE)
def test_answers_are_finite_and_hazards_are_probabilities(little, name):
    found = little[name]
    hazard = Smooth().hazard(np.arange(12), found.theta("logo"))
    assert np.isfinite(hazard).all()
    assert hazard.min() > 0
    assert hazard.max() <= 1
    worth = value(found, TERMS)
    for kind in ("parameter", "predictive"):
        assert np.isfinite(worth.sample("cltv", kind)).all()
    assert np.isfinite(found.summary()[["mean", "low", "high"]]).all(axis=None)


@pytest.mark.mcmc
@quiet
@pytest.mark.parametrize("name", LITTLE)
def test_the_sampler_is_content_with_little(little, name):
    diagnostics = little[name].diagnostics.table
    assert diagnostics["r_hat"].max() < 1.03
    assert diagnostics["divergences"].sum() <= 5


@pytest.mark.mcmc
@quiet
@pytest.mark.parametrize("name", ["one customer", "one customer, who left", "everything churned"])
def test_the_first_hazard_is_as_certain_as_the_data_allow(little, name):
    """Only cells of tenure 0: the posterior of first_churn is one-dimensional, and known by quadrature."""
    ((n, d),) = LITTLE[name]
    drawn = first_churn(little[name])
    at = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
    below = [(drawn < q).mean() for q in posterior_by_quadrature(n - d, d, at)]
    effective = little[name].diagnostics.table[["ess_bulk", "ess_tail"]].min(axis=None)
    np.testing.assert_array_less(np.abs(below - at), 4 * np.sqrt(at * (1 - at) / min(effective, len(drawn))))


@pytest.mark.mcmc
@quiet
def test_one_customer_hardly_moves_the_prior(little):
    """It stayed a year: the upper end, 50%, falls by 0.54 in log odds, a tenth of the interval; the lower stays."""
    prior = special.logit(Geometric().parameters[0].plausible)
    exact = special.logit(posterior_by_quadrature(1, 0, [0.05, 0.95]))
    drawn = special.logit(np.quantile(first_churn(little["one customer"]), [0.05, 0.95]))
    assert exact - prior == pytest.approx([-0.11, -0.54], abs=0.005)
    assert np.abs(drawn - prior).max() < 0.2 * np.ptp(prior)
    assert np.ptp(drawn) > 0.8 * np.ptp(prior)


@pytest.mark.mcmc
@quiet
def test_no_churn_at_all_follows_the_rule_of_three(little):
    """None of 500 account-years left: an average hazard above 3 / 500 is hardly believed, zero is not claimed."""
    theta = little["no churn at all"].theta("logo")
    average = Smooth().hazard(np.arange(5), theta).mean(axis=1)
    assert np.quantile(average, 0.95) < 1.5 * 3 / 500
    assert np.quantile(average, 0.50) > 0.05 / 500
    assert Smooth().survival(np.array([5]), theta).mean() > 0.95


@pytest.mark.mcmc
@quiet
def test_everything_churned_leaves_nothing(little):
    theta = little["everything churned"].theta("logo")
    assert np.quantile(first_churn(little["everything churned"]), 0.05) > 0.8
    assert Smooth().survival(np.array([1]), theta).mean() < 0.15
    assert Smooth().survival(np.array([3]), theta).mean() < 0.02


@pytest.mark.mcmc
@quiet
@pytest.mark.filterwarnings("ignore::lifeworth.errors.TenureWarning")  # all losses are in one tenure: said rightly
@pytest.mark.parametrize("pooling", ["partial", "complete", "none"])
def test_every_pooling_answers_on_a_small_ledger(table, pooling):
    effects = fitting.DEFAULT_EFFECTS[pooling]  # stated, so that none is left out again by a second fit
    found = fit(table, churn=Geometric(), effects=effects, pooling=pooling, seed=4, sampler=SHORT)
    worth = value(found, TERMS, draws=500)
    rows = worth.table().query("measure in ['cltv', 'total_residual', 'nrr', 'logo_retention']")
    assert np.isfinite(rows[["mean", "p10", "p50", "p90"]]).all(axis=None)
    retained = worth.sample("logo_retention")
    lost, at_risk = table.frame["churned"].sum(), table.frame["at_risk"].sum()
    raw = (1 - lost / at_risk) ** 12
    low, high = np.quantile(retained, [0.005, 0.995])
    assert low < raw < high, "the band does not hold what the book shows"
    for part in ("logo", "money"):
        assert np.isfinite(found.theta(part, unit=0)["first_churn"]).all()
    new = worth.sample("cltv", cohort="new", segment="a")
    assert new.std() > 0


@pytest.mark.mcmc
@quiet
def test_one_segment_one_cohort_and_one_bucket_have_nothing_to_pool():
    found = fit(small_ledger(months=3, segments=("a",), first=10), churn=Geometric(), seed=4, sampler=SHORT)
    assert (found.index.shape.segments, found.index.shape.cohorts, found.index.shape.buckets) == (1, 1, 1)
    assert found.model.effects == ()
    assert np.isfinite(value(found, TERMS).sample("cltv", "predictive", cohort="new")).all()


@pytest.mark.mcmc
@quiet
def test_counts_without_money_are_fitted_and_valued():
    found = fit(counts([(100, 20), (80, 10)]), churn=Geometric(), seed=4, sampler=SHORT)
    exact = posterior_by_quadrature(150, 30, [0.5])[0]
    drawn = found.draws["logo"]["first_churn"].to_numpy()
    assert np.median(drawn) == pytest.approx(exact, abs=4 * 1.2533 * drawn.std() / np.sqrt(400))
    assert "total_residual" not in value(found, TERMS).draws


# --- Truth first ---

AS_OF = date(2026, 6, 30)
CALENDAR = (0.10, 0.16, 0.08, -0.05, -0.14, -0.10, 0.0, 0.06)
QUALITY = (0.15, -0.10, 0.05, -0.20, 0.10, 0.12, -0.10, 0.05)


@pytest.fixture(scope="module")
def world():
    """24 monthly cohorts of two segments, with calendar and quality shifts; everybody begins with one amount."""
    rich = SegmentWorld(
        ("rich",), 60, 500.0, (0.05, 0.05, 0.04, 0.03, 0.02), expansion_monthly=0.010, contraction_monthly=0.003
    )
    poor = SegmentWorld(
        ("poor",), 120, 80.0, (0.10, 0.09, 0.08, 0.06, 0.05, 0.04), expansion_monthly=0.004, contraction_monthly=0.002
    )
    return World(
        (rich, poor),
        months=24,
        as_of=AS_OF,
        calendar=tuple(np.repeat(CALENDAR, 3)),
        quality=tuple(np.repeat(QUALITY, 3)),
        quality_half_life=4.0,
    )


@pytest.fixture(scope="module")
def recovered(world):
    ledger = Ledger.from_spells(simulate(world, 11), as_of=AS_OF)
    table = ledger.cohort_table(period="month", cohort="quarter", calendar="quarter", by=["segment"])
    found = fit(table, seed=5, sampler=SamplerOptions(draws=500, tune=500, chains=4, cores=2))
    terms = Economics(gross_margin=0.8, discount_rate_annual=0.12, horizon_years=5)
    return found, value(found, terms)


TRUE_TERMS = {"gross_margin": 0.8, "discount_rate_annual": 0.12, "horizon_years": 5}


@pytest.mark.mcmc
@quiet
def test_the_truth_of_each_cohort_lies_inside_its_band(world, recovered):
    """CLTV of 16 cohorts x segments in their 95% bands: 13 or more.

    Of 16 independent bands fewer than 13 would hold with probability 0.7%; these share their calendar and their
    segment, so that they miss together, which the count of 13 leaves room for.
    """
    found, worth = recovered
    inside, z = [], []
    for number, cohort in enumerate(found.index.cohorts):
        for segment in world.segments:
            months = range(3 * number, 3 * number + 3)  # as many accounts in each
            truth = np.mean([true_cltv(world, segment, acquired_month=m, **TRUE_TERMS) for m in months])
            drawn = worth.sample("cltv", cohort=cohort, segment=segment.labels[0])
            low, high = np.quantile(drawn, [0.025, 0.975])
            inside.append(low <= truth <= high)
            z.append((drawn.mean() - truth) / drawn.std())
    assert len(inside) == 16
    assert sum(inside) >= 13
    assert np.abs(z).max() < 4


@pytest.mark.mcmc
@quiet
def test_the_true_value_of_the_book_lies_within_four_sd(world, recovered):
    found, worth = recovered
    truth = true_residual(world, found.table.in_force, **TRUE_TERMS).sum()
    drawn = worth.sample("total_residual")
    assert abs(drawn.mean() - truth) < 4 * drawn.std()
    assert drawn.std() < 0.1 * truth


@pytest.mark.mcmc
@quiet
def test_the_true_value_of_a_new_account_lies_within_four_sd(world, recovered):
    _, worth = recovered
    for segment in world.segments:
        truth = true_cltv(world, segment, **TRUE_TERMS)
        drawn = worth.sample("cltv", cohort="new", segment=segment.labels[0])
        assert abs(drawn.mean() - truth) < 4 * drawn.std()


@pytest.mark.mcmc
@quiet
def test_the_hazards_of_the_segments_are_recovered(world, recovered):
    """The difference of log hazards, which no calendar or cohort can explain away."""
    found, _ = recovered
    true_gap = np.mean([np.log(-np.log1p(-s.hazards(np.arange(12)))) for s in world.segments], axis=1)
    position = {labels[0]: i for i, labels in enumerate(found.index.segments)}
    drawn = found.theta("logo")["segment"]
    gap = drawn[:, position["poor"]] - drawn[:, position["rich"]]
    assert abs(gap.mean() - (true_gap[1] - true_gap[0])) < 4 * gap.std()
    assert gap.std() < 0.1


@pytest.mark.mcmc
@quiet
def test_the_diagnostics_of_the_default_model_do_not_fail(recovered):
    found, _ = recovered
    assert found.diagnostics.verdict in ("PASS", "WARN")
    assert CohortDecay() in found.model.effects
