"""What every registered effect must hold; a new effect is tested here without a line added."""

from dataclasses import replace

import numpy as np
import pytest

from lifeworth._ops import NUMPY
from lifeworth._parameters import draw_prior
from lifeworth.bayes.ops import PYTENSOR
from lifeworth.effects import EFFECTS, CellIndex, Shape, calendar_loading

SHAPE = Shape(segments=3, cohorts=4, buckets=5, tenures=24, months_per_period=1, months_per_bucket=3)
DRAWS, CELLS = 30, 200

every_effect = pytest.mark.parametrize("effect", [made() for made in EFFECTS.values()], ids=list(EFFECTS))


def cells(seed=0, **fixed):
    rng = np.random.default_rng(seed)
    sizes = {"tenure": 24, "segment": 3, "cohort": 4, "bucket": 5}
    columns = {name: rng.integers(size, size=CELLS) for name, size in sizes.items()} | fixed
    return CellIndex(**columns, calendar=calendar_loading(np.full(5, 0.2)))


def prior_theta(effect):
    return draw_prior(effect.parameters(SHAPE), np.random.default_rng(1), DRAWS)


def one_of(theta, i):
    return {name: value[i] if value.shape[1] > 1 else float(value[i, 0]) for name, value in theta.items()}


def test_the_registry_knows_the_effects_of_the_package():
    assert {"Segments", "CalendarWalk", "CohortDecay"} <= set(EFFECTS)


@every_effect
def test_numpy_and_pytensor_agree(effect):
    import pytensor.tensor as pt

    for i in range(3):
        theta = one_of(prior_theta(effect), i)
        symbolic = {name: pt.as_tensor_variable(value) for name, value in theta.items()}
        ours = effect.eta(theta, cells(), NUMPY)
        assert ours.shape == (CELLS,)
        np.testing.assert_allclose(effect.eta(symbolic, cells(), PYTENSOR).eval(), ours, rtol=1e-9, atol=1e-12)


@every_effect
def test_draws_broadcast(effect):
    theta = prior_theta(effect)
    together = effect.eta(theta, cells())
    assert together.shape == (DRAWS, CELLS)
    for i in (0, DRAWS - 1):
        np.testing.assert_allclose(together[i], effect.eta(one_of(theta, i), cells()), rtol=1e-12)


@every_effect
def test_moves_the_hazard_at_all(effect):
    eta = effect.eta(prior_theta(effect), cells())
    assert np.isfinite(eta).all()
    assert eta.std(axis=1).min() > 0


@every_effect
def test_reads_only_the_positions_it_says_it_uses(effect):
    theta, whole = prior_theta(effect), cells()
    before = effect.eta(theta, whole)
    for name in {"tenure", "segment", "cohort", "bucket"} - effect.uses:
        np.testing.assert_array_equal(effect.eta(theta, replace(whole, **{name: np.zeros(CELLS, int)})), before)
    for name in effect.uses:
        moved = replace(whole, **{name: np.zeros(CELLS, int)})
        assert not np.array_equal(effect.eta(theta, moved), before)


@every_effect
def test_has_nothing_to_fit_where_nothing_can_be_told_apart(effect):
    alone = replace(SHAPE, segments=1, cohorts=1, buckets=1)
    assert effect.parameters(alone) == ()
    single = CellIndex(*(np.zeros(3, int),) * 4, calendar=np.zeros((0, 1)))
    assert np.all(effect.eta({}, single) == 0)


@every_effect
def test_definitions_are_frozen_hashable_and_equal_by_settings(effect):
    same = type(effect)(**effect.settings())
    assert same == effect
    assert hash(same) == hash(effect)
    assert type(effect).__dataclass_params__.frozen
    assert effect.about


@every_effect
def test_parameters_name_their_scale_first_and_say_what_they_are(effect):
    seen = set()
    for p in effect.parameters(SHAPE):
        assert p.about
        assert p.name not in seen
        assert p.scale is None or p.scale in seen
        seen.add(p.name)
