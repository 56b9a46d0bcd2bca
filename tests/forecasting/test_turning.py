"""Two states: accounts that expand go over to one with a hazard and a growth of its own."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import lifeworth as lw
from lifeworth.backtesting.closed_book import ClosedBook
from lifeworth.churn import Geometric
from lifeworth.effects import Segments
from lifeworth.errors import ExtrapolationWarning
from lifeworth.expansion import Flat
from lifeworth.forecasting.forecaster import Forecaster
from lifeworth.forecasting.groups import Groups
from lifeworth.forecasting.turning import turn_shares
from lifeworth.indexing import TableIndex
from lifeworth.ledger import Ledger
from lifeworth.model import Model
from lifeworth.results import Diagnostics, Fit, SamplerOptions

STAY = np.array([0.90, 0.98])
"""Of accounts that have not expanded, and of those that have, in a month."""


@pytest.fixture(scope="module")
def spells():
    """400 accounts acquired at once: each month a tenth of those that never expanded leave, a fifth then expand."""
    rng, rows = np.random.default_rng(3), []
    for k in range(400):
        start, amount, expanded = 0, 100.0, False
        for month in range(1, 25):
            when = _day(month)
            if rng.random() > STAY[int(expanded)]:
                rows.append((k, _day(start), when, amount))
                break
            if not expanded and rng.random() < 0.2:
                rows.append((k, _day(start), when, amount))
                start, amount, expanded = month, 150.0, True
        else:
            rows.append((k, _day(start), None, amount))
    return pd.DataFrame(rows, columns=["customer_id", "start", "end", "amount"])


def _day(month):
    return f"{2023 + (month + 5) // 12}-{(month + 5) % 12 + 1:02d}-10"


@pytest.fixture(scope="module")
def table(spells):
    return Ledger.from_spells(spells, as_of="2025-06-30").cohort_table(by=["has_expanded"])


@pytest.fixture(scope="module")
def fit(table):
    """Every draw is the truth."""
    level = np.log(-np.log(STAY))
    held = {
        "first_churn": (("chain", "draw"), np.full((2, 500), -np.expm1(-np.exp(level.mean())))),
        "segment_sd": (("chain", "draw"), np.full((2, 500), 0.3)),
        "segment": (("chain", "draw", "at"), np.tile(level - level.mean(), (2, 500, 1))),
    }
    draws = xr.Dataset(held)
    model = Model(Geometric(), (Segments(),), Flat())
    found = {"logo": draws, "money": draws}
    return Fit(model, table, TableIndex.of(table), found, Diagnostics(pd.DataFrame()), 1, SamplerOptions())


def one_group(accounts):
    whole = {name: np.array([value]) for name, value in (("segment", 0), ("cohort", 0), ("tenure", 0), ("months", 1))}
    money = {"accounts": accounts, "amount": 100.0 * accounts, "amount_sq": 1e4 * accounts}
    return Groups(**whole, **{name: np.array([float(value)]) for name, value in money.items()})


def survival(steps, turn):
    """Of an account that begins in the first state: powers of the matrix of the two states."""
    step = np.array([[STAY[0] * (1 - turn), STAY[0] * turn], [0.0, STAY[1]]])
    return np.array([np.linalg.matrix_power(step, n)[0].sum() for n in range(steps + 1)])


def test_shares_that_turn_are_those_of_the_survivors_that_did(fit, table):
    cells = table.frame[table.frame["has_expanded"] == "no"]
    later = cells[cells["tenure"].between(3, 11)]
    accounts, money = turn_shares(fit, 20_000, np.random.default_rng(1))
    expected = later["turned"].sum() / (later["at_risk"] - later["churned"]).sum()
    assert accounts[:, 0, 1].mean() == pytest.approx(expected, rel=0.01)
    assert expected == pytest.approx(0.2, abs=0.04)
    # those that turn pay 150 after it, the others 100: money turns 150 / (100 + 50 x share) times as often
    assert money[:, 0, 1].mean() / accounts[:, 0, 1].mean() == pytest.approx(1.5 / (1 + 0.5 * 0.2), rel=0.02)


def test_survival_is_that_of_the_two_state_chain(fit):
    """Turning at the same rate in every phase: the matrix of the chain to the step."""
    forecaster = Forecaster(fit=fit, thin=1, seed=2, buckets_ahead=9, tenures=60)
    shares = turn_shares(fit, forecaster.draws, forecaster.rng(12))[0][:, 0]
    states = list(forecaster.walk(one_group(1.0), 24, predictive=False, stream=0))
    for draw in range(0, 1000, 250):
        step, expected = np.array([1.0, 0.0]), [1.0]
        for month in range(24):
            turn = shares[draw, np.searchsorted([3, 12], month, side="right")]
            stayed = step * STAY
            step = np.array([stayed[0] * (1 - turn), stayed[1] + stayed[0] * turn])
            expected.append(step.sum())
        np.testing.assert_allclose([state.logo[draw, 0] for state in states], expected, rtol=1e-12)
    mean = np.mean([state.logo[:, 0] for state in states], axis=1)
    np.testing.assert_allclose(mean, survival(24, 0.2), atol=0.03)


def test_random_futures_have_the_mean_of_the_expected_ones(fit):
    forecaster = Forecaster(fit=fit, thin=1, seed=2, buckets_ahead=9, tenures=60)
    expected = list(forecaster.walk(one_group(300.0), 12, predictive=False, stream=0))[-1]
    sampled = list(forecaster.walk(one_group(300.0), 12, predictive=True, stream=0))[-1]
    for name in ("logo", "money", "kept"):
        draws = getattr(sampled, name)[:, 0]
        assert draws.mean() == pytest.approx(getattr(expected, name).mean(), abs=4 * draws.std() / 1000**0.5)
    # the accounts that are left are whole ones
    np.testing.assert_allclose(sampled.logo * 300, np.rint(sampled.logo * 300), atol=1e-9)
    assert sampled.logo.std() == pytest.approx((0.45 * 0.55 / 300) ** 0.5, rel=0.3)


def test_a_table_without_the_column_has_nothing_that_turns(constant_fit):
    from lifeworth.forecasting.turning import Turning

    groups = one_group(1.0)
    found = Turning.of(constant_fit(), groups, 10, np.random.default_rng(1))
    assert not found.turned.size
    np.testing.assert_array_equal(found.groups.segment, groups.segment)


def test_the_closed_book_follows_accounts_from_one_state_to_the_other(spells, table):
    """What is left of those in force a year ago, counted from the spells."""
    origin = table.cut(4)
    book = ClosedBook.of(table, origin, 4, 4)
    assert set(book.labels) == {("all",)}
    days = pd.to_datetime(spells["end"])
    then, now = pd.Timestamp("2024-06-30"), pd.Timestamp("2025-06-30")
    there = spells[(pd.to_datetime(spells["start"]) <= then) & ~(days <= then)]["customer_id"]
    left = spells[spells["customer_id"].isin(there) & ~(days <= now)]
    assert book.groups["accounts"].sum() == len(there)
    assert book.accounts[-1].sum() == left["customer_id"].nunique()
    assert book.amount[-1].sum() == pytest.approx(left["amount"].sum())


def test_the_value_of_a_new_account_is_that_of_the_chain(fit):
    """A year of 100 a month, the first payment certain: the months lived, by the chain."""
    terms = lw.Economics(gross_margin=1.0, discount_rate_annual=0.0, horizon_years=1, timing="start")
    with pytest.warns(ExtrapolationWarning):
        value = lw.value(fit, terms)
    found = value.sample("cltv", cohort="2023-Q2", has_expanded="no")
    forecaster = value.forecaster
    lived = sum(state.money[:, 0] for state in forecaster.walk(one_group(1.0), 11, predictive=False, stream=0))
    np.testing.assert_allclose(found, 100 * lived, rtol=1e-9)
