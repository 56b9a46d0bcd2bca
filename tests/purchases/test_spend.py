"""Gamma-gamma: densities, limits, draws, and the published fit of CDNOW."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lifeworth.bayes.ops import PYTENSOR
from lifeworth.errors import DataError, DefinitionError
from lifeworth.purchases import GammaGamma, Spend

MODEL = GammaGamma()
THETA = MODEL.from_classic(6.25, 3.74, 15.44)


@pytest.fixture(scope="module")
def cdnow(shared) -> pd.DataFrame:
    return pd.read_csv(shared / "oracles" / "data" / "cdnow_cbs_39wk.csv")


@pytest.fixture(scope="module")
def published(shared):
    entries = json.loads((shared / "oracles" / "oracles.json").read_text(encoding="utf-8"))
    return next(entry for entry in entries if entry["id"] == "gammagamma.cdnow")


def test_the_published_fit(cdnow, published, maximise):
    repeat = cdnow[cdnow["x"] > 0]
    spend = Spend.of(repeat["x"], repeat["zbar"])
    assert len(repeat) == published["expected"]["n"]
    theta, best = maximise(MODEL.parameters, lambda at: MODEL.log_likelihood(spend, at).sum())
    assert best == pytest.approx(published["expected"]["CLVTools_LL"], abs=1e-3)
    found = MODEL.to_classic(theta)
    for name, theirs in (("p", "p"), ("q", "q"), ("gamma", "v")):
        assert found[name] == pytest.approx(published["computed"][theirs], rel=1e-4)
        assert found[name] == pytest.approx(published["expected"][theirs]["value"], abs=6e-3)
    assert theta["mean_spend"] == pytest.approx(published["expected"]["theoretical_mean"]["value"], abs=5e-3)
    first = MODEL.expected_spend(Spend.of(cdnow["x"][:10], cdnow["zbar"][:10]), theta)
    np.testing.assert_allclose(first, published["expected"]["CE_first10"]["value"], atol=6e-3)


@pytest.mark.parametrize("x", [1, 3, 40])
def test_the_likelihood_is_a_density(x):
    """Over the logarithm of the mean, from far below to far above."""
    log_mean = np.linspace(-12, 25, 6001)
    density = np.exp(MODEL.log_likelihood(Spend.of(np.full(6001, x), np.exp(log_mean)), THETA) + log_mean)
    assert density.sum() * (log_mean[1] - log_mean[0]) == pytest.approx(1, abs=1e-9)


def test_without_repeats_nothing_is_learnt():
    spend = Spend.of([0, 0], [0, 99.0])
    np.testing.assert_array_equal(MODEL.log_likelihood(spend, THETA), 0.0)
    np.testing.assert_allclose(MODEL.expected_spend(spend, THETA), THETA["mean_spend"], rtol=1e-12)


def test_many_repeats_speak_for_themselves():
    assert MODEL.expected_spend(Spend.of(1e7, 80.0), THETA)[0] == pytest.approx(80, rel=1e-5)


def test_customers_all_alike_leave_a_gamma():
    """Between variation towards 0: the mean of x purchases is Gamma(p x) with mean 20."""
    theta = {"mean_spend": 20.0, "between_variation": 1e-4, "within_variation": 0.5}
    found = MODEL.log_likelihood(Spend.of([3, 3], [15.0, 30.0]), theta)
    np.testing.assert_allclose(found, stats.gamma(12, scale=20 / 12).logpdf([15.0, 30.0]), rtol=1e-4)


@given(st.integers(0, 50), st.floats(0.01, 1e5), st.floats(0.1, 2), st.floats(0.1, 2))
def test_expected_spend_lies_between_the_customer_and_the_others(x, mean, between, within):
    theta = {"mean_spend": 100.0, "between_variation": between, "within_variation": within}
    found = MODEL.expected_spend(Spend.of(x, mean), theta)[0]
    assert min(mean, 100) * (1 - 1e-9) <= found <= max(mean, 100) * (1 + 1e-9)


def test_money_has_no_unit():
    """Amounts a hundred times as large: the same fit a hundred times as large, the density a hundredth."""
    cents = THETA | {"mean_spend": 100 * THETA["mean_spend"]}
    shift = MODEL.log_likelihood(Spend.of(4, 2000.0), cents) - MODEL.log_likelihood(Spend.of(4, 20.0), THETA)
    assert shift[0] == pytest.approx(-np.log(100))


def test_drawn_spend_has_the_law_of_the_likelihood(maximise):
    rng = np.random.default_rng(4)
    frequency = np.tile([1.0, 2, 5, 20], 1000)
    spend = MODEL.draw_spend(frequency, THETA, rng)
    found, best = maximise(MODEL.parameters, lambda at: MODEL.log_likelihood(spend, at).sum())
    gain = 2 * (best - MODEL.log_likelihood(spend, THETA).sum())
    assert 0 <= gain < 21.1  # chi-squared with three degrees: once in 10,000
    for name, value in THETA.items():
        assert found[name] == pytest.approx(value, rel=0.15), name


def test_levels_and_totals_have_the_expected_spend_as_their_mean():
    rng, spend = np.random.default_rng(6), Spend.of([0, 1, 8], [0, 60.0, 25.0])
    many = {name: np.full((40_000, 1), value) for name, value in THETA.items()}
    level = MODEL.draw_level(spend, many, rng)
    total = MODEL.draw_total(np.array([3.0, 0.0, 2.0]), level, many, rng)
    expected = MODEL.expected_spend(spend, THETA)
    for drawn, mean in ((level, expected), (total, expected * [3, 0, 2])):
        assert drawn.shape == (40_000, 3)
        assert (np.abs(drawn.mean(axis=0) - mean) <= 5 * drawn.std(axis=0) / 200).all()


def test_numpy_and_pytensor_agree_and_the_gradient_is_finite(prior_theta):
    import pytensor
    import pytensor.tensor as pt

    theta, spend = prior_theta(MODEL), Spend.of([0, 1, 1, 3000], [0, 0.01, 1e6, 40.0])
    symbols = {name: pt.dscalar(name) for name in theta}
    log_like = MODEL.log_likelihood(spend, symbols, PYTENSOR)
    outputs = [log_like, *pytensor.grad(log_like.sum(), list(symbols.values()))]
    found = pytensor.function(list(symbols.values()), outputs, mode="FAST_COMPILE")
    together = MODEL.log_likelihood(spend, theta)
    assert together.shape == (50, 4)
    for i in range(50):
        ours, *slopes = found(*(value[i, 0] for value in theta.values()))
        np.testing.assert_allclose(ours, together[i], rtol=1e-8, atol=1e-8)
        assert np.isfinite(slopes).all()


def test_classic_parameters_both_ways(prior_theta):
    theta = prior_theta(MODEL)
    for name, value in MODEL.from_classic(**MODEL.to_classic(theta)).items():
        np.testing.assert_allclose(value, theta[name], rtol=1e-9)


def test_refuses_a_law_without_a_mean():
    with pytest.raises(DefinitionError, match=r"q is 0\.9"):
        MODEL.from_classic(6.0, 0.9, 15.0)


@pytest.mark.parametrize(("x", "mean"), [(1, 0.0), (1, -2.0), (1.5, 3.0), (-1, 3.0), (2, float("nan"))])
def test_refuses_rows_that_are_no_spend(x, mean):
    with pytest.raises(DataError, match="1 rows"):
        Spend.of([x, 1], [mean, 5.0])


def test_definitions_are_frozen_and_equal():
    assert GammaGamma() == MODEL
    assert hash(GammaGamma(**MODEL.settings())) == hash(MODEL)
    assert MODEL.source
    assert all(p.about for p in MODEL.parameters)
