"""The demo ledger, and what worlds are worth."""

import doctest
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

import lifeworth.ledger.datasets as module
from lifeworth.economics import Economics
from lifeworth.errors import DefinitionError
from lifeworth.ledger import Ledger
from lifeworth.ledger.datasets import discounted, saas, true_cltv, true_forward, true_residual
from lifeworth.ledger.simulate import SegmentWorld, World, brute_force

TERMS = {"gross_margin": 0.8, "discount_rate_annual": 0.12, "horizon_years": 5}


@pytest.fixture(scope="module")
def demo():
    return saas()


@pytest.fixture(scope="module")
def ledger(demo):
    return Ledger.from_spells(demo.spells, as_of=demo.as_of, currency="USD")


@pytest.fixture(scope="module")
def table(ledger):
    return ledger.cohort_table(by=["segment"])


@pytest.fixture(scope="module")
def drifting() -> World:
    segment = SegmentWorld(
        ("x",),
        10,
        arpa=100.0,
        arpa_spread=0.5,
        hazard=(0.10, 0.06, 0.03),
        expansion_monthly=0.012,
        expansion_jump=0.2,
        contraction_monthly=0.004,
        size_churn=0.4,
        add_on_share=0.5,
    )
    return World((segment,), 24, date(2026, 6, 30), calendar=tuple(np.arange(24) / 40), quality=(0.3,) * 24)


def book(**columns) -> pd.DataFrame:
    return pd.DataFrame(columns).assign(segment="x")


def test_doctests():
    assert doctest.testmod(module).failed == 0


def test_demo_is_deterministic(demo):
    pd.testing.assert_frame_equal(saas().spells, demo.spells)
    assert not saas(seed=8).spells.equals(demo.spells)


def test_demo_is_what_it_says(demo, ledger, table):
    paying = demo.spells[demo.spells["amount"] > 0]
    assert 5_500 < paying["customer_id"].nunique() < 6_500
    assert table.frame["cohort"].nunique() == 13  # twelve quarters and the returns
    assert set(demo.spells["channel"]) == {"inbound", "outbound", "partner"}
    noted = {check.name: check.rows for check in ledger.checks}
    assert set(noted) == {"amount_zero", "overlap", "returned"}
    assert noted["overlap"] > 300
    assert noted["returned"] > 20
    trials = demo.spells["product"] == "trial"
    assert noted["amount_zero"] == trials.sum() > 500
    assert (demo.spells.loc[trials, "acquired"].isna()).mean() == 0.5
    assert all(check.severity == "note" for check in table.checks)


def test_add_ons_overlap_their_base_plan(demo):
    far = np.datetime64("2100-01-01", "s")
    spells = demo.spells.assign(end=demo.spells["end"].fillna(far))
    add_ons = spells[spells["product"] == "add-on"]
    base = spells[spells["product"] == "base"].groupby("customer_id")
    assert (add_ons["start"] > base["start"].min().loc[add_ons["customer_id"]].to_numpy()).all()
    assert (add_ons["end"] <= base["end"].max().loc[add_ons["customer_id"]].to_numpy()).all()
    assert (add_ons["end"] == far).sum() > 300


def test_acquired_column_agrees_with_the_ledger(demo, table):
    named = Ledger.from_spells(demo.spells, as_of=demo.as_of, currency="USD", acquired="acquired")
    assert named.cohort_table(by=["segment"]).fingerprint == table.fingerprint


def test_onboarding_is_the_riskiest_time(demo):
    for segment, (first, last) in zip(demo.world.segments, [(0.015, 0.005), (0.04, 0.011), (0.07, 0.02)], strict=True):
        hazards = segment.hazards(np.arange(80))
        assert (hazards[:3] == first).all()
        assert (np.diff(hazards) <= 0).all()
        assert hazards[-1] == last
        assert hazards[36] < 1.1 * last
    steps = np.diff(demo.world.calendar[::3])
    assert 0.06 < np.sqrt((steps**2).mean()) < 0.10


def test_enterprise_grows_on_its_own_and_smb_does_not(demo, table):
    found = {}
    for segment in demo.world.segments:
        rows = table.in_force[table.in_force["segment"] == segment.labels[0]]
        year = [true_forward(demo.world, segment, tenure=t, months=12)["revenue"].iloc[-1] for t in rows["tenure"]]
        found[segment.labels[0]] = float(np.average(year, weights=rows["amount"]))
    assert found["Enterprise"] > 1.05
    assert found["SMB"] < found["Mid-market"] < 1


def test_truth_of_the_demo(demo):
    truth = demo.truth()
    assert list(truth.columns) == ["cohort", "segment", "cltv", "cltv_cac"]
    assert truth["cohort"].drop_duplicates().tolist()[:2] == ["new", "2023-Q3"]
    assert len(truth) == 13 * 3
    by_name = truth.set_index(["cohort", "segment"])
    for segment in demo.world.segments:
        name = segment.labels[0]
        assert by_name.loc[("new", name), "cltv"] == true_cltv(demo.world, segment, **TERMS)
        months = [true_cltv(demo.world, segment, acquired_month=m, **TERMS) for m in (33, 34, 35)]
        assert by_name.loc[("2026-Q2", name), "cltv"] == pytest.approx(np.mean(months))
        assert by_name.loc[("new", name), "cltv_cac"] == by_name.loc[("new", name), "cltv"] / demo.cac[name]
    assert (truth["cltv_cac"] > 3).all()


def test_truth_agrees_with_brute_force(demo):
    for segment in demo.world.segments:
        paths = brute_force(demo.world, segment, months=60, accounts=10_000, seed=3)
        values = discounted(paths, gross_margin=0.8, discount_rate_annual=0.12)
        se = values.std() / np.sqrt(len(values))
        assert abs(values.mean() - true_cltv(demo.world, segment, **TERMS)) < 4 * se


def test_cac_is_the_channels_weighted_by_their_shares(demo):
    for segment in demo.world.segments:
        name = segment.labels[0]
        mean = sum(share * demo.channel_cac[name, channel] for channel, share in segment.channels.items())
        assert demo.cac[name] == pytest.approx(mean, abs=0.01)
    terms = Economics(**demo.terms)
    assert terms.cac == demo.cac


def test_a_small_and_an_empty_scale():
    assert 60 < saas(scale=0.02).spells["customer_id"].nunique() < 250
    with pytest.raises(DefinitionError, match="above 0"):
        saas(scale=0)


def test_residual_of_a_geometric_account_forgets_its_age():
    segment = SegmentWorld(("x",), 10, arpa=100.0, hazard=(0.03,))
    world = World((segment,), 24, date(2026, 6, 30))
    for timing, paid in (("end", 0.0), ("start", 100.0 * TERMS["gross_margin"])):
        new = true_cltv(world, segment, timing=timing, **TERMS) - paid
        values = true_residual(world, book(tenure=[0, 7, 23], amount=[100.0, 50.0, 0.0]), timing=timing, **TERMS)
        assert values.tolist() == pytest.approx([new, new / 2, 0.0])


def test_residual_by_hand():
    """Tenure 1, two payments: 80 in a month, and 80 with the survival of the open tenure a month later."""
    segment = SegmentWorld(("x",), 10, arpa=999.0, hazard=(0.5, 0.25, 0.1), expansion_monthly=0.2)
    world = World((segment,), 24, date(2026, 6, 30))
    terms = {"gross_margin": 0.8, "discount_rate_annual": 1.0, "horizon_years": 1 / 6}
    expected = 80 * (2 ** (-1 / 12) + 0.75 * 1.2 * 2 ** (-2 / 12))
    assert true_residual(world, book(tenure=[1], amount=[100.0]), **terms).iloc[0] == pytest.approx(expected)


def test_residual_agrees_with_the_future_of_those_who_are_left(drifting):
    """Run accounts from acquisition, look only at those in force at as_of, and value what they then bring."""
    segment, tenure = drifting.segments[0], 8
    paths = brute_force(drifting, segment, months=tenure + 36, accounts=40_000, seed=9, acquired_month=23 - tenure)
    ahead = paths[paths[:, tenure] > 0, tenure:]
    values = discounted(ahead, gross_margin=0.8, discount_rate_annual=0.12)
    now = ahead[:, 0]
    expected = true_residual(
        drifting, book(tenure=[tenure], amount=[now.sum()]), **(TERMS | {"horizon_years": 3})
    ).iloc[0]
    ratio = expected / now.sum()
    se = np.sqrt(len(now)) * (values - ratio * now).std()
    assert abs(values.sum() - expected) < 4 * se


def test_residual_counts_elapsed_months_of_longer_periods(drifting):
    monthly = true_residual(drifting, book(tenure=[7], amount=[10.0]), **TERMS)
    quarterly = true_residual(drifting, book(tenure=[2], elapsed=[1], amount=[10.0]), months_per_period=3, **TERMS)
    assert quarterly.tolist() == monthly.tolist()


def test_residual_takes_the_in_force_of_a_table(demo, table):
    values = true_residual(demo.world, table.in_force, **TERMS)
    assert values.index.equals(table.in_force.index)
    assert (values > 0).all()
    times = values.groupby(table.in_force["segment"]).sum() / table.in_force.groupby("segment")["amount"].sum()
    assert times["Enterprise"] > times["Mid-market"] > times["SMB"]


def test_forward_starts_at_one_and_needs_no_size(drifting):
    ahead = true_forward(drifting, drifting.segments[0], tenure=5, months=12)
    assert ahead.iloc[0].tolist() == [0, 1, 1]
    assert len(ahead) == 13
    growing = replace(drifting.segments[0], size_churn=0.0)
    world = replace(drifting, segments=(growing,))
    plain = true_forward(world, growing, tenure=5, months=12)
    growth = (1 + 0.012 - 0.004) ** plain["month"]
    assert np.allclose(plain["revenue"], plain["logos"] * growth, rtol=1e-12)


def test_rejects_an_unknown_timing():
    with pytest.raises(DefinitionError, match="timing"):
        discounted([1.0], gross_margin=1.0, discount_rate_annual=0.0, timing="middle")
