"""Convergence of the draws."""

from __future__ import annotations

from collections.abc import Mapping

import arviz as az
import numpy as np
import pandas as pd
import xarray as xr


def diagnose(draws: Mapping[str, xr.Dataset], divergences: Mapping[str, int]) -> pd.DataFrame:
    """Largest R-hat, least effective sizes and divergences of each part.

    A quantity that does not vary (none is fitted) counts as converged.
    """
    rows = []
    for part, dataset in draws.items():
        with np.errstate(invalid="ignore", divide="ignore"):  # of what does not vary
            extremes = {
                "r_hat": _worst(az.rhat(dataset), np.nanmax, 1.0),
                "ess_bulk": _worst(az.ess(dataset, method="bulk"), np.nanmin, np.inf),
                "ess_tail": _worst(az.ess(dataset, method="tail"), np.nanmin, np.inf),
            }
        total = int(dataset.sizes["chain"] * dataset.sizes["draw"] * dataset.sizes.get("unit", 1))
        rows.append({"part": part, **extremes, "divergences": divergences[part], "draws": total})
    return pd.DataFrame(rows)


def _worst(statistic: xr.Dataset, reduce: object, none: float) -> float:
    values = [np.ravel(v.to_numpy()) for v in statistic.data_vars.values()]
    every = np.concatenate(values) if values else np.array([])
    finite = every[np.isfinite(every)]
    return float(reduce(finite)) if len(finite) else none  # type: ignore[operator]
