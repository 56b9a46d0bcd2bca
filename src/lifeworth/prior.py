"""What a model says before it has seen how many left: draws from the prior, on the cells of a table."""

from __future__ import annotations

import numpy as np
import xarray as xr

from lifeworth._parameters import Priors, draw_prior
from lifeworth.churn import ChurnCurve, Smooth
from lifeworth.effects import Effect
from lifeworth.expansion import Flat
from lifeworth.indexing import TableIndex
from lifeworth.ledger import CohortTable
from lifeworth.model import DEFAULT_EFFECTS, Model, freeze_priors, identified, log_retention


def prior_predictive(
    table: CohortTable,
    *,
    churn: ChurnCurve = Smooth(),
    effects: tuple[Effect, ...] = DEFAULT_EFFECTS["partial"],
    priors: Priors | None = None,
    draws: int = 500,
    seed: int = 0,
) -> xr.Dataset:
    """Draws of hazard and of churned accounts from the prior alone, for the cells of a table.

    Parameters
    ----------
    table : CohortTable
        Only its at_risk and labels are read.
    churn, effects, priors
        As in `fit`.
    draws : int
    seed : int

    Returns
    -------
    Dataset
        `hazard` and `churned`, dims draw, cell; the coordinates say which cell: cohort, the `by` columns, tenure,
        bucket.
    """
    index = TableIndex.of(table)
    model = Model(churn, identified(effects, index.shape), Flat(), priors=freeze_priors(priors))
    model.check(index.shape)
    rng = np.random.default_rng(seed)
    theta = draw_prior(model.hazard_parameters(index.shape), rng, draws)
    cells = index.cells(index.positions(table.frame, table.by))
    hazard = -np.expm1(log_retention(model.churn, model.effects, theta, cells, index.shape.tenures))
    at_risk = table.frame["at_risk"].to_numpy(dtype=np.int64)
    labels = {name: ("cell", table.frame[name].to_numpy()) for name in ("cohort", *table.by, "tenure", "bucket")}
    churned = rng.binomial(at_risk, np.clip(hazard, 0.0, 1.0))
    return xr.Dataset({"hazard": (("draw", "cell"), hazard), "churned": (("draw", "cell"), churned)}, coords=labels)
