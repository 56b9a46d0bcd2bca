"""The numbers of each effect, checked by hand."""

import numpy as np
import pytest

from lifeworth._parameters import HALF95
from lifeworth.effects import CalendarWalk, CellIndex, CohortDecay, Segments, Shape, calendar_loading

MONTHLY = Shape(segments=2, cohorts=2, buckets=4, tenures=24, months_per_period=1, months_per_bucket=3)


def index(calendar=None, **positions):
    n = len(next(iter(positions.values())))
    columns = {name: np.zeros(n, int) for name in ("tenure", "segment", "cohort", "bucket")}
    columns |= {name: np.asarray(values) for name, values in positions.items()}
    return CellIndex(**columns, calendar=np.zeros((0, 1)) if calendar is None else calendar)


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
        next(p.plausible for p in CohortDecay().parameters(shape) if p.name == "cohort_half_life")
        for shape in (MONTHLY, yearly)
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


@pytest.mark.parametrize(("months", "sd"), [(1, 0.087), (3, 0.15), (12, 0.30)])
def test_the_walk_prior_grows_with_the_square_root_of_time(months, sd):
    """HalfNormal 0.087 a month, 0.15 a quarter, 0.30 a year (design, section 4)."""
    shape = Shape(1, 1, 4, 24, months_per_period=1, months_per_bucket=months)
    prior = next(p for p in CalendarWalk().parameters(shape) if p.name == "calendar_sd")
    assert prior.plausible[1] / HALF95 == pytest.approx(sd, rel=0.01)
