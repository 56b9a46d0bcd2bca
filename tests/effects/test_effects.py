"""The numbers of each effect, checked by hand."""

import numpy as np
import pytest

from lifeworth.churn import Geometric
from lifeworth.effects import (
    CalendarWalk,
    CellIndex,
    CohortDecay,
    Crossed,
    Renewal,
    Season,
    Segments,
    Shape,
    Shock,
    calendar_loading,
    periods_of,
)
from lifeworth.errors import DefinitionError
from lifeworth.model import log_retention

MONTHLY = Shape(segments=2, cohorts=2, buckets=4, tenures=24, months_per_period=1, months_per_bucket=3)


def index(calendar=None, *, segments=1, levels=None, **positions):
    n = len(next(iter((positions or levels).values())))
    columns = {name: np.zeros(n, int) for name in ("tenure", "segment", "cohort", "bucket")}
    columns |= {name: np.asarray(values) for name, values in positions.items()}
    at = {name: np.asarray(values) for name, values in (levels or {}).items()}
    calendar = np.zeros((0, 1)) if calendar is None else calendar
    return CellIndex(**columns, calendar=calendar, segments=segments, levels=at)


def shape(**sizes):
    given = {"segments": 2, "cohorts": 2, "buckets": 8, "tenures": 24, "months_per_period": 1, "months_per_bucket": 3}
    return Shape(**given | sizes)


def test_a_segment_has_its_own_deviation():
    eta = Segments().eta({"segment": np.array([0.3, -0.3])}, index(segment=[1, 0, 1]))
    np.testing.assert_array_equal(eta, [-0.3, 0.3, -0.3])


@pytest.mark.parametrize("half_life", [0.5, 3.0, 12.0])
def test_a_cohort_deviation_halves_every_half_life(half_life):
    theta = {"cohort": np.array([0.4, -0.4]), "cohort_half_life": half_life}
    tenures = np.array([0.0, half_life, 2 * half_life, 3 * half_life])
    eta = CohortDecay().eta(theta, index(cohort=[0] * 4, tenure=tenures))
    np.testing.assert_allclose(eta, [0.4, 0.2, 0.1, 0.05], rtol=1e-12)


def test_the_half_life_prior_is_in_periods_of_the_table():
    yearly = Shape(2, 2, 4, 24, months_per_period=12, months_per_bucket=3)
    months, years = (
        next(p.plausible for p in CohortDecay().parameters(sizes) if p.name == "cohort_half_life")
        for sizes in (MONTHLY, yearly)
    )
    assert months[0] > years[0]
    assert 12 * years[1] > months[1] > years[1]


def test_the_walk_is_centred_on_the_exposure_of_the_observed_buckets():
    weights = np.array([0.1, 0.2, 0.3, 0.4])
    levels = np.array([0.5, -0.2, 0.7]) @ calendar_loading(weights)
    assert levels @ weights == pytest.approx(0, abs=1e-15)
    np.testing.assert_allclose(np.diff(levels), [0.5, -0.2, 0.7], rtol=1e-12)


def test_the_walk_goes_on_from_its_last_level():
    weights, steps = np.full(3, 1 / 3), np.array([0.2, 0.1])
    seen = steps @ calendar_loading(weights)
    ahead = np.concatenate([steps, [0.0, 0.05]]) @ calendar_loading(weights, ahead=2)
    np.testing.assert_allclose(ahead[:3], seen, rtol=1e-12)
    np.testing.assert_allclose(ahead[3:], [seen[-1], seen[-1] + 0.05], rtol=1e-12)


def test_a_trend_inside_the_window_is_left_in():
    levels = np.full(3, 0.1) @ calendar_loading(np.full(4, 0.25))
    np.testing.assert_allclose(levels, [-0.15, -0.05, 0.05, 0.15], rtol=1e-12)


def test_the_walk_reads_the_level_of_the_bucket():
    loading = calendar_loading(np.full(3, 1 / 3))
    eta = CalendarWalk().eta({"calendar": np.array([0.3, -0.6])}, index(loading, bucket=[2, 0, 1]))
    np.testing.assert_allclose(eta, [-0.3, 0.0, 0.3], atol=1e-15)


@pytest.mark.parametrize(("months", "high"), [(1, 0.173), (3, 0.30), (12, 0.60)])
def test_the_walk_prior_grows_with_the_square_root_of_time(months, high):
    """Its upper end is near that of HalfNormal 0.087 a month, 0.15 a quarter, 0.30 a year (1.96 of them)."""
    sizes = Shape(1, 1, 4, 24, months_per_period=1, months_per_bucket=months)
    prior = next(p for p in CalendarWalk().parameters(sizes) if p.name == "calendar_sd")
    assert prior.plausible == pytest.approx((high / 15, high), rel=0.01)


@pytest.mark.parametrize(
    ("walk", "names", "law"),
    [
        (CalendarWalk(), ["calendar_sd", "calendar_momentum", "calendar"], ("calendar_momentum", 0.5)),
        (CalendarWalk(momentum=False), ["calendar_sd", "calendar"], (None, 0.5)),
        (CalendarWalk(reaction=0.0), ["calendar_sd", "calendar_momentum", "calendar"], ("calendar_momentum", 0.0)),
        (CalendarWalk(momentum=False, reaction=0.0), ["calendar_sd", "calendar"], None),
    ],
)
def test_the_walk_has_the_law_of_its_settings(walk, names, law):
    """Without momentum and reaction the steps are independent: no law of their own."""
    parameters = walk.parameters(shape())
    assert [p.name for p in parameters] == names
    own = parameters[-1].walk
    assert (own and (own.momentum, own.reaction)) == law


@pytest.mark.parametrize("reaction", [-0.1, 1.0, 2.0, float("nan")])
def test_a_reaction_that_is_no_weight_is_refused(reaction):
    with pytest.raises(DefinitionError, match="reaction"):
        CalendarWalk(reaction=reaction)


def test_the_walk_goes_on_with_its_momentum_and_its_last_variance():
    """Steps 0.2 and 0.3 at momentum 0.5: innovations 0.2 and 0.2, so that the variance, first 0.01, is 0.0325."""
    theta = {
        "calendar": np.array([[9.0, 0.2, 0.3]]),
        "calendar_sd": np.array([[0.1]]),
        "calendar_momentum": np.array([[0.5]]),
    }
    seen = np.array([False, True, True])  # the first step is before the walk began
    still = CalendarWalk().ahead(theta, np.zeros((1, 3)), seen)
    np.testing.assert_allclose(still, [[0.15, 0.075, 0.0375]], rtol=1e-12)
    one = CalendarWalk().ahead(theta, np.array([[1.0, 0.0]]), seen)
    variance = 0.5 * (0.5 * 0.01 + 0.5 * 0.04) + 0.5 * 0.04
    np.testing.assert_allclose(one, [[0.15 + variance**0.5, 0.075 + variance**0.5 / 2]], rtol=1e-12)
    stand, share = CalendarWalk().ahead_spread(theta, seen)
    assert (stand.step.tolist(), share.tolist()) == ([0.3], [0.5])
    np.testing.assert_allclose(stand.variance, [variance], rtol=1e-12)


# --- Season ---

YEAR = np.array([0.3, -0.1, -0.4, 0.2])


def test_a_season_comes_back_every_year():
    eta = Season().eta({"season": YEAR}, index(bucket=[0, 1, 3, 4, 7, 5, 8, 13]))
    np.testing.assert_array_equal(eta, YEAR[[0, 1, 3, 0, 3, 1, 0, 1]])


def test_a_season_of_monthly_buckets_has_twelve():
    months = np.linspace(-0.5, 0.6, 12)
    eta = Season().eta({"season": np.stack([months, -months])}, index(bucket=[0, 11, 12, 23, 30]))
    np.testing.assert_array_equal(eta[0], months[[0, 11, 0, 11, 6]])
    np.testing.assert_array_equal(eta[1], -eta[0])


@pytest.mark.parametrize(
    ("months", "buckets", "size"), [(3, 8, 4), (3, 5, 4), (3, 4, None), (1, 16, 12), (1, 12, None), (12, 8, None)]
)
def test_a_season_needs_more_than_a_year_of_buckets(months, buckets, size):
    parameters = Season().parameters(shape(buckets=buckets, months_per_bucket=months))
    assert [p.size for p in parameters if p.name == "season"] == ([size] if size else [])


# --- Shock ---


def test_a_shock_is_that_of_the_segment_in_the_bucket():
    """Buckets in rows, segments in columns."""
    shocks = np.arange(12.0).reshape(4, 3)
    bucket, segment = [0, 2, 3, 1], [2, 0, 2, 1]
    eta = Shock().eta({"shock": shocks.ravel()}, index(bucket=bucket, segment=segment, segments=3))
    np.testing.assert_array_equal(eta, shocks[bucket, segment])


def test_shocks_ahead_follow_those_seen_and_an_unseen_segment_had_none():
    rng = np.random.default_rng(1)
    seen, future = rng.normal(size=(5, 4, 3)), rng.normal(size=(5, 2, 4))  # draws, buckets, segments
    every = Shock().ahead({"shock": seen.reshape(5, -1)}, 3, future)
    bucket, segment = (axis.ravel() for axis in np.meshgrid(np.arange(6), np.arange(4), indexing="ij"))
    eta = Shock().eta({"shock": every}, index(bucket=bucket, segment=segment, segments=4)).reshape(5, 6, 4)
    np.testing.assert_array_equal(eta[:, :4, :3], seen)
    np.testing.assert_array_equal(eta[:, :4, 3], 0)
    np.testing.assert_array_equal(eta[:, 4:], future)


def test_there_is_a_shock_for_each_segment_in_each_bucket():
    assert [p.size for p in Shock().parameters(shape(segments=3, buckets=8))] == [None, 24]
    assert Shock().parameters(shape(segments=1)) == Shock().parameters(shape(buckets=1)) == ()


# --- Crossed ---


def test_crossed_levels_add_up():
    theta = {"by_channel": np.array([0.3, -0.3]), "by_risk": np.array([0.1, 0.2, -0.3])}
    eta = Crossed().eta(theta, index(levels={"channel": [0, 1, 1], "risk": [2, 0, 1]}))
    np.testing.assert_allclose(eta, [0.0, -0.2, -0.1], atol=1e-15)


def test_a_value_never_seen_is_the_one_after_the_last():
    """As the forecast appends it."""
    theta = {"by_channel": np.array([[0.3, -0.3, 0.7]]), "by_risk": np.array([[0.1, 0.2, -0.3, -0.5]])}
    eta = Crossed().eta(theta, index(levels={"channel": [2, 0], "risk": [3, 3]}))
    np.testing.assert_allclose(eta, [[0.2, -0.2]], rtol=1e-12)


def test_crossed_needs_two_columns_that_differ():
    """One column, or a second with a single value, is what `Segments` has."""
    two = Crossed().parameters(shape(columns=(("channel", 2), ("plan", 1), ("risk", 3))))
    assert [(p.name, p.size) for p in two] == [
        ("by_channel_sd", None),
        ("by_channel", 2),
        ("by_risk_sd", None),
        ("by_risk", 3),
    ]
    assert Crossed().parameters(shape(columns=(("channel", 2), ("plan", 1)))) == ()
    only = {"by_channel": np.array([0.3, -0.3])}
    eta = Crossed().eta(only, index(levels={"channel": [1], "plan": [0]}))
    np.testing.assert_array_equal(eta, [-0.3])


# --- Renewal ---


def at_terms(tenure, term):
    columns = (np.zeros(len(tenure), int),) * 3
    return CellIndex(np.asarray(tenure), *columns, calendar=np.zeros((0, 1)), term=np.asarray(term))


def test_the_hazard_of_a_term_is_taken_at_its_end():
    """Twelve months: at tenures 11, 23, 35; in between the share `mid_term`; a term of one is always at its end."""
    cells = at_terms([0, 10, 11, 12, 23, 35, 5, 0, 7, 1, 2], [12, 12, 12, 12, 12, 12, 1, 1, 1, 2, 3])
    eta = Renewal().eta({"mid_term": 0.05}, cells)
    due, between = np.log(12), np.log(0.05)
    expected = [between, between, due, between, due, due, 0, 0, 0, np.log(2), np.log(3)]
    np.testing.assert_allclose(eta, expected, rtol=1e-12)


@pytest.mark.parametrize("term", [2, 3, 12, 24])
def test_over_whole_terms_survival_is_that_of_an_account_without_one(term):
    """Exactly, at `mid_term` near zero and a constant hazard: nobody leaves before the end, all that would do then."""
    tenure = np.arange(24)
    theta = {"first_churn": np.array([[0.03]]), "mid_term": np.array([[1e-14]])}
    stay = log_retention(Geometric(), (Renewal(),), theta, at_terms(tenure, [term] * 24), 24)[0]
    whole = np.exp(np.cumsum(stay))
    np.testing.assert_allclose(whole[term - 1 :: term], 0.97 ** np.arange(term, 25, term), rtol=1e-12)
    np.testing.assert_allclose(whole[: term - 1], 1.0, rtol=1e-12)


def test_only_a_table_with_terms_has_a_renewal():
    assert Renewal().parameters(shape(longest_term=1)) == ()
    assert [p.name for p in Renewal().parameters(shape(longest_term=2))] == ["mid_term"]
    assert Renewal().eta({}, at_terms([11], [12])) == 0.0


@pytest.mark.parametrize(
    ("label", "months", "periods"),
    [
        ("12", 1, 12),
        ("12.0", 1, 12),
        ("24", 3, 8),
        ("12", 12, 1),
        ("18", 12, 2),
        ("1", 1, 1),
        ("0", 1, 1),
        ("(none)", 1, 1),
        ("", 3, 1),
        ("monthly", 1, 1),
    ],
)
def test_periods_of_a_term(label, months, periods):
    assert periods_of(label, months) == periods
