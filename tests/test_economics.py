"""Inputs of a valuation: numbers, mappings, distributions; their timing; what is refused."""

import numpy as np
import pytest
from scipy import stats

from lifeworth.economics import Economics
from lifeworth.errors import DefinitionError

SEGMENTS = (("SMB", "EU"), ("SMB", "US"), ("Enterprise", "EU"))


def terms(**changes):
    return Economics(**{"gross_margin": 0.8, "discount_rate_annual": 0.1, "horizon_years": 2} | changes)


def rng():
    return np.random.default_rng(1)


@pytest.mark.parametrize(
    ("timing", "months", "horizon", "years"),
    [
        ("end", 12, 3, [1, 2, 3]),
        ("start", 12, 3, [0, 1, 2]),
        ("end", 12, 2.9, [1, 2]),
        ("start", 12, 2.9, [0, 1]),
        ("end", 3, 0.75, [0.25, 0.5, 0.75]),
        ("end", 1, 0.25, [1 / 12, 2 / 12, 3 / 12]),
        ("start", 12, 0.5, []),
    ],
)
def test_payments_within_the_horizon(timing, months, horizon, years):
    found = terms(timing=timing, horizon_years=horizon).years_to_payments(months)
    np.testing.assert_allclose(found, years, rtol=1e-12)


def test_a_number_is_the_same_in_every_draw_and_segment():
    values = terms().by_segment("gross_margin", SEGMENTS, rng(), 5)
    assert values.shape == (5, 3)
    assert (values == 0.8).all()


@pytest.mark.parametrize(
    "margin",
    [
        {"SMB": 0.7, "Enterprise": 0.9},
        {("SMB", "EU"): 0.7, ("SMB", "US"): 0.7, ("Enterprise", "EU"): 0.9},
    ],
    ids=["one column", "all columns"],
)
def test_a_mapping_gives_each_segment_its_own(margin):
    values = terms(gross_margin=margin).by_segment("gross_margin", SEGMENTS, rng(), 4)
    np.testing.assert_array_equal(values, np.tile([0.7, 0.7, 0.9], (4, 1)))


def test_a_mapping_that_misses_a_segment_names_it():
    with pytest.raises(DefinitionError, match="Enterprise / EU"):
        terms(gross_margin={"SMB": 0.7}).by_segment("gross_margin", SEGMENTS, rng(), 4)


def test_a_mapping_with_two_answers_for_a_segment_is_refused():
    with pytest.raises(DefinitionError, match="2 values"):
        terms(gross_margin={"SMB": 0.7, "EU": 0.6, "US": 0.5, "Enterprise": 0.4}).by_segment(
            "gross_margin", SEGMENTS, rng(), 4
        )


def test_a_distribution_is_drawn_once_for_each_draw_and_shared_by_segments():
    values = terms(gross_margin=stats.beta(80, 20)).by_segment("gross_margin", SEGMENTS, rng(), 20_000)
    assert (values == values[:, :1]).all()
    spread = stats.beta(80, 20).std()
    assert values[:, 0].mean() == pytest.approx(0.8, abs=4 * spread / np.sqrt(20_000))
    assert values[:, 0].std() == pytest.approx(spread, rel=0.03)


def test_distributions_by_segment_are_independent():
    given = {"SMB": stats.beta(70, 30), "Enterprise": stats.uniform(0.85, 0.1)}
    values = terms(gross_margin=given).by_segment("gross_margin", (("SMB", "EU"), ("Enterprise", "EU")), rng(), 20_000)
    assert abs(np.corrcoef(values.T)[0, 1]) < 4 / np.sqrt(20_000)
    assert values[:, 1].min() >= 0.85


def test_names_its_uncertain_inputs():
    assert terms().uncertain == ()
    assert terms(gross_margin=stats.beta(8, 2), cac={"a": 5.0, "b": stats.gamma(3)}).uncertain == (
        "gross_margin",
        "cac",
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("gross_margin", 1.01),
        ("gross_margin", 80),
        ("gross_margin", float("nan")),
        ("gross_margin", stats.norm(0.8, 0.01)),
        ("gross_margin", {"SMB": 0.7, "Enterprise": 1.7}),
        ("gross_margin", "80%"),
        ("discount_rate_annual", -1.0),
        ("discount_rate_annual", float("nan")),
        ("horizon_years", 0),
        ("horizon_years", 101),
        ("horizon_years", float("nan")),
        ("timing", "middle"),
        ("cac", -1.0),
        ("service_cost_annual", -1.0),
        ("service_cost_annual", stats.norm(5, 1)),
        ("arpa", -1.0),
    ],
)
def test_refuses_what_cannot_be_and_names_it(name, value):
    with pytest.raises(DefinitionError, match=name):
        terms(**{name: value})


def test_a_loss_making_margin_is_legal():
    assert terms(gross_margin=-0.2).gross_margin == -0.2
