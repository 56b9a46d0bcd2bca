"""Carrying a fit forward: the calendar that has not happened yet, and the process noise of what has not."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from lifeworth.churn import Geometric
from lifeworth.effects import CalendarWalk, calendar_loading
from lifeworth.expansion import Constant, Flat
from lifeworth.forecast import Forecaster, Groups
from lifeworth.indexing import TableIndex, jump_size, merged
from lifeworth.ledger import Ledger
from lifeworth.model import Model
from lifeworth.results import Diagnostics, Fit, SamplerOptions

AS_OF = "2026-01-31"
HAZARD = 0.03
GROWTH = {
    "expansion_annual": 0.30,
    "contraction_annual": 0.12,
    "expansion_shock_sd": 0.5,
    "contraction_shock_sd": 0.3,
}


@pytest.fixture(scope="module")
def table():
    """Fifteen months: accounts of two sizes, one of which grew by a half and later fell by a fifth."""
    rows = [(f"c{k}", "2024-11-10", None, 100.0 if k % 2 else 400.0) for k in range(10)]
    rows += [("g", "2024-11-10", "2025-04-10", 200.0), ("g", "2025-04-10", "2025-08-10", 300.0)]
    rows += [("g", "2025-08-10", None, 240.0), ("l", "2024-11-10", "2025-02-10", 100.0)]
    frame = pd.DataFrame(rows, columns=["customer_id", "start", "end", "amount"])
    ledger = Ledger.from_spells(frame, as_of=AS_OF)
    return ledger.cohort_table(period="month", cohort="quarter", calendar="quarter")


def forecaster(table, *, calendar_sd=None, steps=(), growth=None, draws=2, years=5, seed=5, first_churn=HAZARD):
    """A fit of equal draws, carried ahead; `steps` are the observed ones of the walk."""
    index, effects = TableIndex.of(table), ()
    scalars = {"first_churn": first_churn}
    held = {}
    if calendar_sd is not None:
        effects, scalars["calendar_sd"] = (CalendarWalk(),), calendar_sd
        walked = np.zeros(index.shape.buckets - 1)
        walked[len(walked) - len(steps) :] = steps
        held["calendar"] = (("chain", "draw", "calendar_at"), np.tile(walked, (2, draws, 1)))
    held |= {name: (("chain", "draw"), np.full((2, draws), value)) for name, value in scalars.items()}
    parts = {"logo": xr.Dataset(held), "money": xr.Dataset(held)}
    if growth:
        parts["expansion"] = xr.Dataset({n: (("chain", "draw"), np.full((2, draws), v)) for n, v in growth.items()})
    model = Model(Geometric(), effects, Constant() if growth else Flat())
    fit = Fit(model, table, index, parts, Diagnostics(pd.DataFrame()), 1, SamplerOptions())
    return Forecaster(fit=fit, thin=1, seed=seed, buckets_ahead=4 * years + 2, tenures=12 * years + 40)


def group(accounts=1.0, amount=100.0, amount_sq=None, tenure=0, months=1, copies=1):
    """Groups alike; `months` from as_of to the first decision."""
    whole, number = np.zeros(copies, dtype=np.int64), np.ones(copies)
    squares = amount**2 / accounts if amount_sq is None else amount_sq
    return Groups(whole, whole, whole + tenure, whole + months, accounts * number, amount * number, squares * number)


def states(f, groups, steps, *, predictive=False, stream=0):
    return list(f.walk(groups, steps, predictive=predictive, stream=stream))


# --- The calendar ahead ---


def brute_force(sd, months, hazard, walks=100_000):
    """Survival at the opening of each month, averaged over walks that step at the start of each quarter ahead."""
    rng = np.random.default_rng(1)
    quarters = -(-months // 3)
    steps = sd * rng.normal(size=(walks // 2, quarters))
    level = np.cumsum(np.concatenate([steps, -steps]), axis=1)
    total = np.log1p(-hazard) * np.exp(np.repeat(level, 3, axis=1)[:, :months])
    return np.exp(np.cumsum(np.concatenate([np.zeros((walks, 1)), total[:, :-1]], axis=1), axis=1))


@pytest.mark.parametrize("years", [1, 5, 10])
@pytest.mark.parametrize("hazard", [0.01, 0.03, 0.06])
@pytest.mark.parametrize("sd", [0.10, 0.15, 0.294])
def test_expected_value_is_that_of_many_walks(table, sd, hazard, years):
    """Discounted months lived: within 0.3% of the mean of 100,000 walks, up to the prior's 95% quantile of sd."""
    discount = 1.1 ** (-np.arange(1, 12 * years + 1) / 12)
    worth = brute_force(sd, 12 * years, hazard) @ discount
    error = worth.std() / np.sqrt(len(worth)) / worth.mean()
    assert error < 0.0015
    f = forecaster(table, calendar_sd=sd, years=years, first_churn=hazard)
    shares = [state.money[0, 0] for state in states(f, group(), 12 * years - 1)]
    assert abs(shares @ discount / worth.mean() - 1) < 0.003


@pytest.mark.parametrize("ahead", [1, 3, 9, 22, 90])
def test_nodes_have_the_mean_and_the_variance_of_the_walk(table, ahead):
    f = Forecaster(fit=None, thin=1, seed=1, buckets_ahead=ahead, tenures=10)
    steps, weights = f.average_steps(np.array([[1.0]]))
    assert weights.sum() == pytest.approx(1)
    levels = np.cumsum(steps[:, 0], axis=1)
    drift = weights @ levels
    variance = weights @ (levels - drift) ** 2 + 2 * drift  # directions left out shift by half their variance
    np.testing.assert_allclose(variance, np.arange(1, ahead + 1), rtol=1e-9)
    assert np.abs(drift).max() < 0.05 * ahead
    if ahead <= 8:
        np.testing.assert_allclose(drift, 0, atol=1e-12)


def test_a_walk_that_does_not_move_is_the_curve(table):
    f = forecaster(table, calendar_sd=1e-9)
    for state in states(f, group(), 24):
        assert state.logo == pytest.approx((1 - HAZARD) ** state.step, rel=1e-6)


def test_the_future_goes_on_from_the_last_observed_level(table):
    """Decisions in the past take the level of their own bucket, those ahead the last one."""
    f = forecaster(table, calendar_sd=1e-9, steps=(0.2, 0.3, -0.4))
    index = f.fit.index
    loading = calendar_loading(np.array(index.weights))
    level = np.concatenate([np.zeros(index.shape.buckets - 4), (0.2, 0.3, -0.4)]) @ loading
    groups = group(tenure=0, months=-7)  # decisions 7, 6, ..., 0 months before as_of, then ahead
    logs = np.log([state.logo[0, 0] for state in states(f, groups, 12)])
    buckets = [-2, -2, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0]
    back = [-(7 - k) for k in range(12)]
    expected = [level[index.shape.buckets - 1 + (-(-m // 3) if m < 0 else 0)] for m in back]
    by_bucket = [level[index.shape.buckets - 1 + b] for b in buckets]
    assert expected == by_bucket
    np.testing.assert_allclose(np.diff(logs) / np.log(1 - HAZARD), np.exp(expected), rtol=1e-6)


def test_a_decision_before_the_first_bucket_takes_its_level(table):
    f = forecaster(table, calendar_sd=0.1)
    assert f.bucket(np.array([-1000]))[0] == 0
    last = f.fit.index.shape.buckets - 1
    assert f.bucket(np.array([-3, -2, 0, 1, 3, 4])).tolist() == [last - 1, last, last, last + 1, last + 1, last + 2]


def test_logo_and_money_live_through_the_same_calendar(table):
    f = forecaster(table, calendar_sd=0.3, draws=500)
    last = states(f, group(accounts=1e6, amount=1e8, amount_sq=1e10), 24, predictive=True)[-1]
    assert np.corrcoef(last.logo.ravel(), last.money.ravel())[0, 1] > 0.99
    assert last.logo.std() > 0.05


def test_what_is_realised_averages_to_what_is_expected_over_calendars_too(table):
    f = forecaster(table, calendar_sd=0.25, draws=10_000)
    groups = group(accounts=50, amount=5000.0)
    expected, drawn = (states(f, groups, 36, predictive=p) for p in (False, True))
    for step in (1, 12, 36):
        values = drawn[step].money.ravel()
        error = values.std() / np.sqrt(len(values))
        assert abs(values.mean() - expected[step].money.mean()) < 4 * error + 0.003 * expected[step].money.mean()


# --- Process noise ---


def test_accounts_leave_as_wholes(table):
    f = forecaster(table, draws=200)
    for state in states(f, group(accounts=7, amount=700.0), 10, predictive=True):
        np.testing.assert_allclose(state.logo * 7, np.rint(state.logo * 7), atol=1e-9)


def test_survivors_are_binomial(table):
    f = forecaster(table, draws=10_000)
    last = states(f, group(accounts=40, amount=4000.0), 12, predictive=True)[-1]
    p = (1 - HAZARD) ** 12
    for share in (last.logo, last.money):
        n = share.size
        assert share.mean() == pytest.approx(p, abs=4 * np.sqrt(p * (1 - p) / 40 / n))
        assert share.var() == pytest.approx(p * (1 - p) / 40, rel=4 * np.sqrt(2 / n))


def test_unequal_accounts_have_the_noise_of_their_effective_number(table):
    """Amounts 700, 300, 100, 100: variance of the share kept is p (1 - p) sum a^2 / (sum a)^2."""
    f = forecaster(table, draws=40_000, first_churn=0.4)
    state = states(f, group(accounts=4, amount=1200.0, amount_sq=60e4), 1, predictive=True)[1]
    for share, effective in ((state.money, 144 / 60), (state.logo, 4)):
        fourth = ((share - share.mean()) ** 4).mean()
        expected = 0.4 * 0.6 / effective
        assert share.var() == pytest.approx(expected, abs=4 * np.sqrt((fourth - expected**2) / share.size))


def test_equal_accounts_take_their_money_with_them(table):
    f = forecaster(table, draws=200)
    for state in states(f, group(accounts=9, amount=900.0), 24, predictive=True):
        np.testing.assert_allclose(state.money, state.logo, atol=1e-12)


def test_the_noise_of_a_book_does_not_depend_on_how_it_is_cut(table):
    """One group of 300 accounts, or three of 100."""
    f = forecaster(table, draws=10_000)
    whole = states(f, group(accounts=300, amount=3e4), 12, predictive=True)[-1].money[:, 0]
    parts = states(f, group(accounts=100, amount=1e4, copies=3), 12, predictive=True)[-1].money.mean(axis=1)
    assert whole.mean() == pytest.approx(parts.mean(), abs=4 * whole.std() * np.sqrt(2 / whole.size))
    assert whole.var() == pytest.approx(parts.var(), rel=4 * np.sqrt(4 / whole.size))


# --- Growth ---


def test_expected_growth_is_the_rates_of_the_survivors(table):
    f = forecaster(table, growth=GROWTH)
    for state in states(f, group(), 24):
        stay = 1 - HAZARD
        assert state.money == pytest.approx((stay * (1 + 0.30 / 12 - 0.12 / 12)) ** state.step, rel=1e-12)
        assert state.kept == pytest.approx((stay * (1 - 0.12 / 12)) ** state.step, rel=1e-12)
        assert state.logo == pytest.approx(stay**state.step, rel=1e-12)


def test_growth_of_one_step_has_the_variance_of_jumps_and_shock(table):
    """Nobody leaves: expansion j Poisson(r A G / j) / A has variance r j / A + (r sd)^2; contraction likewise."""
    f = forecaster(table, growth=GROWTH, draws=40_000, first_churn=1e-12)
    cells = merged(table, f.fit.index, frozenset({"segment"}))
    amount, variance = 5000.0, 0.0
    for direction, annual, shock in (("expansion", 0.30, 0.5), ("contraction", 0.12, 0.3)):
        jump, rate = jump_size(cells, direction)[0], annual / 12
        variance += rate * jump / amount + (rate * shock) ** 2
    state = states(f, group(accounts=50, amount=amount, amount_sq=amount**2 / 50), 1, predictive=True)[1]
    fourth = ((state.money - state.money.mean()) ** 4).mean()
    assert state.money.mean() == pytest.approx(1 + 0.18 / 12, abs=4 * np.sqrt(variance / state.money.size))
    assert state.money.var() == pytest.approx(variance, abs=4 * np.sqrt((fourth - variance**2) / state.money.size))


def test_jumps_are_those_of_the_ledger(table):
    """One rise by 100 and one fall by 60."""
    cells = merged(table, TableIndex.of(table), frozenset({"segment"}))
    assert jump_size(cells, "expansion") == {0: 100.0}
    assert jump_size(cells, "contraction") == {0: 60.0}


def test_a_shock_is_common_to_all_accounts_of_a_bucket(table):
    """Large groups, so that only the shock is left: two of them move together, two buckets do not."""
    f = forecaster(table, growth=GROWTH, draws=4000, first_churn=1e-12)
    big = group(accounts=1e6, amount=1e9, amount_sq=1e12, copies=2)
    first, _, _, fourth = (s.money for s in states(f, big, 4, predictive=True)[1:])
    assert np.corrcoef(first[:, 0], first[:, 1])[0, 1] > 0.95
    third = states(f, big, 4, predictive=True)[3].money
    assert abs(np.corrcoef(first[:, 0], (fourth / third)[:, 0])[0, 1]) < 4 / np.sqrt(8000)


def test_money_is_never_negative_and_grr_never_exceeds_one(table):
    f = forecaster(table, growth=GROWTH | {"contraction_annual": 3.0}, draws=500)
    for state in states(f, group(accounts=3, amount=300.0), 24, predictive=True):
        assert state.money.min() >= 0
        assert state.kept.min() >= 0
        assert state.kept.max() <= 1 + 1e-12


def test_streams_are_independent_and_the_seed_decides(table):
    f = forecaster(table, draws=200)
    g = group(accounts=100, amount=1e4)
    one, same, other = (states(f, g, 6, predictive=True, stream=s)[-1].logo for s in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
    again = forecaster(table, draws=200, seed=6)
    assert not np.array_equal(one, states(again, g, 6, predictive=True)[-1].logo)
