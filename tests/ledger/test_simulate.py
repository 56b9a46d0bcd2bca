"""The simulator against its own truth, and against the ledger built from it."""

import doctest
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

import lifeworth.ledger.simulate as module
from lifeworth.errors import DefinitionError
from lifeworth.ledger import Ledger
from lifeworth.ledger.datasets import discounted, true_cltv
from lifeworth.ledger.simulate import (
    SegmentWorld,
    World,
    brute_force,
    simulate,
    true_hazard,
    true_path,
    true_survival,
)

AS_OF = date(2026, 6, 30)
TERMS = {"gross_margin": 0.8, "discount_rate_annual": 0.12}
CALENDAR = tuple(0.3 * np.sin(np.arange(24) / 4))
QUALITY = tuple(0.4 * np.cos(np.arange(24)))

RICH = SegmentWorld(
    labels=("a", "north"),
    accounts_per_month=300,
    arpa=200.0,
    arpa_spread=0.5,
    hazard=(0.09, 0.07, 0.05, 0.03, 0.02),
    expansion_monthly=0.02,
    expansion_jump=0.2,
    contraction_monthly=0.008,
    contraction_jump=0.3,
    add_on_share=0.4,
    channels={"web": 0.7, "sales": 0.3},
)
PLAIN = SegmentWorld(
    labels=("b", "south"),
    accounts_per_month=250.0,
    arpa=50.0,
    hazard=lambda tenure: 0.02 + 0.06 / (1 + tenure),
    return_share=0.1,
    channels={"web": 1.0},
)


def world(*segments: SegmentWorld, **changes) -> World:
    return replace(World(segments, months=24, as_of=AS_OF, by=("plan", "region")), **changes)


@pytest.fixture(scope="module")
def rich_world() -> World:
    return world(RICH, PLAIN, calendar=CALENDAR, quality=QUALITY)


@pytest.fixture(scope="module")
def spells(rich_world) -> pd.DataFrame:
    return simulate(rich_world, 11)


@pytest.fixture(scope="module")
def table(spells):
    ledger = Ledger.from_spells(spells, as_of=AS_OF)
    return ledger.cohort_table(cohort="month", calendar="month", by=["plan", "region"])


def lone(**changes) -> tuple[World, SegmentWorld]:
    segment = replace(SegmentWorld(("x", "y"), 10, arpa=100.0, hazard=(0.02,)), **changes)
    return world(segment), segment


def assert_within(values: np.ndarray, expected, errors: float = 4.0) -> None:
    """The mean over the first axis lies within so many Monte Carlo standard errors."""
    se = values.std(axis=0, ddof=1) / np.sqrt(len(values))
    assert np.all(np.abs(values.mean(axis=0) - expected) <= errors * se + 1e-9)


def test_doctests():
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(("timing", "first"), [("end", 1), ("start", 0)])
def test_constant_hazard_is_the_geometric_closed_form(timing, first):
    where, segment = lone()
    v = 1.12 ** (-1 / 12)
    q = 0.98 * v
    expected = 0.8 * 100 * v**first * (1 - q**60) / (1 - q)
    assert true_cltv(where, segment, horizon_years=5, timing=timing, **TERMS) == pytest.approx(expected, rel=1e-12)


def test_growth_and_contraction_enter_the_closed_form():
    where, segment = lone(expansion_monthly=0.03, contraction_monthly=0.01)
    q = 0.98 * 1.02 * 1.12 ** (-1 / 12)
    expected = 80 * (1 - q**36) / (1 - q)
    assert true_cltv(where, segment, horizon_years=3, timing="start", **TERMS) == pytest.approx(expected, rel=1e-12)


def test_shifts_act_on_the_log_cumulative_hazard_of_the_month_a_tenure_ends_in():
    calendar, quality = tuple(np.arange(24) / 100), tuple(np.arange(24) / 10)
    where, segment = lone()
    where = replace(where, calendar=calendar, quality=quality, quality_half_life=3.0)

    def expected(eta):
        return 1 - 0.98 ** np.exp(eta)

    assert true_hazard(where, segment, 2, 0) == pytest.approx(expected(0.03 + 0.2))
    assert true_hazard(where, segment, 2, 3) == pytest.approx(expected(0.06 + 0.1))
    assert true_hazard(where, segment, 20, 30) == pytest.approx(expected(0.23 + 2.0 * 0.5**10))
    assert true_hazard(where, segment, 24, 0) == pytest.approx(expected(0.23))
    assert true_survival(where, segment, months=2)[-1] == pytest.approx((1 - expected(0.23)) ** 2)


@pytest.mark.parametrize("acquired_month", [None, 0, 17])
@pytest.mark.parametrize("segment", [RICH, PLAIN, replace(RICH, size_churn=0.5), replace(RICH, size_churn=-0.3)])
def test_recursion_agrees_with_brute_force(rich_world, segment, acquired_month):
    where = replace(rich_world, segments=(segment,))
    paths = brute_force(where, segment, months=36, accounts=20_000, seed=5, acquired_month=acquired_month)
    truth = true_path(where, segment, months=36, acquired_month=acquired_month)
    some = [1, 3, 12, 24, 35]
    assert_within((paths > 0)[:, some], truth["logos"].to_numpy()[some])
    assert_within(paths[:, some], truth["revenue"].to_numpy()[some])
    for timing in ("end", "start"):
        expected = true_cltv(where, segment, horizon_years=3, timing=timing, acquired_month=acquired_month, **TERMS)
        assert_within(discounted(paths, timing=timing, **TERMS), expected)


def test_size_churn_parts_money_from_logos():
    flat, big_stay = (replace(RICH, size_churn=slope, expansion_monthly=0.0) for slope in (0.0, -0.4))
    for segment, sign in ((flat, 0), (big_stay, 1)):
        path = true_path(world(segment), segment, months=25)
        growth = (1 - segment.contraction_monthly) ** 24
        gap = path["revenue"].iloc[-1] / segment.arpa / growth - path["logos"].iloc[-1]
        assert gap == pytest.approx(0, abs=1e-12) if not sign else gap > 0.02


def test_ledger_shows_the_hazards_of_the_world(rich_world, table):
    cells = table.frame[table.frame["cohort"] != "reactivated"]
    month = rich_world.months - 2 + cells["bucket"] - cells["tenure"]
    start = cells["cohort"].map({name: m for m, name in enumerate(sorted(cells["cohort"].unique()))})
    assert (month == start).all()
    for segment in rich_world.segments:
        own = cells["plan"] == segment.labels[0]
        at_risk, churned = (cells.loc[own, name].to_numpy() for name in ("at_risk", "churned"))
        hazard = true_hazard(rich_world, segment, month[own], cells.loc[own, "tenure"])
        expected, variance = at_risk * hazard, at_risk * hazard * (1 - hazard)
        for key in ("tenure", "bucket", "cohort"):
            sums = pd.DataFrame({"d": churned - expected, "v": variance}).groupby(cells.loc[own, key].to_numpy()).sum()
            z = sums["d"] / np.sqrt(sums["v"])
            assert np.abs(z).max() < 4.5
            assert (z**2).sum() < len(z) + 4 * np.sqrt(2 * len(z))
        large = expected > 5
        chi2 = ((churned - expected)[large] ** 2 / variance[large]).sum()
        assert abs(chi2 - large.sum()) < 4 * np.sqrt(2 * large.sum()) + 1


def test_returns_live_by_the_law_of_a_new_account(rich_world, table):
    cells = table.frame[table.frame["cohort"] == "reactivated"]
    assert set(cells["plan"]) == {"b"}
    assert cells.loc[cells["tenure"] == 0, "at_risk"].sum() > 100
    month = rich_world.months - 2 + cells["bucket"] - cells["tenure"]
    hazard = true_hazard(rich_world, PLAIN, month, cells["tenure"])
    n = cells["at_risk"]
    sd = np.sqrt((n * hazard * (1 - hazard)).sum())
    assert abs(cells["churned"].sum() - (n * hazard).sum()) < 4 * sd


def test_ledger_shows_the_growth_of_the_world(table):
    frame = table.frame
    own = frame[frame["plan"] == "a"]
    kept, kept_sq = (own[f"opening{s}"].sum() - own[f"churned{c}"].sum() for s, c in (("", "_amount"), ("_sq", "_sq")))
    for flow, rate, jump in (("expansion", 0.02, 0.2), ("contraction", 0.008, 0.3)):
        sd = np.sqrt(rate / jump * jump**2 * (13 / 12) * kept_sq)
        assert abs(own[flow].sum() - rate * kept) < 4 * sd
        squares = own[f"{flow}_sq"].sum()
        assert squares == pytest.approx(rate * jump * (13 / 12) * kept_sq, rel=0.15)
    other = frame[frame["plan"] == "b"]
    assert (other[["expansion", "contraction"]] == 0).all(axis=None)


def test_money_identities_and_in_force_by_direct_recount(rich_world, spells, table):
    cells = table.frame
    closing = cells["opening"] + cells["expansion"] - cells["contraction"] - cells["churned_amount"]
    assert np.allclose(cells["closing"], closing, rtol=0, atol=0.005)
    active = spells[spells["end"].isna()]
    for segment in rich_world.segments:
        mine, rows = (f[f["plan"] == segment.labels[0]] for f in (active, table.in_force))
        assert rows["accounts"].sum() == mine["customer_id"].nunique()
        assert rows["amount"].sum() == pytest.approx(mine["amount"].sum(), abs=0.005)
        assert (rows["elapsed"] == 0).all()
    assert table.acquisitions.query("plan == 'a'")["accounts"].tolist() == [300] * 24


def test_spells_of_a_product_follow_on_and_dates_are_anniversaries(spells):
    assert spells["start"].dt.day.between(1, 28).all()
    first = spells.drop_duplicates("customer_id").set_index("customer_id")["start"]
    assert (spells["acquired"].to_numpy() == first.loc[spells["customer_id"]].to_numpy()).all()
    assert (spells["start"].dt.day == spells["acquired"].dt.day).all()
    ended = spells["end"].notna()
    assert (spells.loc[ended, "end"].dt.day == spells.loc[ended, "acquired"].dt.day).all()
    assert (spells.loc[ended, "end"] > spells.loc[ended, "start"]).all()
    assert spells["end"].max() <= pd.Timestamp(AS_OF)
    rich = spells[spells["plan"] == "a"]  # nobody comes back there
    ordered = rich.sort_values(["customer_id", "product", "start"])
    same = ordered.duplicated(["customer_id", "product"])
    assert (ordered["start"][same].to_numpy() == ordered["end"].shift(1)[same].to_numpy()).all()
    assert np.allclose(spells["amount"] * 100, (spells["amount"] * 100).round(), rtol=0, atol=1e-6)


def test_channels_are_the_customers_and_keep_their_shares(spells):
    assert (spells.groupby("customer_id")["channel"].nunique() == 1).all()
    rich = spells[spells["plan"] == "a"].drop_duplicates("customer_id")
    assert abs((rich["channel"] == "web").mean() - 0.7) < 4 * np.sqrt(0.7 * 0.3 / len(rich))


def test_same_seed_same_rows_and_whole_numbers_are_exact(rich_world, spells):
    pd.testing.assert_frame_equal(simulate(rich_world, 11), spells)
    assert len(simulate(rich_world, 12)) != len(spells)
    where, _ = lone(accounts_per_month=3)
    assert simulate(where, 1)["customer_id"].nunique() == 72
    assert "channel" not in simulate(where, 1)


def test_an_empty_world_gives_an_empty_ledger():
    where, _ = lone(accounts_per_month=0)
    assert len(simulate(where, 1)) == 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"hazard": ()}, "empty tuple"),
        ({"hazard": (0.1, 1.0)}, "hazard leaves"),
        ({"hazard": lambda tenure: -0.1}, "hazard leaves"),
        ({"arpa": 0.0}, "arpa is not positive"),
        ({"size_churn": 0.2}, "needs an arpa_spread"),
        ({"channels": {"web": 0.5}}, "do not sum to 1"),
        ({"expansion_monthly": 0.3, "expansion_jump": 0.2}, "outside 0 to 1"),
        ({"return_share": 1.2}, "outside 0 to 1"),
        ({"contraction_jump": 0.9}, "above 0.6"),
    ],
)
def test_rejects_a_segment_that_has_no_law(changes, words):
    with pytest.raises(DefinitionError, match=words):
        replace(RICH, **({"arpa_spread": 0.0} | changes))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"as_of": date(2026, 6, 29)}, "month end"),
        ({"calendar": (0.1,)}, "calendar"),
        ({"quality": (0.1,)}, "quality"),
        ({"by": ("plan",)}, "labels"),
        ({"segments": ()}, "no segment"),
        ({"segments": (RICH, replace(PLAIN, channels=None))}, "channels"),
    ],
)
def test_rejects_a_world_that_does_not_fit_together(rich_world, changes, words):
    with pytest.raises(DefinitionError, match=words):
        replace(rich_world, **changes)


def test_names_the_segments_there_are(rich_world):
    assert rich_world.segment("b", "south") is PLAIN
    with pytest.raises(DefinitionError, match="north"):
        rich_world.segment("c", "south")
