"""Decisions on a formula's number, flags of a row, and what may be compared with what."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

import lifeworth as lw
from lifeworth.comparison import METHODS, Method, check_alike, differences, register_method
from lifeworth.errors import ComparisonError, DefinitionError

pytestmark = pytest.mark.filterwarnings("ignore::lifeworth.errors.ExtrapolationWarning")

BASIC = "ARPA x margin / churn"


def terms(**changes):
    given = {"gross_margin": 0.8, "discount_rate_annual": 0.1, "horizon_years": 5, "timing": "end"}
    return lw.Economics(**given | changes)


@pytest.fixture(scope="module")
def spread(even, build):
    """Churn of 12.5% to 30%: eight equally probable values."""
    return build.fit(even, {"first_churn": np.linspace(0.125, 0.3, 8)})


def chosen(table, **keys):
    for name, wanted in keys.items():
        table = table[table[name] == wanted]
    assert len(table) == 1
    return table.iloc[0]


# --- Decisions ---


def test_the_probability_that_the_formula_decides_wrongly_is_counted_over_draws(spread):
    value = lw.value(spread, terms(cac=900))
    found = lw.compare(value).decisions()
    row = chosen(found, method=BASIC, basis="as practised", kind="parameter", decision="CLTV:CAC")
    assert row["formula"] == pytest.approx(800 / 0.2 / 900)
    draws = value.sample("cltv_cac", cohort="new")
    assert row["formula_says"] == "yes"
    assert row["wrong"] == pytest.approx((draws <= 3).mean())
    assert 0.5 < row["wrong"] <= 1
    assert row["flips"]
    aligned = chosen(found, method=BASIC, basis="aligned", kind="parameter", decision="CLTV:CAC")
    assert aligned["formula_says"] == "no"
    assert aligned["wrong"] == pytest.approx(1 - row["wrong"])


def test_a_target_cac_is_wrong_where_the_account_is_not_worth_three_times_it(spread):
    value = lw.value(spread, terms())
    row = chosen(lw.compare(value).decisions(), method=BASIC, basis="aligned", kind="parameter", decision="target CAC")
    estimate = sum(800 * 0.8**t / 1.1 ** (t + 1) for t in range(5))
    assert row["formula"] == pytest.approx(estimate / 3)
    assert row["wrong"] == pytest.approx((value.sample("cltv", cohort="new") < estimate).mean())


@pytest.mark.parametrize(("cac", "practised", "aligned"), [(700, 10.5, 12), (900, 13.5, 24), (3000, 45, np.inf)])
def test_payback_by_a_constant_margin_and_by_that_of_those_who_stay(even, build, cac, practised, aligned):
    """800 a year of margin; of those who stay 800, 640, 512, ... at year ends, 2,689 in five years."""
    found = lw.compare(lw.value(build.fit(even, {"first_churn": 0.2}), terms(cac=cac))).decisions()
    keys = {"method": BASIC, "kind": "parameter", "decision": "payback"}
    assert chosen(found, basis="as practised", **keys)["formula"] == pytest.approx(practised)
    row = chosen(found, basis="aligned", **keys)
    assert row["formula"] == aligned == row["posterior"]
    assert row["wrong"] == 0


def test_without_cac_only_the_target_is_decided_and_a_residual_decides_nothing(spread):
    value = lw.value(spread, terms())
    assert set(lw.compare(value).decisions()["decision"]) == {"target CAC"}
    assert lw.compare(value, measure="residual").decisions().empty


def test_decisions_name_their_segment(mixed_fit):
    found = lw.compare(lw.value(mixed_fit, terms(cac={"a": 500.0, "b": 300.0}))).decisions()
    assert set(found["segment"]) == {"all", "a", "b"}
    assert found["wrong"].between(0, 1).all()


# --- Flags and measures ---


def test_small_samples_and_extrapolation_are_flagged(build):
    few = build.table(
        build.world(80, lambda t: 0.8, range(2023, 2025)),
        build.world(1250, lambda t: 0.8, range(2021, 2025), segment="b"),
        by=("segment",),
    )
    fit = build.fit(few, {"first_churn": 0.2})
    table = lw.compare(lw.value(fit, terms(horizon_years=15))).table()
    by_segment = table.groupby("segment")["flag"].first()
    assert by_segment["a"] == "SMALL-SAMPLE, EXTRAPOLATION"
    assert by_segment["b"] == "EXTRAPOLATION"
    short = lw.compare(lw.value(fit, terms(horizon_years=3))).table().groupby("segment")
    assert short["flag"].first()["b"] == ""
    observed = short["beyond"].first()["b"]
    assert observed == 0


def test_share_beyond_the_observed_tenure_is_that_of_the_valuation(build, even):
    value = lw.value(build.fit(even, {"first_churn": 0.2}), terms(horizon_years=9))
    late = lw.compare(value).table()["beyond"].iloc[0]
    flows = np.array([800 * 0.8**t / 1.1 ** (t + 1) for t in range(9)])
    assert late == pytest.approx(flows[5:].sum() / flows.sum())


def test_the_book_in_force_per_account_and_in_total(mixed_fit):
    value = lw.value(mixed_fit, terms())
    each = lw.compare(value, measure="residual").table()
    whole = lw.compare(value, measure="total_residual").table()
    accounts = value.fit.table.in_force.groupby("segment")["accounts"].sum()
    for segment, n in {**accounts, "all": accounts.sum()}.items():
        one, all_of = (t[(t["segment"] == segment) & (t["kind"] == "parameter")] for t in (each, whole))
        for name in ("estimate", "mean", "p90"):
            assert (one[name] * n).to_numpy() == pytest.approx(all_of[name].to_numpy(), rel=1e-9)
        assert one["percentile"].tolist() == all_of["percentile"].tolist()
    means = whole[whole["kind"] == "parameter"].groupby("segment")["mean"].first()
    assert means["all"] == pytest.approx(means["a"] + means["b"])
    assert set(each["cohort"]) == {"all"}


def test_cohorts_have_rows_of_their_own_if_asked(mixed_fit):
    value = lw.value(mixed_fit, terms())
    table = lw.compare(value, cohorts=True).table()
    assert set(table["cohort"]) == {"new", "2020", "2021", "2022", "2023", "2024"}
    plain = lw.compare(value).table()
    assert table[table["cohort"] == "new"].reset_index(drop=True).equals(plain)
    row = chosen(table, cohort="2021", segment="b", method=BASIC, basis="aligned", kind="parameter")
    assert row["estimate"] == pytest.approx(row["mean"])
    assert row["estimate"] == pytest.approx(sum(320 * 0.6**t / 1.1 ** (t + 1) for t in range(5)))


def test_the_perils_of_one_rate_on_a_book_of_unlike_accounts(build):
    """Fader & Hardie (2010), case 1, on a ledger: sBG accounts, five acquisitions, the naive value is 12% too low."""
    alpha, beta = 3.8, 15.2
    years = {2020: 10_000, 2021: 15_000, 2022: 17_500, 2023: 19_000, 2024: 20_500}
    rows = []
    for year, n in years.items():
        left = [round(n / 5 * np.prod([(beta + k) / (alpha + beta + k) for k in range(t)])) for t in range(5)]
        for t in range(2024 - year):
            rows += [
                (f"{year}-{i}", f"{year}-12-31", f"{year + t + 1}-12-31", 1.0, "a") for i in range(left[t + 1], left[t])
            ]
        rows += [(f"{year}-{i}", f"{year}-12-31", None, 1.0, "a") for i in range(left[2024 - year])]
    frame = build.world(5, lambda t: 1.0, range(2024, 2025)).iloc[:0]
    frame = type(frame)(rows, columns=frame.columns)
    theta = {"first_churn": alpha / (alpha + beta), "polarization": 1 / (1 + alpha + beta)}
    fit = build.fit(build.table(frame), theta, churn=lw.ShiftedBetaGeometric())
    value = lw.value(fit, terms(gross_margin=1.0, timing="start", horizon_years=100))
    summary = lw.compare(value, measure="total_residual").summary().set_index(["method", "basis"])
    naive, sbg = (
        summary.loc[name, "as practised"] for name in ("margin multiple, first payment at once", "sBG point estimate")
    )
    assert 5 * naive["estimate"] == pytest.approx(182_292, rel=1e-3)
    assert 5 * sbg["estimate"] == pytest.approx(207_438, rel=2e-3)
    assert naive["estimate"] / sbg["estimate"] == pytest.approx(0.88, abs=0.005)
    assert 5 * naive["posterior mean"] * 1.1 == pytest.approx(207_438, rel=2e-3)  # the renewals were made today
    gap = lw.compare(value, measure="total_residual").gap("margin multiple, first payment at once")
    steps = gap.table().set_index("step")["change"]
    assert set(steps.index[steps.abs() > 0.02 * gap.end]) == {"discounting", "tenure", "fitted"}
    assert (steps["tenure"] + steps["fitted"]) / gap.end == pytest.approx(0.12, abs=0.005)


def test_a_table_of_counts_is_valued_at_the_arpa_given(counts_fit):
    value = lw.value(counts_fit, terms(arpa={"a": 1000.0, "b": 400.0}))
    table = lw.compare(value).table()
    row = chosen(table, segment="a", method=BASIC, basis="as practised", kind="parameter")
    assert row["estimate"] == pytest.approx(800 / 0.2)
    aligned = chosen(table, segment="a", method=BASIC, basis="aligned", kind="parameter")
    assert aligned["estimate"] == pytest.approx(aligned["mean"])
    growing = chosen(table, segment="a", method="with expansion, exact", basis="aligned", kind="parameter")
    assert "expansion" in growing["reason"]
    with pytest.raises(ComparisonError, match="residual"):
        lw.compare(value, measure="residual")


def test_a_formula_of_ones_own_is_in_the_table_and_in_the_gap(spread):
    mine = Method(
        name="three years of margin",
        practised=lambda x: 3 * x.periods_per_year * x.margin,
        survival=lambda t, x: (t < 3 * x.periods_per_year).astype(float),
        assumptions="everybody leaves after three years",
    )
    register_method(mine)
    try:
        compared = lw.compare(lw.value(spread, terms()))
        row = chosen(compared.table(), method=mine.name, basis="as practised", kind="parameter")
        assert row["estimate"] == pytest.approx(2400)
        gap = compared.gap(mine.name)
        assert gap.total == pytest.approx(gap.end - 2400)
    finally:
        del METHODS[mine.name]


def test_an_unknown_measure_is_refused(spread):
    with pytest.raises(DefinitionError, match="nrr"):
        lw.compare(lw.value(spread, terms()), measure="nrr")


# --- Like with like ---


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"horizon_years": 6}, "horizon_years is 5 and 6"),
        ({"discount_rate_annual": 0.12}, "discount_rate_annual"),
        ({"timing": "start"}, "timing is 'end' and 'start'"),
        ({"currency": "EUR"}, "currency"),
        ({"gross_margin": stats.beta(8, 2)}, "gross_margin"),
    ],
)
def test_other_economics_are_refused_by_name(spread, changes, named):
    one, other = (lw.compare(lw.value(spread, e)) for e in (terms(), terms(**changes)))
    with pytest.raises(ComparisonError, match=named):
        one.beside(other)


def test_other_cells_are_refused_and_other_models_are_not(even, mixed_fit, build):
    one, same = (lw.value(build.fit(even, {"first_churn": churn}), terms()) for churn in (0.2, 0.25))
    assert differences(one, same) == []
    both = lw.compare(one).beside(lw.compare(same))
    assert (both["mean_difference"] < 0).all()
    assert both["estimate"].equals(both["estimate_other"])
    other = build.table(build.world(1250, lambda t: 0.8, range(2020, 2025)))
    assert "cells" in differences(one, lw.value(build.fit(other, {"first_churn": 0.2}), terms()))[0]
    with pytest.raises(ComparisonError, match="by of the table"):
        check_alike(one, lw.value(mixed_fit, terms()))


def test_equal_distributions_are_alike(spread):
    one, other = (lw.value(spread, terms(gross_margin=stats.beta(8, 2))) for _ in range(2))
    assert differences(one, other) == []
    wider = replace(one, economics=terms(gross_margin=stats.beta(4, 1)))
    assert len(differences(one, wider)) == 1
