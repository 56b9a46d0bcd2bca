"""The walk as PyMC declares it: its exact law, in both forms, against plain loops."""

import numpy as np
import pymc as pm
import pytest
from scipy import stats

from lifeworth._parameters import Parameter, Walk
from lifeworth._walk import Stand, walked
from lifeworth.bayes.priors import declare
from lifeworth.bayes.walks import declare_walk

SIZE = 6
SEEN = {"all": np.ones(SIZE), "late": np.array([0.0, 0, 1, 1, 1, 1]), "one": np.array([0.0, 0, 0, 0, 0, 1])}
LAWS = [("m", 0.5), ("m", 0.0), (None, 0.5), (None, 0.9)]
SD, MOMENTUM = 0.17, 0.4

every_law = pytest.mark.parametrize(("momentum", "reaction"), LAWS)
every_window = pytest.mark.parametrize("seen", SEEN.values(), ids=list(SEEN))


def steps(walk):
    return Parameter("x", "identity", (-1.645, 1.645), "", size=SIZE, scale="sd", walk=walk)


@pytest.fixture(scope="module")
def built():
    """Both potentials and the steps, as functions of raw, by law: compiled once."""
    made = {}
    for momentum, reaction in LAWS:
        with pm.Model() as model:
            sd = pm.Flat("sd")
            share = pm.Flat("m")
            steps = Parameter(
                "x", "identity", (-1.645, 1.645), "", size=SIZE, scale="sd", walk=Walk(momentum, reaction)
            )
            value = declare_walk(steps, {"sd": sd, "m": share})
        (potential,) = model.potentials
        fn = pm.compile([model["x_raw"], sd, share], [potential, value], on_unused_input="ignore", mode="FAST_COMPILE")
        made[momentum, reaction] = model, fn
    return made


def at(built, law, raw, seen, *, centred, sd=SD, momentum=MOMENTUM):
    """Log density of raw without constants, and the steps."""
    model, fn = built[law]
    with model:
        pm.set_data({"x_observed": seen, "x_centred": np.array([float(centred)])})
    density, found = fn(np.asarray(raw, dtype=float), sd, momentum)
    return float(density), np.asarray(found)


def innovations_of(taken, seen, momentum, reaction, sd=SD):
    """Innovations and their sds of the steps that count, one at a time."""
    last, variance, found = 0.0, sd**2, []
    for step in np.asarray(taken)[seen > 0]:
        innovation = step - momentum * last
        found.append((innovation, np.sqrt(variance)))
        variance = (1 - reaction) * variance + reaction * innovation**2
        last = step
    return np.array(found).T


def constant(n):
    return -0.5 * n * np.log(2 * np.pi)


@every_window
@every_law
def test_centred_the_density_is_that_of_the_innovations(built, momentum, reaction, seen):
    """And of a standard normal for the steps before the walk began."""
    raw = np.random.default_rng(1).normal(0, 0.2, SIZE)
    density, _ = at(built, (momentum, reaction), raw, seen, centred=True)
    innovations, sds = innovations_of(raw, seen, MOMENTUM if momentum else 0.0, reaction)
    expected = stats.norm.logpdf(innovations, 0, sds).sum() + stats.norm.logpdf(raw[seen == 0]).sum()
    assert density + constant(SIZE) == pytest.approx(expected, rel=1e-10)


@every_window
@every_law
def test_not_centred_raw_is_standard_normal(built, momentum, reaction, seen):
    raw = np.random.default_rng(2).normal(size=SIZE)
    density, _ = at(built, (momentum, reaction), raw, seen, centred=False)
    assert density + constant(SIZE) == pytest.approx(stats.norm.logpdf(raw).sum(), rel=1e-10)


@every_window
@every_law
def test_not_centred_the_steps_are_the_walk_of_its_innovations(built, momentum, reaction, seen):
    raw = np.random.default_rng(3).normal(size=SIZE)
    _, found = at(built, (momentum, reaction), raw, seen, centred=False)
    stand = Stand(np.array(0.0), np.array(SD**2))
    share = np.array(MOMENTUM if momentum else 0.0)
    np.testing.assert_allclose(found[seen > 0], walked(raw[seen > 0], stand, share, reaction), rtol=1e-10)


@every_law
@pytest.mark.parametrize("centred", [False, True])
def test_steps_before_the_walk_began_are_zero(built, momentum, reaction, centred):
    _, found = at(built, (momentum, reaction), np.full(SIZE, 2.0), SEEN["late"], centred=centred)
    assert found[:2].tolist() == [0.0, 0.0]
    assert (found[2:] != 0).all()


@every_law
def test_centred_the_steps_are_what_is_sampled(built, momentum, reaction):
    raw = np.random.default_rng(4).normal(size=SIZE)
    _, found = at(built, (momentum, reaction), raw, SEEN["all"], centred=True)
    np.testing.assert_array_equal(found, raw)


@every_law
@pytest.mark.parametrize(("sd", "momentum_value"), [(0.17, 0.4), (0.02, 0.9), (0.8, 0.05)])
def test_both_forms_believe_the_same(built, momentum, reaction, sd, momentum_value):
    """Density of the steps is that of raw over the determinant of the change, here by central differences."""
    law, rng = (momentum, reaction), np.random.default_rng(5)
    raw, values = rng.normal(size=SIZE), {"sd": sd, "momentum": momentum_value}

    def steps_at(raw):
        return at(built, law, raw, SEEN["all"], centred=False, **values)[1]

    h = 1e-5
    change = np.stack([(steps_at(raw + h * e) - steps_at(raw - h * e)) / (2 * h) for e in np.eye(SIZE)], axis=1)
    sign, log_determinant = np.linalg.slogdet(change)
    assert sign == 1
    plain, _ = at(built, law, raw, SEEN["all"], centred=False, **values)
    centred, _ = at(built, law, steps_at(raw), SEEN["all"], centred=True, **values)
    assert centred == pytest.approx(plain - log_determinant, abs=1e-6)


@pytest.mark.parametrize("centred", [0.0, 1.0])
def test_the_gradient_is_finite_where_the_other_form_would_overflow(centred):
    """The form that is not in use must not spoil the gradient of the one that is: an sd of 1e-30 and raw of order 1."""
    sd = Parameter("sd", "half", (0.0, 0.3), "")
    m = Parameter("m", "logit", (0.1, 0.75), "")
    with pm.Model() as model:
        declare((sd, m, steps(Walk("m", 0.5))))
        pm.set_data({"x_centred": np.array([centred])})
    raw = np.random.default_rng(6).normal(size=SIZE)
    point = {"sd_log__": np.log(1e-30 if centred == 0 else 0.1), "m_logit": -30.0, "x_raw": raw}
    gradient = model.compile_dlogp()(model.initial_point() | {k: np.asarray(v) for k, v in point.items()})
    assert np.isfinite(gradient).all()


def test_a_parameter_without_a_law_is_no_walk():
    with pytest.raises(TypeError, match="x is no walk"), pm.Model():
        declare_walk(steps(None), {"sd": 1.0})
