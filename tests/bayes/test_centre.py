"""Elements are centred by the share of their prior variance that the events take away."""

import numpy as np
import pytest

from lifeworth._parameters import Parameter
from lifeworth.bayes.centre import centring
from lifeworth.effects import CalendarWalk, CellIndex, Segments, Shape, calendar_loading

SHAPE = Shape(segments=3, cohorts=1, buckets=3, tenures=12, months_per_period=1, months_per_bucket=3)
STILL = CalendarWalk(momentum=False, reaction=0.0)


def chosen(effect, events, weights=(1 / 3, 1 / 3, 1 / 3), counted=None):
    """Centring of an effect with one cell for each of its segments, or buckets."""
    at, loading = np.arange(3), calendar_loading(np.array(weights))
    cells = CellIndex(tenure=at * 0, segment=at, cohort=at * 0, bucket=at, calendar=loading)
    events = np.asarray(events, float)
    return centring(effect.parameters(SHAPE), lambda theta: effect.eta(theta, cells), events, counted)


@pytest.mark.parametrize(
    ("effect", "name", "free"),
    [(Segments(), "segment", 2), (STILL, "calendar", 2), (CalendarWalk(), "calendar", 1)],
    ids=["segment", "steps", "walk"],
)
def test_many_events_are_centred_and_few_are_not(effect, name, free):
    """As many elements as are free: the last of a zero-sum vector's basis moves nothing."""
    many, few = (chosen(effect, [n] * 3)[f"{name}_centred"] for n in (1e5, 0.1))
    assert (many[:free] > 0.99).all()
    assert (few < 0.05).all()


def test_no_events_at_all_are_not_centred():
    for effect in (Segments(), STILL, CalendarWalk()):
        (centred,) = (value for name, value in chosen(effect, [0, 0, 0]).items() if name.endswith("_centred"))
        assert not centred.any()


@pytest.mark.parametrize("events", [0.0, 1.0, 12.0, 400.0])
def test_the_share_is_what_is_taken_of_the_prior_variance(events):
    """One element of unit slope and prior sd 0.5: 4 / (4 + events) is left."""
    sd = Parameter("sd", "log", (0.25, 1.0), "")
    vector = Parameter("x", "identity", (-1.645, 1.645), "", size=1, scale="sd")
    found = centring((sd, vector), lambda theta: theta["x"], np.array([events]))
    np.testing.assert_allclose(found["x_centred"], [events / (4 + events)], rtol=1e-9)


def test_the_share_of_an_element_is_its_own():
    sd = Parameter("sd", "log", (0.25, 1.0), "")
    vector = Parameter("x", "identity", (-1.645, 1.645), "", size=4, scale="sd")
    events = np.array([0.0, 4.0, 36.0, 396.0])
    found = centring((sd, vector), lambda theta: theta["x"], events)
    np.testing.assert_allclose(found["x_centred"], [0.0, 0.5, 0.9, 0.99], rtol=1e-9)


def test_elements_that_the_events_confound_are_not_centred():
    """Two elements that only their sum is known of keep half of their variance, however many the events."""
    sd = Parameter("sd", "log", (0.25, 1.0), "")
    vector = Parameter("x", "identity", (-1.645, 1.645), "", size=2, scale="sd")
    found = centring((sd, vector), lambda theta: theta["x"].sum(axis=1, keepdims=True), np.array([1e9]))
    np.testing.assert_allclose(found["x_centred"], [0.5, 0.5], rtol=1e-6)


def test_a_zero_sum_vector_is_centred_in_the_basis_it_is_sampled_in():
    """Three segments: two directions are pinned down, the third is none."""
    found = chosen(Segments(), [1e5] * 3)
    basis = found["segment_basis"]
    np.testing.assert_allclose(basis @ basis.T, np.eye(3) - 1 / 3, atol=1e-12)
    assert found["segment_centred"][:2] == pytest.approx([1, 1], abs=1e-3)
    assert found["segment_centred"][2] == pytest.approx(0, abs=1e-9)


def test_elements_that_do_not_count_have_a_direction_of_their_own():
    """The third segment has no events and is not in the sum: it keeps its prior, as does the direction left over."""
    found = chosen(Segments(), [1e5, 1e5, 0], counted={"segment": np.array([True, True, False])})
    np.testing.assert_allclose(found["segment_centred"], [1, 0, 0], atol=1e-3)
    np.testing.assert_allclose(np.abs(found["segment_basis"]), [[0.5**0.5, 0, 0], [0.5**0.5, 0, 0], [0, 0, 1]])


def test_independent_steps_are_centred_one_by_one():
    """Buckets 0 and 1 are well observed, bucket 2 hardly: the step between the first two is pinned down."""
    found = chosen(STILL, [1e6, 1e6, 0.01], weights=(0.5, 0.5, 0.0))["calendar_centred"]
    np.testing.assert_allclose(found, [1, 0], atol=1e-3)


@pytest.mark.parametrize(("events", "centred"), [([1e6] * 3, 1.0), ([1.0] * 3, 0.0), ([1e6, 1e6, 0.01], 0.0)])
def test_the_steps_of_a_walk_go_one_way(events, centred):
    """All or none: where three quarters of the prior variance are taken away for most of them."""
    assert chosen(CalendarWalk(), events, weights=(0.5, 0.5, 0.0))["calendar_centred"].tolist() == [centred]


def test_steps_before_the_walk_began_have_no_say():
    """Without a cell in bucket 0 nothing is known of the first step; the second decides."""
    at, loading = np.array([1, 2]), calendar_loading(np.array([0.0, 0.5, 0.5]))
    cells = CellIndex(tenure=at * 0, segment=at, cohort=at * 0, bucket=at, calendar=loading)
    walk = CalendarWalk()
    found = centring(walk.parameters(SHAPE), lambda theta: walk.eta(theta, cells), np.array([1e6, 1e6]))
    assert found["calendar_centred"].tolist() == [1.0]


def test_scalars_have_nothing_to_centre():
    assert centring((Parameter("a", "log", (1.0, 2.0), ""),), lambda theta: theta["a"], np.array([5.0])) == {}
