"""What every registered effect must hold; a new effect is tested here without a line added."""

from dataclasses import replace

import numpy as np
import pytest

from lifeworth._ops import NUMPY
from lifeworth._parameters import draw_prior
from lifeworth.bayes.ops import PYTENSOR
from lifeworth.effects import EFFECTS, CellIndex, Shape, calendar_loading

SHAPE = Shape(
    segments=6,
    cohorts=4,
    buckets=5,
    tenures=24,
    months_per_period=1,
    months_per_bucket=3,
    columns=(("channel", 2), ("risk", 3)),
    longest_term=12,
)
DRAWS, CELLS = 30, 200
POSITIONS = {"tenure", "segment", "cohort", "bucket", "levels", "term"}

every_effect = pytest.mark.parametrize("effect", [made() for made in EFFECTS.values()], ids=list(EFFECTS))


def traits(segment):
    """What a segment brings along: its value in each column, and the term of its contracts."""
    return {"levels": {"channel": segment // 3, "risk": segment % 3}, "term": np.array([1, 12, 1, 3, 12, 12])[segment]}


def cells():
    rng = np.random.default_rng(0)
    sizes = {"tenure": 24, "segment": 6, "cohort": 4, "bucket": 5}
    columns = {name: rng.integers(size, size=CELLS) for name, size in sizes.items()}
    at = calendar_loading(np.full(5, 0.2))
    return CellIndex(**columns, calendar=at, segments=6, **traits(columns["segment"]))


def moved(whole, name):
    """The cells with one position zero, or one where zero means nothing; a segment takes what it brings along."""
    nowhere = np.zeros(CELLS, int)
    changes = {
        "segment": {"segment": nowhere, **traits(nowhere)},
        "levels": {"levels": dict.fromkeys(whole.levels, nowhere)},
        "term": {"term": nowhere + 1},
    }
    return replace(whole, **changes.get(name, {name: nowhere}))


def prior_theta(effect):
    return draw_prior(effect.parameters(SHAPE), np.random.default_rng(1), DRAWS)


def one_of(theta, i):
    return {name: value[i] if value.shape[1] > 1 else float(value[i, 0]) for name, value in theta.items()}


def test_the_registry_knows_the_effects_of_the_package():
    assert set(EFFECTS) >= {"Segments", "Crossed", "CalendarWalk", "Season", "Shock", "CohortDecay", "Renewal"}


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
    assert effect.uses <= POSITIONS
    for name in POSITIONS - effect.uses:
        np.testing.assert_array_equal(effect.eta(theta, moved(whole, name)), before)
    for name in effect.uses:
        assert not np.array_equal(effect.eta(theta, moved(whole, name)), before), name


@every_effect
def test_uses_the_segment_where_it_reads_what_a_segment_brings_along(effect):
    """Cells are merged by position: without the segment those of several terms would be one."""
    assert not effect.uses & {"levels", "term"} or "segment" in effect.uses


@every_effect
def test_keeps_no_state_and_changes_nothing_it_is_given(effect):
    theta, whole = prior_theta(effect), cells()
    given = {name: value.copy() for name, value in theta.items()}
    first = effect.eta(theta, whole).copy()
    effect.eta({name: value + 1 for name, value in theta.items()}, moved(whole, "tenure"))
    np.testing.assert_array_equal(effect.eta(theta, whole), first)
    assert theta.keys() == given.keys()
    for name, value in given.items():
        np.testing.assert_array_equal(theta[name], value)


@every_effect
def test_has_nothing_to_fit_where_nothing_can_be_told_apart(effect):
    alone = replace(SHAPE, segments=1, cohorts=1, buckets=1, columns=(), longest_term=1)
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
