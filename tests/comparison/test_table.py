import numpy as np
import pytest

import lifeworth as lw
from lifeworth.comparison import verdict
from lifeworth.errors import DefinitionError

TERMS = lw.Economics(gross_margin=0.8, discount_rate_annual=0.1, horizon_years=4)


@pytest.fixture(scope="module")
def compared(constant_fit) -> lw.Valuation:
    return lw.value(constant_fit(), TERMS)


def test_constant_world_agrees_with_every_aligned_formula(compared):
    """With constant churn known exactly and no expansion, the posterior is the closed form."""
    table = lw.compare(compared).table()
    aligned = table[(table["basis"] == "aligned") & (table["kind"] == "parameter") & (table["segment"] == "a")]
    known = aligned[~aligned["method"].isin(["sBG point estimate", "cohort curve, naive", "worksheet"])]
    assert len(known) == 11
    assert known["estimate"].to_numpy() == pytest.approx(known["mean"].to_numpy(), rel=1e-9)
    sbg = aligned[aligned["method"] == "sBG point estimate"].iloc[0]
    assert sbg["estimate"] == pytest.approx(sbg["mean"], rel=1e-3)


def test_columns_of_the_contract_come_first_and_in_order(compared):
    columns = list(lw.compare(compared).table().columns)
    assert columns[:13] == [
        "cohort", "segment", "method", "basis", "estimate", "reason", "kind", "mean", "p10", "p50", "p90",
        "percentile", "verdict",
    ]  # fmt: skip


def test_total_row_is_the_money_weighted_sum_of_segments(compared):
    table = lw.compare(compared).table()
    rows = table[(table["basis"] == "aligned") & (table["kind"] == "parameter")]
    means = rows[rows["method"] == "worksheet"].set_index("segment")["mean"]
    n = compared.fit.table.acquisitions.groupby("segment")["accounts"].sum()
    assert means["all"] == pytest.approx((means["a"] * n["a"] + means["b"] * n["b"]) / n.sum())


def test_blended_formula_hides_the_mix(compared):
    """The total as practised is one formula on blended rates, not the sum of the segments' formulas."""
    table = lw.compare(compared).table()
    rows = table[(table["basis"] == "as practised") & (table["kind"] == "parameter")]
    basic = rows[rows["method"] == "ARPA x margin / churn"].set_index("segment")["estimate"]
    inputs = lw.compare(compared).inputs.set_index(["segment", "basis"])
    total = inputs.loc[("all", "as practised")]
    assert basic["all"] == pytest.approx(total["arpa"] * 0.8 / total["churn"])
    assert not np.isclose(basic["all"], basic[["a", "b"]].mean())


def test_percentile_and_verdict_speak_of_the_row_s_own_band(compared):
    table = lw.compare(compared).table()
    assert ((table["percentile"] >= 0) & (table["percentile"] <= 1)).all()
    above = table[table["verdict"].str.startswith("above")]
    assert len(above)
    assert (above["estimate"] > above["p90"]).all()


def test_a_sheet_comes_first_and_is_exactly_its_own_result(compared):
    sheet = {"arpa": 15_000, "gross_margin": 0.85, "churn": 0.15, "expansion": 0.10}
    first = lw.compare(compared, inputs=sheet).table().iloc[0]
    assert first["estimate"] == pytest.approx(15_000 * 0.85 / 0.15)
    linear = lw.compare(compared, inputs=sheet).summary().set_index(["method", "basis"])
    assert linear.loc[("with expansion, linear", "as practised"), "estimate"] == pytest.approx(255_000)


def test_an_undefined_formula_keeps_its_row_and_says_why(compared):
    table = lw.compare(compared, inputs={"churn": 0.05, "expansion": 0.08}).summary()
    row = table.set_index(["method", "basis"]).loc[("with expansion, linear", "as practised")]
    assert np.isnan(row["estimate"])
    assert np.isnan(row["percentile"])
    assert row["verdict"].startswith("undefined: ")


def test_a_sheet_with_an_unknown_number_is_refused(compared):
    with pytest.raises(DefinitionError, match="margin_gross"):
        lw.compare(compared, inputs={"margin_gross": 0.8})


@pytest.mark.parametrize(
    ("estimate", "words"),
    [
        (131.0, "above P90: overstates by 31%"),
        (2_000.0, "above P90: overstates 20-fold"),
        (80.0, "below P10: understates by 20%"),
        (98.0, "inside the band: 2% below the mean"),
    ],
)
def test_verdicts_in_words(estimate, words):
    assert verdict(estimate, "", 100.0, 90.0, 110.0) == words


def test_no_verdict_by_ratio_to_a_value_that_is_not_positive():
    assert verdict(5.0, "", -1.0, -2.0, 1.0) == "above the band; the posterior mean is not positive"
