"""PyMC models from definitions: everything a table can change is data, so that one compilation serves many."""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from numpy.typing import NDArray

from lifeworth._ops import Array
from lifeworth.bayes.ops import PYTENSOR
from lifeworth.bayes.priors import declare
from lifeworth.effects import CellIndex, Shape
from lifeworth.expansion.variation import DIRECTIONS, log_level, log_shift
from lifeworth.model import Model, log_likelihood, log_retention

POSITIONS = ("tenure", "segment", "cohort", "bucket")


def hazard_model(model: Model, shape: Shape) -> pm.Model:
    """The churn of the cells: `churned ~ Binomial(at_risk, hazard)`, effective counts allowed."""
    with pm.Model() as built:
        data: dict[str, Any] = {name: _positions(name) if name in model.uses else None for name in POSITIONS}
        calendar = None
        if "bucket" in model.uses:
            calendar = pm.Data("calendar_loading", np.zeros((shape.buckets - 1, shape.buckets)))
        at_risk, churned = _vector("at_risk"), _vector("churned")
        traits: dict[str, Any] = {}
        if "levels" in model.uses:
            traits["levels"] = {name: _positions(f"by_{name}") for name, _ in shape.columns}
        if "term" in model.uses:
            traits["term"] = _positions("term")
        theta = declare(model.hazard_parameters(shape))
        cells = CellIndex(**data, calendar=calendar, segments=shape.segments, **traits)
        stay = log_retention(model.churn, model.effects, theta, cells, shape.tenures, PYTENSOR)
        pm.Potential("churn", log_likelihood(stay, at_risk, churned, PYTENSOR).sum())
    return built


def expansion_model(model: Model, shape: Shape) -> pm.Model:
    """The growth of the survivors' money: effective jumps are Poisson given the rate and the bucket's shock.

    The Gamma shock of each segment in each bucket is summed out. What is known of the innovations of churn is data:
    their means and standard errors.
    """
    groups = shape.segments * shape.buckets
    with pm.Model() as built:
        tenure, segment, group = (_positions(name) for name in ("tenure", "segment", "group"))
        theta = declare(model.expansion_parameters(shape))
        innovation = 0.0
        if "innovation_error" in theta:
            known = _vector("innovation_mean") + _vector("innovation_sd") * theta["innovation_error"]
            innovation = known[group % shape.buckets]
        years = np.arange(shape.tenures) * shape.months_per_period / 12
        for direction, annual in zip(DIRECTIONS, model.expansion.rates(years, theta, PYTENSOR), strict=True):
            exposure, events = _vector(f"{direction}_exposure"), _vector(f"{direction}_events")
            log_rate = pt.log(pt.take(annual, tenure)) + log_level(direction, theta, segment, PYTENSOR)
            log_rate = log_rate + log_shift(direction, theta, innovation)
            expected = _sum_by(group, exposure * pt.exp(log_rate), groups)
            seen = _sum_by(group, events, groups)
            shape_ = theta[f"{direction}_shock_sd"] ** -2
            summed_out = pt.gammaln(shape_ + seen) - pt.gammaln(shape_) - seen * pt.log(shape_ + expected)
            summed_out = summed_out - shape_ * pt.log1p(expected / shape_)
            pm.Potential(direction, (events * log_rate).sum() + summed_out.sum())
    return built


def cell_data(cells: CellIndex, uses: frozenset[str]) -> dict[str, NDArray[Any]]:
    """The data of `hazard_model` that say where the cells stand."""
    data = {f"{name}_position": getattr(cells, name) for name in POSITIONS if name in uses}
    if "bucket" in uses:
        data["calendar_loading"] = cells.calendar
    if "levels" in uses:
        data |= {f"by_{name}_position": at for name, at in cells.levels.items()}
    if "term" in uses:
        data["term_position"] = cells.term
    return data


def _sum_by(group: Array, values: Array, groups: int) -> Array:
    return pt.inc_subtensor(pt.zeros(groups)[group], values)


def _positions(name: str) -> Array:
    return pm.Data(f"{name}_position", np.zeros(1, dtype=np.int64), shape=(None,))


def _vector(name: str) -> Array:
    return pm.Data(name, np.zeros(1), shape=(None,))
