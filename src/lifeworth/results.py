"""What fitting and valuing give back: frozen values that load and work without PyMC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from lifeworth._ops import Array
from lifeworth.indexing import TableIndex
from lifeworth.ledger import CohortTable
from lifeworth.model import Model

if TYPE_CHECKING:
    from pathlib import Path

type Verdict = Literal["PASS", "WARN", "FAIL"]
type Weight = Literal["logo", "money"]


@dataclass(frozen=True, slots=True)
class SamplerOptions:
    """How NUTS is run.

    Parameters
    ----------
    draws, tune : int
        Draws kept and spent on tuning, per chain.
    chains : int
        Independent chains.
    target_accept : float
        Higher is slower and diverges less.
    cores : int, optional
        Chains at once; None uses what the machine has.
    progress : bool
        Show a bar while sampling.
    """

    draws: int = 1000
    tune: int = 500
    chains: int = 4
    target_accept: float = 0.95
    cores: int | None = None
    progress: bool = False


@dataclass(frozen=True, slots=True)
class Diagnostics:
    """Whether the draws can be relied on.

    `table` has one row per part of the model (logo, money, expansion): the largest R-hat, the smallest bulk and
    tail effective sample sizes, divergences and draws. PASS: R-hat <= 1.01, both sizes >= 400 and no divergence in
    every part. WARN: R-hat <= 1.05, sizes >= 100, divergences in at most 0.5% of draws. FAIL: anything else.
    """

    table: pd.DataFrame

    @property
    def verdict(self) -> Verdict:
        """The worst of the parts."""
        t = self.table
        if _within(t, 1.01, 400, 0.0):
            return "PASS"
        return "WARN" if _within(t, 1.05, 100, 0.005) else "FAIL"

    @property
    def mixed(self) -> bool:
        """Whether the chains agree and hardly diverge: what else is missing, more draws would bring."""
        return _within(self.table, 1.05, 0, 0.005)

    def __str__(self) -> str:
        """One line for logs and prints."""
        t = self.table
        least = t[["ess_bulk", "ess_tail"]].min().min()
        return (
            f"{self.verdict}: R-hat <= {t['r_hat'].max():.3f}, least ESS {least:.0f}, "
            f"{int(t['divergences'].sum())} divergences in {int(t['draws'].sum())} draws"
        )


def _within(table: pd.DataFrame, r_hat: float, ess: float, diverging: float) -> bool:
    least = table[["ess_bulk", "ess_tail"]].min().min()
    share = (table["divergences"] / table["draws"]).max()
    return bool(table["r_hat"].max() <= r_hat and least >= ess and share <= diverging)


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A model fitted to a cohort table.

    Parameters
    ----------
    model : Model
        What was fitted.
    table : CohortTable
        The cells it was fitted to; no customer rows.
    index : TableIndex
        Labels behind the positions in the draws.
    draws : mapping of str to Dataset
        `logo`, and where the table has money `money` and `expansion`; dims chain, draw, and for pooling "none"
        unit (cohort and segment).
    diagnostics : Diagnostics
        Convergence, with a verdict.
    seed : int
        The seed that gives these draws again.
    options : SamplerOptions
        How they were drawn.
    notes : tuple of str
        What the reader should know of this fit, as warned when it was made.
    version : str
        Version of lifeworth that made it.
    """

    model: Model
    table: CohortTable
    index: TableIndex
    draws: dict[str, xr.Dataset]
    diagnostics: Diagnostics
    seed: int
    options: SamplerOptions
    notes: tuple[str, ...] = ()
    version: str = ""

    @property
    def weights(self) -> tuple[Weight, ...]:
        """The hazards that were fitted: by accounts, and by money where the table has it."""
        return ("logo", "money") if "money" in self.draws else ("logo",)

    @property
    def units(self) -> list[tuple[str, tuple[str, ...]]]:
        """Cohort and segment of each position of the dim `unit`, for pooling "none"; else one empty unit."""
        if self.model.pooling != "none":
            return [("", ())]
        return [(c, s) for c in self.index.cohorts for s in self.index.segments]

    def theta(self, part: str, *, unit: int | None = None, thin: int = 1) -> dict[str, Array]:
        """Draws of one part as the definitions read them: (chains x draws, 1) or (chains x draws, size)."""
        kept = self.draws[part].isel(draw=slice(None, None, thin))
        if unit is not None and "unit" in kept.dims:
            kept = kept.isel(unit=unit)
        return theta_of(kept)

    def summary(self, probability: float = 0.8) -> pd.DataFrame:
        """Posterior of every scalar parameter: mean and the central interval of the probability asked for.

        Returns
        -------
        DataFrame
            Columns part, parameter, unit (pooling "none"), mean, low, high, about.
        """
        about = {p.name: p.about for p in self.parameters()}
        rows = []
        for part, dataset in self.draws.items():
            scalars = dataset[[n for n, v in dataset.data_vars.items() if set(v.dims) <= {"chain", "draw", "unit"}]]
            tail = (1 - probability) / 2
            quantiles = scalars.quantile([tail, 1 - tail], dim=("chain", "draw"))
            mean = scalars.mean(dim=("chain", "draw"))
            for name in scalars.data_vars:
                frame = pd.DataFrame(
                    {
                        "mean": np.atleast_1d(mean[name].to_numpy()),
                        "low": np.atleast_1d(quantiles[name].to_numpy()[0]),
                        "high": np.atleast_1d(quantiles[name].to_numpy()[1]),
                    }
                )
                frame.insert(0, "part", part)
                frame.insert(1, "parameter", str(name))
                if "unit" in scalars[name].dims:
                    frame.insert(2, "unit", [" ".join((c, *s)) for c, s in self.units])
                rows.append(frame.assign(about=about.get(str(name), "")))
        return pd.concat(rows, ignore_index=True)

    def parameters(self) -> tuple[Any, ...]:
        """Every parameter of the model, with the priors in force."""
        shape = self.index.alone().shape if self.model.pooling == "none" else self.index.shape
        return (*self.model.hazard_parameters(shape), *self.model.expansion_parameters(shape))

    def to_arviz(self) -> Any:
        """The draws as an ArviZ DataTree: posterior, log_likelihood and observed_data of the logo hazard.

        `money_posterior` and `expansion_posterior` hold the other parts.
        """
        from lifeworth.bayes.arviz import to_arviz

        return to_arviz(self)

    def save(self, path: str | Path) -> None:
        """Write the fit to a folder: `fit.json` and `draws.nc` (netCDF). `lifeworth.load` reads it back."""
        from lifeworth.store import save_fit

        save_fit(self, path)

    def __repr__(self) -> str:
        """What was fitted, to what, and whether it can be relied on."""
        return (
            f"Fit({type(self.model.churn).__name__} + {[type(e).__name__ for e in self.model.effects]}, "
            f"{type(self.model.expansion).__name__}, pooling={self.model.pooling!r}; "
            f"{len(self.index.cohorts)} cohorts x {len(self.index.segments)} segments; {self.diagnostics})"
        )


def theta_of(draws: xr.Dataset) -> dict[str, Array]:
    """Draws as the definitions read them: (chains x draws, 1) or (chains x draws, size)."""
    return {str(name): _rows(values) for name, values in draws.data_vars.items()}


def _rows(values: xr.DataArray) -> Array:
    flat = values.transpose("chain", "draw", ...).to_numpy()
    flat = flat.reshape(flat.shape[0] * flat.shape[1], -1)
    return np.ascontiguousarray(flat)
