"""Priors mean what their interval says, and what cannot be a prior is refused."""

import numpy as np
import pytest
from scipy import stats

from lifeworth._parameters import Parameter, check_priors, draw_prior, with_priors
from lifeworth.churn import CURVES
from lifeworth.effects import EFFECTS, Shape
from lifeworth.errors import DefinitionError
from lifeworth.expansion import EXPANSIONS
from lifeworth.expansion.variation import DIRECTIONS, variation_parameters
from lifeworth.purchases import PURCHASES, GammaGamma

SHAPE = Shape(
    segments=6,
    cohorts=5,
    buckets=6,
    tenures=24,
    months_per_period=1,
    months_per_bucket=3,
    columns=(("channel", 2), ("risk", 3)),
    longest_term=12,
)
DRAWS = 40_000


def every_part():
    """Parameters that are drawn together: a curve's, an effect's, an expansion curve's, a variation's."""
    yield from ((name, made().parameters) for name, made in CURVES.items())
    yield from ((name, made().parameters(SHAPE)) for name, made in EFFECTS.items())
    yield from ((name, made().parameters) for name, made in EXPANSIONS.items())
    yield from ((name, made().parameters) for name, made in PURCHASES.items())
    yield "GammaGamma", GammaGamma().parameters
    yield from ((f"{d} variation", variation_parameters(d, SHAPE)) for d in DIRECTIONS)


PARTS = [(name, parameters) for name, parameters in every_part() if parameters]


def quantile_error(values, probability):
    """Monte Carlo standard error of a sample quantile, from the density around it."""
    low, high = np.quantile(values, [probability - 0.02, probability + 0.02])
    density = 0.04 / (high - low)
    return np.sqrt(probability * (1 - probability) / len(values)) / density


def assert_quantile(values, probability, expected):
    found = np.quantile(values, probability)
    assert abs(found - expected) < 4 * quantile_error(values, probability), (probability, found, expected)


@pytest.mark.parametrize(("name", "parameters"), PARTS, ids=[name for name, _ in PARTS])
def test_prior_draws_have_the_plausible_interval_as_their_central_90(name, parameters):
    theta = draw_prior(parameters, np.random.default_rng(5), DRAWS)
    for p in parameters:
        assert theta[p.name].shape == (DRAWS, p.size or 1)
        low, high = p.plausible
        if p.link == "half":
            assert theta[p.name].min() >= 0
            assert_quantile(theta[p.name][:, 0], 0.95, high)
        elif p.scale is None:
            assert_quantile(theta[p.name][:, 0], 0.05, low)
            assert_quantile(theta[p.name][:, 0], 0.95, high)
        else:  # its reading is at scale one; a zero-sum vector loses one degree of freedom
            shrunk = np.sqrt(1 - 1 / p.size) if p.zero_sum else 1.0
            at_one = theta[p.name][:, 0] / theta[p.scale][:, 0] / shrunk
            assert_quantile(at_one, 0.05, low)
            assert_quantile(at_one, 0.95, high)


def test_the_parts_of_the_package_are_all_checked():
    names = {name for name, _ in PARTS}
    assert names >= {*CURVES, *EFFECTS, *PURCHASES, "Constant", "expansion variation"}


def test_the_steps_of_a_walk_are_drawn_by_its_law():
    """Given its sd and momentum, the innovations are standard normal once divided by the sd they have by then."""
    theta = draw_prior(EFFECTS["CalendarWalk"]().parameters(SHAPE), np.random.default_rng(2), 20_000)
    sd, momentum, steps = theta["calendar_sd"][:, 0], theta["calendar_momentum"][:, 0], theta["calendar"]
    variance, last = sd**2, np.zeros(len(sd))
    z = np.empty_like(steps)
    for k in range(steps.shape[1]):
        innovation = steps[:, k] - momentum * last
        z[:, k] = innovation / np.sqrt(variance)
        variance, last = (variance + innovation**2) / 2, steps[:, k]
    for column in z.T:
        assert stats.kstest(column, "norm").pvalue > 1e-4
    np.testing.assert_allclose(np.corrcoef(z.T), np.eye(5), atol=4 / np.sqrt(len(z)))


def test_zero_sum_vectors_sum_to_zero_with_equal_variances_and_correlations():
    p = Parameter("dev", "identity", (-1.645, 1.645), "", size=4, scale="sd", zero_sum=True)
    sd = Parameter("sd", "log", (0.5, 1.5), "")
    theta = draw_prior((sd, p), np.random.default_rng(1), DRAWS)
    np.testing.assert_allclose(theta["dev"].sum(axis=1), 0, atol=1e-12)
    covariance = np.cov((theta["dev"] / theta["sd"]).T)
    expected = np.eye(4) - 1 / 4
    np.testing.assert_allclose(covariance, expected, atol=4 * np.sqrt(2 / DRAWS))


@pytest.mark.parametrize(
    ("link", "plausible", "median"),
    [("logit", (0.02, 0.15), None), ("log", (0.5, 2.0), 1.0), ("identity", (-1.0, 3.0), 1.0)],
)
def test_location_and_scale_put_five_percent_outside_either_end(link, plausible, median):
    p = Parameter("x", link, plausible, "")
    location, sd = p.location_scale()
    ends = p.natural(stats.norm(location, sd).ppf([0.05, 0.95]))
    np.testing.assert_allclose(ends, plausible, rtol=1e-12)
    if median is not None:
        assert float(p.natural(np.asarray(location))) == pytest.approx(median)


def test_half_normal_has_its_95_percent_quantile_at_high():
    _, sd = Parameter("sd", "half", (0.0, 0.3), "").location_scale()
    assert stats.halfnorm(scale=sd).ppf(0.95) == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("link", "plausible"),
    [
        ("logit", (0.0, 0.5)),
        ("logit", (0.2, 1.0)),
        ("log", (0.0, 1.0)),
        ("log", (2.0, 1.0)),
        ("identity", (1.0, 1.0)),
        ("identity", (float("nan"), 1.0)),
        ("half", (0.1, 0.3)),
        ("half", (0.0, 0.0)),
    ],
)
def test_refuses_intervals_that_are_no_prior(link, plausible):
    with pytest.raises(DefinitionError, match="x"):
        Parameter("x", link, plausible, "")


def test_given_priors_replace_their_own_and_leave_the_rest():
    own = CURVES["ShiftedBetaGeometric"]().parameters
    changed = with_priors(own, {"first_churn": (0.1, 0.2), "elsewhere": (0.0, 1.0)})
    assert changed[0].plausible == (0.1, 0.2)
    assert changed[1:] == own[1:]
    assert with_priors(own, None) == own


def test_a_prior_that_belongs_to_nothing_is_named():
    with pytest.raises(DefinitionError, match=r"first_chrun.*first_churn"):
        check_priors(CURVES["Geometric"]().parameters, {"first_chrun": (0.1, 0.2)})


def test_a_prior_for_a_vector_with_a_scale_is_refused():
    """Its spread is the scale's to say."""
    with pytest.raises(DefinitionError, match="steps"):
        check_priors(CURVES["Smooth"]().parameters, {"steps": (-1.0, 1.0)})
