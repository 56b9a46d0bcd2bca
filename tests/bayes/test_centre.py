"""Elements that many events pin down are centred, the others not."""

import numpy as np
import pytest

from lifeworth._parameters import Parameter
from lifeworth.bayes.centre import centring
from lifeworth.effects import CalendarWalk, CellIndex, Segments, Shape, calendar_loading

SHAPE = Shape(segments=3, cohorts=1, buckets=3, tenures=12, months_per_period=1, months_per_bucket=3)


def chosen(effect, events, weights=(1 / 3, 1 / 3, 1 / 3)):
    """Centring of an effect with one cell for each of its segments, or buckets."""
    at, loading = np.arange(3), calendar_loading(np.array(weights))
    cells = CellIndex(tenure=at * 0, segment=at, cohort=at * 0, bucket=at, calendar=loading)
    return centring(effect.parameters(SHAPE), lambda theta: effect.eta(theta, cells), np.asarray(events, float))


@pytest.mark.parametrize("effect", [Segments(), CalendarWalk()], ids=["segment", "calendar"])
def test_many_events_are_centred_and_few_are_not(effect):
    (many,) = chosen(effect, [1e5] * 3).values()
    (few,) = chosen(effect, [1.0] * 3).values()
    assert many.all()
    assert not few.any()


def test_no_events_at_all_are_not_centred():
    assert not chosen(Segments(), [0, 0, 0])["segment_centred"].any()


def test_a_zero_sum_vector_goes_one_way():
    assert chosen(Segments(), [1e5] * 3)["segment_centred"].shape == (1,)


def test_elements_without_an_event_have_no_say():
    """Two of three segments well observed, as where a vector is longer than its labels."""
    assert chosen(Segments(), [1e5, 1e5, 0])["segment_centred"].tolist() == [1.0]
    assert chosen(Segments(), [1e5, 0, 0])["segment_centred"].tolist() == [1.0]


def test_a_walk_is_centred_step_by_step():
    """Buckets 0 and 1 are well observed, bucket 2 hardly: the step between the first two is pinned down."""
    found = chosen(CalendarWalk(), [1e6, 1e6, 0.01], weights=(0.5, 0.5, 0.0))
    assert found["calendar_centred"].tolist() == [1.0, 0.0]


@pytest.mark.parametrize(("events", "centred"), [(11.9, 0.0), (12.1, 1.0)])
def test_the_border_is_a_prior_variance_shrunk_by_three_quarters(events, centred):
    """One element of unit slope and prior sd 0.5: variance ratio 4 / (4 + events) falls below 1/4 at 12."""
    sd = Parameter("sd", "log", (0.25, 1.0), "")
    vector = Parameter("x", "identity", (-1.645, 1.645), "", size=1, scale="sd")
    found = centring((sd, vector), lambda theta: theta["x"], np.array([events]))
    assert found["x_centred"].tolist() == [centred]


def test_scalars_have_nothing_to_centre():
    assert centring((Parameter("a", "log", (1.0, 2.0), ""),), lambda theta: theta["a"], np.array([5.0])) == {}
