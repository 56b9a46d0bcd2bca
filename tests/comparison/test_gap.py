"""The gap in steps: they add up, end at the posterior mean, and each appears where its assumption is broken alone."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lifeworth as lw
from lifeworth.comparison import METHODS, STEPS, Revaluation, Setting
from lifeworth.effects import CalendarWalk, CohortDecay, Segments, Shock
from lifeworth.errors import AssumptionError, ComparisonError, DefinitionError

pytestmark = pytest.mark.filterwarnings("ignore::lifeworth.errors.ExtrapolationWarning")

BASIC, EXACT, LINEAR = "ARPA x margin / churn", "with expansion, exact", "with expansion, linear"
AT_ONCE, AT_ENDS = "margin multiple, first payment at once", "margin multiple, paid at period ends"
FOREVER = {"gross_margin": 0.8, "discount_rate_annual": 0.0, "horizon_years": 100, "timing": "start"}


def terms(**changes):
    return lw.Economics(**FOREVER | changes)


def gap_of(value, method):
    """The gap of the total row of new accounts, without the table of all formulas."""
    revaluation = Revaluation(value)
    return lw.comparison.gap.gap(revaluation, METHODS[method], revaluation.subject.row(None, {}))


def moved(gap, least=1e-6):
    """Names of the steps that change the value."""
    return {name for step in gap.steps if abs(step.change) > least * abs(gap.end) for name in step.names}


# --- A world in which the formulas are right ---


@pytest.mark.parametrize(
    ("economics", "right"),
    [
        (terms(), [BASIC, LINEAR, EXACT, "Skok, increase from the second payment"]),
        (terms(discount_rate_annual=0.1), [AT_ONCE, "Skok, discounted", "cohort curve"]),
        (terms(discount_rate_annual=0.1, timing="end"), [AT_ENDS]),
        (terms(discount_rate_annual=0.1, timing="end", horizon_years=5), ["worksheet with survival"]),
    ],
)
def test_every_formula_that_applies_is_the_posterior_in_its_world(even, economics, right, build):
    compared = lw.compare(lw.value(build.fit(even, {"first_churn": 0.2}), economics))
    summary = compared.summary().set_index(["method", "basis"])
    for name in right:
        row = summary.loc[name, "as practised"]
        assert row["estimate"] == pytest.approx(row["posterior mean"], rel=1e-8), name
        assert moved(compared.gap(name)) == set()


def test_the_book_in_force_of_that_world_is_worth_the_renewals_to_come(even, build):
    """Paid at starts, valued right after a payment: the first renewal is 2.5 months ahead, then one a year."""
    economics = terms(discount_rate_annual=0.1)
    compared = lw.compare(lw.value(build.fit(even, {"first_churn": 0.2}), economics), measure="residual")
    table = compared.summary().set_index(["method", "basis"])
    imminent = table.loc[AT_ONCE, "as practised"]
    assert imminent["estimate"] == pytest.approx(800 * 0.8 * 1.1 / 0.3)
    elapsed = even.in_force["elapsed"].unique().item()
    assert imminent["posterior mean"] == pytest.approx(imminent["estimate"] * 1.1 ** (elapsed / 12 - 1), rel=1e-9)
    assert moved(compared.gap(AT_ONCE)) == {"discounting"}


# --- One assumption broken at a time ---


def broken(even, mixed_fit, build):
    """What is broken, the fit, the economics, the method, and the steps that must appear."""
    theta, walk = {"first_churn": 0.2}, CalendarWalk(momentum=False, reaction=0.0)
    fit = build.fit(even, theta)
    spread = 1 / (1 + np.exp(-(np.log(0.25) + np.linspace(-0.8, 0.8, 8))))
    buckets = fit.index.shape.buckets
    calendar = theta | {"calendar_sd": 0.3, "calendar": np.zeros(buckets - 1)}
    grown = build.growth | {"expansion_annual": 0.05}
    piecewise = {"first_churn": 0.4, "change": [np.log(np.log(0.8) / np.log(0.6))]}
    early = build.table(build.world(625, lambda t: 0.6 if t == 0 else 0.8, range(2020, 2025)))
    dear = build.table(
        build.world(625, lambda t: 0.8, range(2020, 2024)), build.world(500, lambda t: 0.8, range(2024, 2025), arpa=3e3)
    )
    five = terms(horizon_years=5)
    saturating = {"expansion_annual": 0.2, "headroom": 1.0} | build.growth
    return {
        "horizon": (fit, terms(horizon_years=5), BASIC, {"horizon"}),
        "discounting": (fit, terms(discount_rate_annual=0.1), BASIC, {"discounting"}),
        "timing": (fit, terms(discount_rate_annual=0.1, timing="end"), AT_ONCE, {"discounting"}),
        "service": (fit, terms(service_cost_annual=100), BASIC, {"cost"}),
        "price": (fit, terms(price_increase_annual=0.02), BASIC, {"cost"}),
        "segments": (mixed_fit, terms(), BASIC, {"segments"}),
        "tenure": (build.fit(early, piecewise, churn=lw.Piecewise((1,))), terms(), BASIC, {"tenure"}),
        "arpa": (build.fit(dear, theta), terms(), BASIC, {"arpa"}),
        "fitted": (build.fit(even, {"first_churn": 0.25}), terms(), BASIC, {"fitted"}),
        "money": (build.fit(even, theta, money={"first_churn": 0.15}), terms(), BASIC, {"money"}),
        "growth": (build.fit(even, theta, growth=grown), terms(), BASIC, {"growth"}),
        "ceiling": (build.fit(even, theta, growth=saturating, expansion=lw.Saturating()), terms(), BASIC, {"growth"}),
        "uncertainty": (build.fit(even, {"first_churn": spread}), terms(), BASIC, {"uncertainty"}),
        "calendar": (build.fit(even, calendar, effects=(walk,)), five, BASIC, {"calendar", "horizon"}),
        "censoring": (fit, terms(discount_rate_annual=0.1), "cohort curve, naive", {"censoring"}),
        "survival": (fit, terms(discount_rate_annual=0.1, horizon_years=5, timing="end"), "worksheet", {"tenure"}),
    }  # fmt: skip


def test_exactly_the_step_that_names_it_appears(even, mixed_fit, build):
    for what, (fit, economics, method, expected) in broken(even, mixed_fit, build).items():
        gap = gap_of(lw.value(fit, economics), method)
        assert moved(gap) == expected, what
        assert gap.total == pytest.approx(gap.end - gap.start, abs=1e-9), what


def test_jensen_is_positive_for_churn_and_the_end_is_the_mean_of_the_draws(even, build):
    spread = np.linspace(0.1, 0.3, 8)
    value = lw.value(build.fit(even, {"first_churn": spread}), terms())
    gap = lw.compare(value).gap(BASIC)
    step = next(s for s in gap.steps if s.names == ("uncertainty",))
    logit = np.log(spread / (1 - spread)).mean()
    assert step.before == pytest.approx(800 * (1 + np.exp(-logit)), rel=1e-6)
    assert step.after == pytest.approx((800 / spread).mean(), rel=1e-3)
    assert gap.end == value.sample("cltv", cohort="new").mean()


# --- The example of the expansion formula ---


def test_255_000_step_by_step(build):
    """15,000 a year, 85%, churn 15%, expansion 10%: linear 255,000, exact 196,154, five years, 12%."""
    table = build.table(build.world(400, lambda t: 0.85, range(2022, 2025), growth=0.10, arpa=15_000.0))
    fit = build.fit(table, {"first_churn": 0.15}, growth=build.growth | {"expansion_annual": 0.10})
    economics = lw.Economics(gross_margin=0.85, discount_rate_annual=0.12, horizon_years=5)
    gap = lw.compare(lw.value(fit, economics), inputs={"ARPA": 15_000}).gap(LINEAR)
    steps = gap.table().set_index("step")
    assert gap.start == pytest.approx(255_000)
    assert steps.loc["sheet: arpa", "change"] == pytest.approx(-steps.loc["arpa", "change"])
    after = steps["value_after"]
    assert after["arpa"] == pytest.approx(255_000)
    assert round(after["compounding"]) == 196_154
    assert after["horizon"] == pytest.approx(12_750 * (1 - 0.935**5) / 0.065)
    by_hand = sum(12_750 * 0.935**t / 1.12 ** (t + 1) for t in range(5))
    assert after["discounting"] == pytest.approx(by_hand)
    assert gap.end == pytest.approx(by_hand)
    assert moved(gap) == {"sheet: arpa", "arpa", "compounding", "horizon", "discounting"}
    assert steps["change"].sum() == pytest.approx(gap.end - 255_000, abs=1e-9)


def test_worksheet_171_479_comes_to_117_834_by_its_missing_survival(build):
    table = build.table(build.world(2500, lambda t: 0.82, range(2022, 2025), arpa=50_000.0))
    fit = build.fit(table, {"first_churn": 0.18}, growth=build.growth | {"expansion_annual": 0.15})
    economics = lw.Economics(gross_margin=0.82, discount_rate_annual=0.12, horizon_years=5, service_cost_annual=6_000)
    gap = lw.compare(lw.value(fit, economics), inputs={"expansion": 0.15}).gap("worksheet")
    assert (round(gap.start), round(gap.end)) == (171_479, 117_834)
    kept = lw.compare(lw.value(fit, economics), inputs={"expansion": 0.15}).gap("worksheet with survival")
    assert round(kept.start) == round(kept.end) == 117_834


# --- What is always so ---


@pytest.fixture(scope="module")
def rich(mixed, build):
    """A fit with everything in it: segments, cohorts, a calendar, shocks, growth with a ceiling, spread draws."""
    rng = np.random.default_rng(5)

    def made(pooling="partial", expansion=None):
        effects = (Segments(), CalendarWalk(), CohortDecay(), Shock())
        shape = build.fit(mixed, {"first_churn": 0.3}).index.shape
        several = 8
        theta = {
            "first_churn": rng.uniform(0.2, 0.4, several),
            "segment_sd": 0.3,
            "segment": rng.normal(0, 0.2, (several, 2)),
            "calendar_sd": rng.uniform(0.05, 0.2, several),
            "calendar_momentum": 0.3,
            "calendar": rng.normal(0, 0.1, (several, shape.buckets - 1)),
            "cohort_sd": 0.1,
            "cohort_half_life": 2.0,
            "cohort": rng.normal(0, 0.1, (several, shape.cohorts)),
            "shock_sd": 0.1,
            "shock": rng.normal(0, 0.1, (several, shape.segments * shape.buckets)),
        }
        growth = {
            "expansion_annual": rng.uniform(0.05, 0.15, several),
            "headroom": 1.5,
            "contraction_annual": 0.02,
            "expansion_segment_sd": 0.2,
            "expansion_segment": rng.normal(0, 0.1, (several, 2)),
            "contraction_segment_sd": 0.2,
            "contraction_segment": np.zeros(2),
            "expansion_shock_sd": 0.1,
            "contraction_shock_sd": 0.1,
        }
        return build.fit(mixed, theta, growth=growth, effects=effects, expansion=expansion or lw.Saturating())

    return made()


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(sorted(METHODS)),
    measure=st.sampled_from(["cltv", "residual", "total_residual"]),
    timing=st.sampled_from(["end", "start"]),
    rate=st.sampled_from([0.0, 0.12]),
    horizon=st.integers(1, 8),
    reverse=st.booleans(),
    aligned=st.booleans(),
)
def test_steps_add_up_and_end_at_the_posterior(rich, method, measure, timing, rate, horizon, reverse, aligned):
    economics = lw.Economics(
        gross_margin={"a": 0.8, "b": 0.6}, discount_rate_annual=rate, horizon_years=horizon, timing=timing,
        service_cost_annual=30,
    )  # fmt: skip
    value = lw.value(rich, economics)
    compared = lw.compare(value, measure=measure)
    table = compared.table()
    assert table["percentile"].dropna().between(0, 1).all()
    for segment in (None, {"segment": "b"}):
        basis = "aligned" if aligned else "as practised"
        gap = compared.gap(method, basis=basis, reverse=reverse, segment=segment)
        label = "all" if segment is None else "b"
        row = table[(table["segment"] == label) & (table["method"] == method) & (table["basis"] == basis)].iloc[0]
        assert row["kind"] == "parameter"
        assert gap.end == pytest.approx(row["mean"], rel=1e-12)
        assert np.isnan(row["estimate"]) or gap.start == pytest.approx(row["estimate"], rel=1e-12)
        first = gap.start if np.isfinite(gap.start) else gap.steps[0].after
        assert gap.total == pytest.approx(gap.end - first, abs=1e-9 * max(abs(first), 1.0))
        assert all(a.after == b.before for a, b in pairwise(gap.steps))
        order = [name for step in gap.steps for name in step.names]
        assert order == (list(STEPS)[::-1] if reverse else list(STEPS))


@pytest.mark.parametrize("measure", ["cltv", "residual"])
def test_the_engine_with_all_draws_and_the_calendar_is_the_valuation(rich, measure):
    """What the gap sums over expected paths is what `value` sums over draws."""
    economics = lw.Economics(
        gross_margin={"a": 0.8, "b": 0.6}, discount_rate_annual=0.12, horizon_years=5, service_cost_annual=30,
        price_increase_annual=0.01,
    )  # fmt: skip
    value = lw.value(rich, economics)
    revaluation = Revaluation(value, measure)
    revaluation._is_posterior = lambda setting: False
    every = Setting(**dict.fromkeys(STEPS, True))
    for row in revaluation.subject.rows(cohorts=True):
        expected = revaluation.subject.draws(measure, row, "parameter").mean()
        assert revaluation.worth(METHODS[BASIC], every, row) == pytest.approx(expected, rel=1e-9), row


def test_a_cohort_nobody_was_observed_of_has_no_formula_but_a_value(rich):
    compared = lw.compare(lw.value(rich, terms(horizon_years=3)), cohorts=True)
    table = compared.table()
    rows = table[(table["cohort"] == "2024") & (table["segment"] == "all")]
    assert rows["estimate"].isna().all()
    assert rows["reason"].str.contains("no account was at risk").all()
    assert (rows["flag"].str.contains("SMALL-SAMPLE")).all()
    gap = compared.gap(BASIC, cohort="2024")
    assert np.isnan(gap.start)
    assert gap.steps[0].names[-1] == "fitted"
    assert gap.end == rows["mean"].iloc[0]


def test_an_undefined_formula_starts_at_the_first_value_there_is(even, build):
    grown = build.fit(even, {"first_churn": 0.2}, growth=build.growth | {"expansion_annual": 0.05})
    value = lw.value(grown, lw.Economics(gross_margin=0.8, discount_rate_annual=0.1, horizon_years=5))
    gap = lw.compare(value, inputs={"expansion": 0.4}).gap(LINEAR)
    assert np.isnan(gap.start)
    assert "expansion" in gap.reason
    assert np.isnan(gap.steps[0].change)
    assert gap.total == pytest.approx(gap.end - gap.steps[0].after)


def test_an_infinite_value_on_the_way_is_one_step_with_the_next(even, build):
    """Expansion above churn has no end without a horizon: in reverse, growth waits for the horizon."""
    grown = build.fit(even, {"first_churn": 0.2}, growth=build.growth | {"expansion_annual": 0.3})
    value = lw.value(grown, lw.Economics(gross_margin=0.8, discount_rate_annual=0.0, horizon_years=5))
    compared = lw.compare(value)
    joined = next(step for step in compared.gap(BASIC, reverse=True).steps if "growth" in step.names)
    assert "horizon" in joined.names
    assert compared.gap(BASIC, reverse=True).end == compared.gap(BASIC).end


def test_a_sheet_is_left_one_number_at_a_time(even, build):
    value = lw.value(build.fit(even, {"first_churn": 0.2}), terms())
    gap = lw.compare(value, inputs={"ARPA": 500, "churn": 0.1, "margin": 0.8}).gap()
    assert gap.start == pytest.approx(500 * 0.8 / 0.1)
    steps = gap.table().set_index("step")["change"]
    assert list(steps.index[:2]) == ["sheet: arpa", "sheet: churn"]
    assert steps["sheet: arpa"] == pytest.approx(4000)
    assert steps["sheet: churn"] == pytest.approx(-4000)
    assert gap.end == pytest.approx(4000)


def test_in_the_opposite_order_what_acts_on_the_fitted_hazard_waits_for_it(rich):
    compared = lw.compare(lw.value(rich, terms(horizon_years=3)))
    about = compared.gap(BASIC, reverse=True).table().set_index("step")["about"]
    assert [name for name in about.index if "acts with the fitted hazard" in about[name]] == [
        "calendar", "uncertainty", "money",
    ]  # fmt: skip
    assert not compared.gap(BASIC).table()["about"].str.contains("acts with").any()


def test_rows_and_methods_that_are_not_there_are_refused(rich):
    compared = lw.compare(lw.value(rich, terms(horizon_years=3)))
    with pytest.raises(ComparisonError, match="segment"):
        compared.gap(BASIC, segment={"segment": "c"})
    with pytest.raises(ComparisonError, match="region"):
        compared.gap(BASIC, segment={"region": "a"})
    with pytest.raises(DefinitionError, match="no formula"):
        compared.gap("basic")
    with pytest.raises(DefinitionError, match="basis"):
        compared.gap(BASIC, basis="practised")


def test_infinite_and_undefined_values_say_so(even, build):
    value = lw.value(build.fit(even, {"first_churn": 0.2}), terms())
    revaluation = Revaluation(value)
    row = revaluation.subject.row(None, {})
    x = revaluation.subject.inputs(row)
    with pytest.raises(AssumptionError, match="infinite"):
        revaluation.worth(
            METHODS[EXACT], Setting(discounting=True), row, blended=replace(x, churn=0.01, expansion=0.05)
        )
