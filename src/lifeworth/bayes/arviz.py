"""Draws in ArviZ's own form."""

from __future__ import annotations

import numpy as np
import xarray as xr

from lifeworth.indexing import merged
from lifeworth.model import binomial_log_pmf, log_retention
from lifeworth.results import Fit


def to_arviz(fit: Fit) -> xr.DataTree:
    """DataTree with posterior, log_likelihood and observed_data of the logo hazard, and the other parts' posteriors."""
    groups = {"posterior": fit.draws["logo"]}
    groups |= {f"{part}_posterior": fit.draws[part] for part in fit.draws if part != "logo"}
    if fit.model.pooling != "none":
        cells = merged(fit.table, fit.index, fit.model.uses)
        sizes = fit.draws["logo"].sizes
        stay = log_retention(
            fit.model.churn, fit.model.effects, fit.theta("logo"), fit.index.cells(cells), fit.index.shape.tenures
        )
        n, d = cells["at_risk"].to_numpy(), cells["churned"].to_numpy()
        pointwise = binomial_log_pmf(np.exp(stay), n, d).reshape(sizes["chain"], sizes["draw"], len(cells))
        at = {name: ("cell", cells[name].to_numpy()) for name in ("tenure", "segment", "cohort", "bucket")}
        groups["log_likelihood"] = xr.Dataset({"churned": (("chain", "draw", "cell"), pointwise)}, coords=at)
        seen = {"churned": ("cell", d.astype(np.int64)), "at_risk": ("cell", n.astype(np.int64))}
        groups["observed_data"] = xr.Dataset(seen, coords=at)
    return xr.DataTree.from_dict(groups)
