"""Carrying a fit forward: the calendar that has not happened yet, and the process noise of what has not."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from lifeworth._walk import Stand, walked
from lifeworth.churn import Geometric
from lifeworth.effects import CalendarWalk, CohortDecay, Crossed, Renewal, Season, Segments, Shock, calendar_loading
from lifeworth.expansion import Constant, Flat
from lifeworth.forecasting.forecaster import Forecaster, stay_draws
from lifeworth.forecasting.future import average_innovations, average_steps
from lifeworth.forecasting.groups import Groups
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


def forecaster(table, *, effects=(), theta=None, growth=None, draws=2, years=5, seed=5, first_churn=HAZARD):
    """A fit whose draws all are `theta`, carried ahead."""
    held = {}
    for name, value in {"first_churn": first_churn, **(theta or {})}.items():
        dims = ("chain", "draw", f"{name}_at")[: 2 + np.ndim(value)]
        held[name] = (dims, np.broadcast_to(value, (2, draws, *np.shape(value))))
    parts = {"logo": xr.Dataset(held), "money": xr.Dataset(held)}
    if growth:
        parts["expansion"] = xr.Dataset({n: (("chain", "draw"), np.full((2, draws), v)) for n, v in growth.items()})
    model = Model(Geometric(), effects, Constant() if growth else Flat())
    fit = Fit(model, table, TableIndex.of(table), parts, Diagnostics(pd.DataFrame()), 1, SamplerOptions())
    return Forecaster(fit=fit, thin=1, seed=seed, buckets_ahead=4 * years + 2, tenures=12 * years + 40)


def on_a_walk(table, sd, *, momentum=None, reaction=0.0, steps=(), **settings):
    """A forecaster with a calendar walk; `steps` are its last observed ones, those before are zero."""
    size = TableIndex.of(table).shape.buckets - 1
    theta = {"calendar_sd": sd, "calendar": np.concatenate([np.zeros(size - len(steps)), steps])}
    if momentum is not None:
        theta["calendar_momentum"] = momentum
    walk = CalendarWalk(momentum=momentum is not None, reaction=reaction)
    return forecaster(table, effects=(walk,), theta=theta, **settings)


def group(accounts=1.0, amount=100.0, amount_sq=None, tenure=0, months=1, copies=1, segment=0, cohort=0):
    """Groups alike but for what is given as an array; `months` from as_of to the first decision."""
    squares = amount**2 / accounts if amount_sq is None else amount_sq
    whole = (np.zeros(copies, dtype=np.int64) + value for value in (segment, cohort, tenure, months))
    return Groups(*np.broadcast_arrays(*whole, *(np.full(copies, float(v)) for v in (accounts, amount, squares))))


def states(f, groups, steps, *, predictive=False, stream=0):
    return list(f.walk(groups, steps, predictive=predictive, stream=stream))


# --- The calendar ahead ---


def brute_force(sd, months, hazard, momentum=0.0, reaction=0.0, walks=100_000):
    """Survival at the opening of each month, averaged over walks that step at the start of each quarter ahead."""
    z = np.random.default_rng(1).normal(size=(walks // 2, -(-months // 3)))
    start = Stand(np.zeros(walks), np.full(walks, sd**2))
    level = np.cumsum(walked(np.concatenate([z, -z]), start, np.full(walks, momentum), reaction), axis=1)
    total = np.log1p(-hazard) * np.exp(np.repeat(level, 3, axis=1)[:, :months])
    return np.exp(np.cumsum(np.concatenate([np.zeros((walks, 1)), total[:, :-1]], axis=1), axis=1))


def error_of_the_average(table, sd, hazard, years, momentum=None, reaction=0.0):
    """Discounted months lived, averaged, over their mean in 100,000 walks; less one, and its standard error."""
    discount = 1.1 ** (-np.arange(1, 12 * years + 1) / 12)
    worth = brute_force(sd, 12 * years, hazard, momentum or 0.0, reaction) @ discount
    first = sd * (1 - reaction) ** (-TableIndex.of(table).moves.sum() / 2)  # the walk stood still: it is sd at as_of
    f = on_a_walk(table, first, momentum=momentum, reaction=reaction, years=years, first_churn=hazard)
    shares = [state.money[0, 0] for state in states(f, group(), 12 * years - 1)]
    return shares @ discount / worth.mean() - 1, worth.std() / np.sqrt(len(worth)) / worth.mean()


@pytest.mark.parametrize("years", [1, 5, 10])
@pytest.mark.parametrize("hazard", [0.01, 0.03, 0.06])
@pytest.mark.parametrize("sd", [0.10, 0.15, 0.294])
def test_expected_value_is_that_of_many_walks(table, sd, hazard, years):
    """Discounted months lived: within 0.3% of the mean of 100,000 walks, up to the prior's 95% quantile of sd."""
    found, error = error_of_the_average(table, sd, hazard, years)
    assert error < 0.0015
    assert abs(found) < 0.003


@pytest.mark.parametrize("years", [5, 10])
@pytest.mark.parametrize("hazard", [0.01, 0.06])
@pytest.mark.parametrize(("sd", "momentum"), [(0.10, 0.4), (0.15, 0.4), (0.294, 0.4), (0.10, 0.7), (0.15, 0.7)])
def test_expected_value_is_that_of_many_walks_with_momentum(table, sd, momentum, hazard, years):
    """Within 1%, as long as sd / (1 - momentum), how far a shock goes in the end, is at most 0.5."""
    found, error = error_of_the_average(table, sd, hazard, years, momentum)
    assert error < 0.002
    assert abs(found) < 0.01


@pytest.mark.parametrize("years", [5, 10])
@pytest.mark.parametrize("hazard", [0.01, 0.06])
@pytest.mark.parametrize(("sd", "momentum"), [(0.10, None), (0.15, None), (0.10, 0.4)])
def test_expected_value_is_near_that_of_many_walks_whose_variance_changes(table, sd, momentum, hazard, years):
    """The nodes keep the variance that a reaction of 0.5 lets die away or grow: within 1% where sd is moderate."""
    found, error = error_of_the_average(table, sd, hazard, years, momentum, reaction=0.5)
    assert error < 0.002
    assert abs(found) < 0.01


@pytest.mark.parametrize("reaction", [0.0, 0.5])
@pytest.mark.parametrize(("sd", "momentum"), [(0.10, 0.7), (0.294, None), (0.294, 0.4), (0.294, 0.7)])
def test_over_a_year_expected_value_is_that_of_any_walk(table, sd, momentum, reaction):
    found, error = error_of_the_average(table, sd, 0.06, 1, momentum, reaction)
    assert error < 0.001
    assert abs(found) < 0.003


@pytest.mark.parametrize("ahead", [1, 3, 9, 22, 90])
def test_nodes_have_the_mean_and_the_variance_of_the_walk(ahead):
    """At every momentum; what the nodes leave out of a level's variance shifts it by half of that."""
    z, left_out = average_innovations(ahead)
    for momentum, half in zip(np.linspace(0, 0.95, 20), left_out, strict=True):
        weight = [np.sum(momentum ** np.arange(ahead - k)) for k in range(ahead)]  # of a first innovation on the last
        exact = np.cumsum(np.square(weight[::-1]))
        levels = np.cumsum(walked(z, Stand(0.0, 1.0), momentum, 0.0), axis=1)
        np.testing.assert_allclose(levels.mean(axis=0), 0, atol=1e-10 * ahead)
        np.testing.assert_allclose((levels**2).mean(axis=0) + 2 * half, exact, rtol=1e-9)
        assert half.min() > -1e-9
        if ahead <= 8:
            np.testing.assert_allclose(half, 0, atol=1e-9)
    assert left_out[0].max() < 0.05 * ahead


def test_average_steps_go_on_from_the_last_one_at_the_last_variance(table):
    """Steps 0.2, then 0.3: the mean of the next ones halves, at momentum 0.5, but for the shift of what is left out."""
    f = on_a_walk(table, 0.1, momentum=0.5, reaction=0.5, steps=(0.2, 0.3))
    theta = f.theta("logo")
    steps = average_steps(f.calendar, theta, f.fit.index.moves, f.buckets_ahead)
    seen = 0.0
    variance = 0.01
    for step in theta["calendar"][0][f.fit.index.moves]:
        variance = (variance + (step - 0.5 * seen) ** 2) / 2
        seen = step
    _, left_out = average_innovations(f.buckets_ahead)
    shift = variance * np.array([np.interp(0.5, np.linspace(0, 0.95, 20), column) for column in left_out.T])
    expected = np.cumsum(0.3 * 0.5 ** np.arange(1, f.buckets_ahead + 1)) + shift
    np.testing.assert_allclose(np.cumsum(steps.mean(axis=0)[0]), expected, rtol=1e-9)


def test_a_trend_dies_away(table):
    """Every quarter repeats a part of the change before it: 0.3, then 0.15, 0.075, ..., 0.6 in all."""
    f = on_a_walk(table, 1e-9, momentum=0.5, steps=(0.3,))
    logs = np.log([state.logo[0, 0] for state in states(f, group(), 61)])
    level = np.log(np.diff(logs) / np.log(1 - HAZARD))
    first = level[0] - 0.15
    np.testing.assert_allclose(level[::3], first + 0.3 * (1 - 0.5 ** np.arange(1, 22)), atol=1e-6)


def test_a_walk_that_does_not_move_is_the_curve(table):
    f = on_a_walk(table, 1e-9)
    for state in states(f, group(), 24):
        assert state.logo == pytest.approx((1 - HAZARD) ** state.step, rel=1e-6)


def test_the_future_goes_on_from_the_last_observed_level(table):
    """Decisions in the past take the level of their own bucket, those ahead the last one."""
    f = on_a_walk(table, 1e-9, steps=(0.2, 0.3, -0.4))
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
    f = on_a_walk(table, 0.1)
    assert f.bucket(np.array([-1000]))[0] == 0
    last = f.fit.index.shape.buckets - 1
    assert f.bucket(np.array([-3, -2, 0, 1, 3, 4])).tolist() == [last - 1, last, last, last + 1, last + 1, last + 2]


def test_logo_and_money_live_through_the_same_calendar(table):
    f = on_a_walk(table, 0.3, draws=500)
    last = states(f, group(accounts=1e6, amount=1e8, amount_sq=1e10), 24, predictive=True)[-1]
    assert np.corrcoef(last.logo.ravel(), last.money.ravel())[0, 1] > 0.99
    assert last.logo.std() > 0.05


def test_what_is_realised_averages_to_what_is_expected_over_calendars_too(table):
    f = on_a_walk(table, 0.25, draws=10_000)
    groups = group(accounts=50, amount=5000.0)
    expected, drawn = (states(f, groups, 36, predictive=p) for p in (False, True))
    for step in (1, 12, 36):
        values = drawn[step].money.ravel()
        error = values.std() / np.sqrt(len(values))
        assert abs(values.mean() - expected[step].money.mean()) < 4 * error + 0.003 * expected[step].money.mean()


# --- What the future has besides the walk ---


@pytest.fixture(scope="module")
def mixed():
    """Two columns, two years; the combination of `b` and `y`, and a cohort, have no completed month yet."""
    kinds = [("a", "x"), ("a", "y"), ("b", "x")]
    rows = [(f"c{k}", f"2024-0{1 + k % 6}-10", None, 100.0, *kinds[k % 3]) for k in range(18)]
    rows += [("gone", "2024-01-10", "2024-06-10", 100.0, "a", "x"), ("late", "2026-01-20", None, 100.0, "b", "y")]
    frame = pd.DataFrame(rows, columns=["customer_id", "start", "end", "amount", "plan", "region"])
    return Ledger.from_spells(frame, as_of=AS_OF).cohort_table(cohort="quarter", by=["plan", "region"])


def log_hazard(f, groups):
    """Log of the hazard of the first decision over the curve's, in one future a draw; (draws, groups)."""
    return np.log(np.log(stay_draws(f, groups)) / np.log(1 - HAZARD))


def assert_normal(values, sd):
    """Mean zero and this sd, at four standard errors."""
    assert abs(values.mean()) < 4 * sd / np.sqrt(len(values))
    assert values.std() == pytest.approx(sd, rel=4 / np.sqrt(2 * len(values)))


@pytest.mark.parametrize("predictive", [False, True])
def test_the_season_goes_on_after_as_of(table, predictive):
    """The bucket that ends at as_of is the last of its year."""
    season = np.array([0.4, -0.1, -0.5, 0.2])
    f = forecaster(table, effects=(Season(),), theta={"season_sd": 0.3, "season": season}, years=3)
    groups = group(accounts=5e8, amount=5e10, months=-2)  # the noise of a log hazard is 0.0003 or less
    logs = np.log([state.logo[0, 0] for state in states(f, groups, 27, predictive=predictive)])
    expected = np.concatenate([[0.2] * 3, np.repeat(np.tile(season, 2), 3)])
    np.testing.assert_allclose(
        np.log(np.diff(logs) / np.log(1 - HAZARD)), expected, atol=0.0015 if predictive else 1e-9
    )


def test_shocks_of_the_future_are_as_large_as_those_of_the_past_and_each_their_own(mixed):
    index = TableIndex.of(mixed)
    n = index.shape.segments
    seen = np.random.default_rng(2).normal(size=(index.shape.buckets, n))
    theta = {"shock_sd": 0.2, "shock": seen.ravel()}
    f = forecaster(mixed, effects=(Shock(),), theta=theta, draws=5000)
    at = log_hazard(f, group(copies=5, segment=[0, 1, n, 0, 0], months=[1, 1, 1, 3, 4]))
    for column in at.T:
        assert_normal(column, 0.2)
    np.testing.assert_array_equal(at[:, 0], at[:, 3])  # the same bucket
    correlation = np.corrcoef(at[:, [0, 1, 2, 4]].T)
    np.testing.assert_allclose(correlation, np.eye(4), atol=4 / np.sqrt(10_000))
    past = log_hazard(f, group(copies=3, segment=[0, 1, n], months=0))
    np.testing.assert_allclose(past, np.tile([*seen[-1, :2], 0.0], (10_000, 1)), atol=1e-9)


def test_expected_shocks_are_their_mean_effect(mixed):
    f = forecaster(mixed, effects=(Shock(),), theta={"shock_sd": 0.3, "shock": np.zeros(3 * 8)})
    for state in states(f, group(copies=2, segment=[0, 3]), 6):
        np.testing.assert_allclose(state.logo, (1 - HAZARD) ** (np.exp(0.3**2 / 2) * state.step), rtol=1e-12)


UNSEEN = {
    "segment": ((Segments(),), {"segment_sd": 0.5, "segment": [0.3, -0.1, -0.2]}, {"segment": [0, 3]}, 0.3, 0.5),
    "cohort": (
        (CohortDecay(),),
        {"cohort_sd": 0.4, "cohort_half_life": 6.0, "cohort": [0.2, -0.2, 0.0, 0.0]},
        {"cohort": [0, 4]},
        0.2,
        0.4,
    ),
    "columns": (
        (Crossed(),),
        {"by_plan_sd": 0.3, "by_plan": [0.1, -0.1], "by_region_sd": 0.4, "by_region": [0.2, -0.2]},
        {"segment": [0, 3]},
        0.3,
        0.5,
    ),
}


@pytest.mark.parametrize(("effects", "theta", "at", "level", "sd"), UNSEEN.values(), ids=list(UNSEEN))
def test_what_was_never_seen_has_a_deviation_of_its_own(mixed, effects, theta, at, level, sd):
    """Known exactly where it was seen; as wide as the others differ where it was not."""
    f = forecaster(mixed, effects=effects, theta=theta, draws=5000)
    seen, unseen = log_hazard(f, group(copies=2, **at)).T
    np.testing.assert_allclose(seen, level, rtol=1e-9)
    assert_normal(unseen, sd)


@pytest.mark.parametrize("name", ["segment", "cohort"])
def test_what_was_never_seen_has_a_wider_predictive_band(mixed, name):
    """Of the share of 400 accounts still there after a year: the chance of the accounts, and what is not known."""
    effects, theta, at, _, _ = UNSEEN[name]
    f = forecaster(mixed, effects=effects, theta=theta, draws=2000)
    share = states(f, group(accounts=400.0, copies=2, **at), 12, predictive=True)[-1].logo
    seen, unseen = np.diff(np.quantile(share, [0.1, 0.9], axis=0), axis=0)[0]
    chance = 2 * 1.2816 * np.sqrt(0.25 / 400)  # at most
    assert seen < 1.1 * chance
    assert unseen > 2 * chance


def test_groups_have_the_terms_of_their_segments_and_an_unseen_one_the_most_common():
    rows = [(f"c{k}", "2024-01-10", None, 100.0, (1, 12, 12)[k % 3], "xyz"[k % 3]) for k in range(9)]
    frame = pd.DataFrame(rows, columns=["customer_id", "start", "end", "amount", "term_months", "plan"])
    ledger = Ledger.from_spells(frame, as_of=AS_OF, term_months="term_months")
    table = ledger.cohort_table(by=["plan", "term_months"])
    f = forecaster(table, effects=(Renewal(),), theta={"mid_term": 0.1})
    groups = group(copies=4, segment=[0, 1, 2, 3], tenure=[5, 5, 11, 23])
    factor = np.log(stay_draws(f, groups)[0]) / np.log(1 - HAZARD)
    np.testing.assert_allclose(factor, [1, 0.1, 12, 12], rtol=1e-9)


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
