"""How rates vary by segment and by shock."""

import numpy as np
import pytest

from lifeworth.churn import Geometric
from lifeworth.effects import CalendarWalk, Segments, Shape
from lifeworth.expansion import Constant, Flat
from lifeworth.expansion.variation import (
    DIRECTIONS,
    churn_link_parameters,
    log_level,
    log_shift,
    variation_parameters,
)
from lifeworth.model import Model

SHAPE = Shape(segments=3, cohorts=2, buckets=4, tenures=12, months_per_period=1, months_per_bucket=3)


def test_flat_fits_nothing_and_moves_nothing():
    assert Flat().parameters == ()
    added, lost = Flat().rates(np.arange(3.0), {})
    assert not added.any()
    assert not lost.any()


def test_constant_rates_are_their_parameters_at_any_age():
    added, lost = Constant().rates(np.array([0.0, 7.5]), {"expansion_annual": 0.2, "contraction_annual": 0.05})
    np.testing.assert_array_equal(added, 0.2)
    np.testing.assert_array_equal(lost, 0.05)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_segment_moves_the_log_rate_by_its_deviation(direction):
    theta = {f"{direction}_segment": np.array([[0.2, 0.1, -0.3]])}
    np.testing.assert_array_equal(log_level(direction, theta, np.array([2, 0])), [[-0.3, 0.2]])


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_without_segments_there_is_one_level(direction):
    assert log_level(direction, {}, np.array([0, 0])) == 0


def test_one_segment_has_only_a_shock():
    alone = Shape(1, 2, 4, 12, 1, 3)
    assert [p.name for p in variation_parameters("expansion", alone)] == ["expansion_shock_sd"]
    assert [p.name for p in variation_parameters("contraction", SHAPE)] == [
        "contraction_segment_sd",
        "contraction_segment",
        "contraction_shock_sd",
    ]


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_rates_move_with_the_innovations_of_churn(direction):
    theta = {f"{direction}_with_churn": np.array([[-0.5], [1.0]])}
    np.testing.assert_allclose(log_shift(direction, theta, np.array([[0.1, -0.2]])), [[-0.05, 0.1], [0.1, -0.2]])
    np.testing.assert_array_equal(log_shift(direction, {}, np.array([0.1])), [0.0])


def test_growth_is_tied_to_churn_where_there_is_a_calendar_to_learn_it_from():
    tied = {p.name for p in churn_link_parameters(SHAPE)}
    assert tied == {"expansion_with_churn", "contraction_with_churn", "innovation_error"}
    assert churn_link_parameters(Shape(3, 2, 2, 12, 1, 3)) == ()

    def names(*effects, expansion=Constant()):
        return {p.name for p in Model(Geometric(), effects, expansion).expansion_parameters(SHAPE)}

    assert tied <= names(Segments(), CalendarWalk())
    assert not tied & names(Segments())
    assert not names(CalendarWalk(), expansion=Flat())
