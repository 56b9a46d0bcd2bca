"""What every registered purchase model must hold; a new model is tested here without a line added."""

import numpy as np
import pytensor.tensor as pt
import pytest
from scipy import special

from lifeworth.bayes.ops import PYTENSOR
from lifeworth.errors import DefinitionError
from lifeworth.purchases import PURCHASES, History

DRAWS = 50
every_model = pytest.mark.parametrize("model", [made() for made in PURCHASES.values()], ids=list(PURCHASES))


def histories(model) -> History:
    """A few customers: none, one, many repeats; bought last at once, long ago, today."""
    if model.unit == "opportunity":
        return History.of([0, 1, 1, 3, 6, 6], [0, 1, 6, 4, 6, 6], [6, 6, 6, 6, 6, 9])
    return History.of([0, 0, 1, 1, 4, 26, 26], [0, 0, 0.01, 0.7, 0.7, 0.9, 1.0], [0, 0.7, 0.7, 0.7, 0.7, 1.0, 1.0])


def extremes(model) -> History:
    """Histories at the edge of what businesses have."""
    if model.unit == "opportunity":
        return History.of([0, 0, 1, 60, 59], [0, 0, 1, 60, 59], [0, 60, 60, 60, 60])
    return History.of([0, 0, 1, 1, 3000, 3000, 3000], [0, 0, 0.001, 20, 0.5, 5, 5], [0, 20, 20, 20, 5, 5, 5.001])


def one_of(theta, i):
    return {name: float(value[i, 0]) for name, value in theta.items()}


def wild(model, prior_theta):
    """Prior draws, and the corners of the plausible intervals' tripled logits and logarithms."""
    spread = {}
    corners = np.array(np.meshgrid(*[[-1, 1]] * len(model.parameters))).reshape(len(model.parameters), -1)
    for p, sign in zip(model.parameters, corners, strict=True):
        location, sd = p.location_scale()
        spread[p.name] = p.natural(location + 3 * sd * sign)[:, None]
    drawn = prior_theta(model)
    return {name: np.concatenate([drawn[name], spread[name]]) for name in drawn}


def ages(model, customers):
    return np.full(customers, 6.0 if model.unit == "opportunity" else 0.75)


def ahead(model):
    return 4.0 if model.unit == "opportunity" else 1.5


def test_the_registry_knows_the_models_of_the_package():
    assert set(PURCHASES) == {"BGNBD", "MBGNBD", "ParetoNBD", "BGBB"}


@every_model
def test_the_likelihood_of_all_histories_is_one(model, medians):
    """Summed over frequencies and integrated over the times of purchases, or summed over the patterns of six."""
    theta = medians(model)
    if model.unit == "opportunity":
        pairs = [(0, 0)] + [(x, t) for t in range(1, 7) for x in range(1, t + 1)]
        x, t = np.array(pairs, dtype=float).T
        patterns = np.where(x > 0, special.binom(t - 1, x - 1), 1.0)
        total = (patterns * np.exp(model.log_likelihood(History(x, t, np.full(len(x), 6.0)), theta))).sum()
    else:
        age, nodes = 0.5, np.polynomial.legendre.leggauss(60)
        t, weight = age * (nodes[0] + 1) / 2, age * nodes[1] / 2
        total = np.exp(model.log_likelihood(History.of(0, 0, age), theta))[0]
        for x in range(1, 150):
            log_like = model.log_likelihood(History(np.full(60, x), t, np.full(60, age)), theta)
            total += (weight * np.exp(log_like + (x - 1) * np.log(t) - special.gammaln(x))).sum()
    assert total == pytest.approx(1, abs=1e-8)


@every_model
def test_everything_is_finite_at_the_extremes(model, prior_theta):
    theta, history = wild(model, prior_theta), extremes(model)
    assert np.isfinite(model.log_likelihood(history, theta)).all()
    alive = model.probability_alive(history, theta)
    assert alive.min() >= 0
    assert alive.max() <= 1
    expected = model.expected_purchases(history, theta, 5.0)
    assert np.isfinite(expected).all()
    assert expected.min() >= 0
    discounted = model.discounted_purchases(history, theta, 5.0, discount_rate_annual=0.12)
    assert (discounted <= expected * (1 + 1e-9)).all()
    assert (discounted >= expected * 1.12 ** -(5 / getattr(model, "opportunities_per_year", 1)) * (1 - 1e-6)).all()


@every_model
def test_numpy_and_pytensor_agree_and_the_gradient_is_finite(model, prior_theta):
    import pytensor
    import pytensor.tensor as pt

    theta = wild(model, prior_theta)
    symbols = {name: pt.dscalar(name) for name in theta}
    outputs = []
    for history in (histories(model), extremes(model)):
        log_like = model.log_likelihood(history, symbols, PYTENSOR)
        outputs += [log_like, *pytensor.grad(log_like.sum(), list(symbols.values()))]
    found = pytensor.function(list(symbols.values()), outputs, mode="FAST_COMPILE")
    for i in range(0, len(theta["dropout" if "dropout" in theta else "first_year_dropout"]), 3):
        values = one_of(theta, i)
        results = found(*values.values())
        half = len(results) // 2
        for history, part in ((histories(model), results[:half]), (extremes(model), results[half:])):
            np.testing.assert_allclose(part[0], model.log_likelihood(history, values), rtol=1e-7, atol=1e-7)
            assert np.isfinite(part[1:]).all(), values


@every_model
def test_the_gradient_is_the_slope(model, medians):
    import pytensor
    import pytensor.tensor as pt

    theta, history = medians(model), histories(model)
    symbols = {name: pt.dscalar(name) for name in theta}
    gradient = pytensor.grad(model.log_likelihood(history, symbols, PYTENSOR).sum(), list(symbols.values()))
    slopes = pytensor.function(list(symbols.values()), gradient, mode="FAST_COMPILE")(*theta.values())
    for name, slope in zip(theta, slopes, strict=True):
        step = 1e-5 * theta[name]
        up, down = ({**theta, name: theta[name] + sign * step} for sign in (1, -1))
        rise = model.log_likelihood(history, up).sum() - model.log_likelihood(history, down).sum()
        assert float(slope) == pytest.approx(rise / (2 * step), rel=1e-5, abs=1e-6)


@every_model
def test_draws_broadcast(model, prior_theta):
    theta, history = prior_theta(model), histories(model)
    horizon = np.arange(len(history.age)) + 1.0
    for method in (
        lambda at: model.log_likelihood(history, at),
        lambda at: model.probability_alive(history, at),
        lambda at: model.expected_purchases(history, at, horizon),
        lambda at: model.discounted_purchases(history, at, horizon, discount_rate_annual=0.1),
        lambda at: model.expected_purchases(history, at, 2.0),
    ):
        together = method(theta)
        assert together.shape == (DRAWS, len(history.age))
        for i in (0, DRAWS - 1):
            np.testing.assert_allclose(together[i], method(one_of(theta, i)), rtol=1e-8)
    assert model.expected_new(theta, horizon).shape == (DRAWS, len(horizon))


@every_model
def test_a_customer_who_bought_today_is_at_least_as_likely_active_as_one_who_bought_before(model, prior_theta):
    theta = prior_theta(model)
    times = np.arange(3.0, 10.0) if model.unit == "opportunity" else np.linspace(0.1, 1, 7)
    alive = model.probability_alive(History.of(3, times, times[-1]), theta)
    assert (np.diff(alive, axis=1) >= -1e-12).all()
    assert (alive[:, -1] > 0).all()


@every_model
def test_expected_purchases_rise_with_the_horizon_from_zero(model, prior_theta):
    theta, history = prior_theta(model), histories(model)
    expected = np.array([model.expected_purchases(history, theta, h) for h in (0.0, 1.0, 2.0, 5.0, 20.0)])
    np.testing.assert_allclose(expected[0], 0.0, atol=1e-15)
    assert (np.diff(expected, axis=0) > 0).all()


@every_model
def test_without_discounting_the_discounted_purchases_are_the_expected_ones(model, prior_theta):
    theta, history = prior_theta(model), histories(model)
    plain = model.expected_purchases(history, theta, 3.0)
    np.testing.assert_allclose(
        model.discounted_purchases(history, theta, 3.0, discount_rate_annual=0.0), plain, rtol=1e-9
    )


@every_model
def test_discounting_is_a_fine_sum_over_short_spans(model, medians):
    """Purchases of each span of a grid, discounted from its two ends, enclose the value."""
    theta, history, years = medians(model), histories(model), 5.0
    per_year = getattr(model, "opportunities_per_year", 1.0)
    times = np.arange(6.0) if model.unit == "opportunity" else np.linspace(0, years, 401)
    each = np.diff([model.expected_purchases(history, theta, t) for t in times], axis=0)
    late, early = (np.tensordot(1.12 ** (-at / per_year), each, 1) for at in (times[1:], times[:-1]))
    value = model.discounted_purchases(history, theta, years, discount_rate_annual=0.12)
    assert (value <= early * (1 + 1e-6)).all()
    assert (value >= late * (1 - 1e-6)).all()
    middle = late if model.unit == "opportunity" else (late + early) / 2
    np.testing.assert_allclose(value, middle, rtol=1e-6)


@every_model
def test_drawn_customers_follow_the_model(model, medians):
    """Frequencies, zeros and the mean of what comes after, of 100,000 customers, within 5 standard errors."""
    theta, rng, customers = medians(model), np.random.default_rng(3), 100_000
    history = model.draw_history(ages(model, customers), theta, rng)
    History.of(history.frequency, history.recency, history.age)
    age, more = history.age[0], ahead(model)

    def near(values, expected):
        assert abs(np.mean(values) - expected) < 5 * np.std(values) / np.sqrt(customers)

    near(history.frequency, model.expected_new(theta, age)[0])
    near(history.frequency == 0, np.exp(model.log_likelihood(History.of(0, 0, age), theta))[0])
    later = model.draw_purchases(history, theta, more, rng)
    gain = model.expected_new(theta, age + more)[0] - model.expected_new(theta, age)[0]
    near(later, gain)
    near(model.expected_purchases(history, theta, more), gain)  # the tower rule
    assert (later == np.floor(later)).all()


@every_model
def test_drawn_purchases_of_one_history_have_its_mean(model, medians):
    theta, history = medians(model), histories(model)
    many = {name: np.full((20_000, 1), value) for name, value in theta.items()}
    drawn = model.draw_purchases(history, many, ahead(model), np.random.default_rng(5))
    expected = model.expected_purchases(history, theta, ahead(model))
    assert drawn.shape == (20_000, len(history.age))
    error = drawn.std(axis=0) / np.sqrt(len(drawn))
    assert (np.abs(drawn.mean(axis=0) - expected) < 5 * error + 1e-12).all()


@every_model
def test_the_truth_is_found_again(model, medians, maximise):
    """Twice the gain in log likelihood over the truth is chi-squared with four degrees; beyond 23.5 once in 10,000."""
    theta = medians(model)
    age = np.tile(np.arange(1.0, 9.0) if model.unit == "opportunity" else np.linspace(0.5, 3, 8), 250)
    history = model.draw_history(age, theta, np.random.default_rng(8))
    found, best = maximise(model.parameters, lambda at: model.log_likelihood(history, at).sum())
    gain = 2 * (best - model.log_likelihood(history, theta).sum())
    assert 0 <= gain < 23.5
    spread = {p.name: p.location_scale()[1] for p in model.parameters}
    for p in model.parameters:
        moved = p._linked(found[p.name]) - p._linked(theta[p.name])
        assert abs(moved) < spread[p.name], p.name


@every_model
def test_classic_parameters_both_ways(model, prior_theta):
    theta = prior_theta(model)
    back = model.from_classic(**model.to_classic(theta))
    assert list(back) == [p.name for p in model.parameters]
    for name, value in back.items():
        np.testing.assert_allclose(value, theta[name], rtol=1e-9)


@every_model
@pytest.mark.parametrize("horizon", [-1.0, float("nan"), float("inf")])
def test_refuses_a_horizon_that_is_no_time_ahead(model, medians, horizon):
    with pytest.raises(DefinitionError, match="horizon"):
        model.expected_purchases(histories(model), medians(model), horizon)


@every_model
def test_refuses_a_discount_rate_below_zero(model, medians):
    with pytest.raises(DefinitionError, match="discount_rate_annual"):
        model.discounted_purchases(histories(model), medians(model), 1.0, discount_rate_annual=-0.1)


@every_model
def test_definitions_are_frozen_hashable_and_equal_by_settings(model):
    same = type(model)(**model.settings())
    assert same == model
    assert hash(same) == hash(model)
    assert type(model).__dataclass_params__.frozen


@every_model
def test_every_parameter_has_a_name_of_its_own_and_says_what_it_is(model):
    names = [p.name for p in model.parameters]
    assert len(set(names)) == len(names) == 4
    assert all(p.about for p in model.parameters)
    assert model.source


@every_model
def test_symbolic_histories_have_the_likelihood_of_numbers(model, medians):
    """Data that can be exchanged without compiling again; opportunities then need their largest number."""
    theta, history = medians(model), histories(model)
    most = 9 if model.unit == "opportunity" else None
    symbols = [pt.dvector(name) for name in ("frequency", "recency", "age")]
    log_like = model.log_likelihood(History(*symbols, most=most), theta, PYTENSOR)
    found = log_like.eval(dict(zip(symbols, (history.frequency, history.recency, history.age), strict=True)))
    np.testing.assert_allclose(found, model.log_likelihood(history, theta), rtol=1e-9, atol=1e-12)


@every_model
def test_a_path_has_the_law_of_its_ends(model, medians):
    """Whole numbers that do not fall, with the expectation of each horizon."""
    theta = {name: np.full((4000, 1), value) for name, value in medians(model).items()}
    history, times = histories(model), np.array([[1.0], [2.0], [5.0]])
    path = model.draw_path(history, theta, times, np.random.default_rng(6))
    assert (np.diff(path, axis=0) >= 0).all()
    assert (path == np.floor(path)).all()
    one = {name: value[:1] for name, value in theta.items()}
    for drawn, time in zip(path, times[:, 0], strict=True):
        error = np.maximum(drawn.std(axis=0) / np.sqrt(len(drawn)), 1e-9)
        assert (np.abs(drawn.mean(axis=0) - model.expected_purchases(history, one, time)[0]) < 4.5 * error + 1e-6).all()
