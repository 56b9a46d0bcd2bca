"""Leave-future-out scores: how much probability a fit gave to the accounts that left in the buckets after it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import special

from lifeworth.backtesting.ahead import cell_groups, forecaster
from lifeworth.forecasting.forecaster import stay_draws
from lifeworth.forecasting.groups import Floats
from lifeworth.indexing import segment_labels
from lifeworth.model import binomial_log_pmf
from lifeworth.results import Fit


def future_log_density(fit: Fit, held: pd.DataFrame) -> pd.DataFrame:
    """Joint log predictive density of the accounts lost in held-out cells, given how many were at risk.

    The log of the mean over draws of the product over cells of Binomial(churned | at_risk, hazard): each draw has one
    future calendar, which all cells of the unit share. All draws are used; where a unit holds many accounts only those
    near what happened count, and the mean is as noisy as they are few.

    Parameters
    ----------
    fit : Fit
        Made without the held-out cells.
    held : DataFrame
        From `ahead.held_out_cells`.

    Returns
    -------
    DataFrame
        The `by` columns and log_density, in nats: one row a segment, and one for all cells together ("all").

    Source: Bürkner, Gabry & Vehtari (2020), J. Statistical Computation and Simulation 90; refitted, not approximated.
    """
    groups, by = cell_groups(fit, held), fit.table.by
    sizes = fit.draws["logo"].sizes
    stay = stay_draws(forecaster(fit, (groups, 1), draws=sizes["chain"] * sizes["draw"]), groups)
    log_pmf = binomial_log_pmf(stay, held["at_risk"].to_numpy(dtype=float), held["churned"].to_numpy(dtype=float))
    labels = segment_labels(held, by)
    units = {("all",) * len(by): np.ones(len(held), dtype=bool)}
    if by:
        units |= {segment: np.array([label == segment for label in labels]) for segment in sorted(set(labels))}
    rows = [
        {**dict(zip(by, label, strict=True)), "log_density": _log_mean_exp(log_pmf[:, at].sum(axis=1))}
        for label, at in units.items()
    ]
    return pd.DataFrame(rows)


def _log_mean_exp(values: Floats) -> float:
    return float(special.logsumexp(values) - np.log(len(values)))
