"""Rows that cannot be a customer's history are refused by name."""

import numpy as np
import pytest

from lifeworth.errors import DataError, DefinitionError
from lifeworth.purchases import BGBB, History


@pytest.mark.parametrize(
    ("x", "t", "age", "says"),
    [
        (1.5, 1, 2, "whole number"),
        (-1, 1, 2, "whole number"),
        (float("nan"), 1, 2, "whole number"),
        (1, 3, 2, "recency <= age"),
        (1, -1, 2, "recency <= age"),
        (1, 1, float("inf"), "recency <= age"),
        (0, 1, 2, "without a repeat"),
        (2, 0, 2, "without a repeat"),
    ],
)
def test_refuses_what_is_no_history(x, t, age, says):
    with pytest.raises(DataError, match=f"1 rows .*{says}.*row 1: frequency"):
        History.of([1, x], [1, t], [2, age])


def test_names_at_most_five_rows():
    with pytest.raises(DataError, match=r"9 rows .*row 4: [^;]*\)\."):
        History.of(np.ones(9), np.zeros(9), np.ones(9))


def test_none_is_the_day_of_the_first_purchase():
    assert History.none(3).age.tolist() == [0, 0, 0]


@pytest.mark.parametrize(("x", "t", "age"), [(1, 1.5, 2), (1, 1, 2.5), (3, 2, 4)])
def test_bg_bb_counts_opportunities(x, t, age):
    theta = BGBB.from_classic(1.0, 1.0, 1.0, 2.0)
    with pytest.raises(DataError, match="1 rows do not count opportunities"):
        BGBB().log_likelihood(History.of(x, t, age), theta)
    with pytest.raises(DefinitionError, match="whole number"):
        BGBB().expected_new(theta, 1.5)


def test_bg_bb_opportunities_come_at_a_pace():
    theta, history = BGBB.from_classic(1.2, 0.75, 0.66, 2.78), History.of(2, 3, 4)
    yearly, monthly = BGBB(), BGBB(opportunities_per_year=12)
    slow, fast = (m.discounted_purchases(history, theta, 12, discount_rate_annual=0.2)[0] for m in (yearly, monthly))
    assert slow < fast < monthly.expected_purchases(history, theta, 12)[0]
    with pytest.raises(DefinitionError, match="opportunities_per_year"):
        BGBB(opportunities_per_year=0)
