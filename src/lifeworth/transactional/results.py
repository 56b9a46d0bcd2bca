"""PurchaseFit: a transactional model fitted to a purchase table; loads and works without PyMC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from lifeworth._ops import Array
from lifeworth._parameters import Parameter
from lifeworth.ledger import PurchaseTable
from lifeworth.purchases import GammaGamma, History
from lifeworth.results import Diagnostics, SamplerOptions, theta_of
from lifeworth.transactional.drift import Buckets
from lifeworth.transactional.model import CustomerIndex, TransactionalModel, by_group, histories

if TYPE_CHECKING:
    from pathlib import Path

_BLOCK = 100
"""Draws whose likelihood of every row is held at once."""


@dataclass(frozen=True, slots=True, eq=False)
class PurchaseFit:
    """A transactional model fitted to a purchase table.

    Parameters
    ----------
    model : TransactionalModel
        What was fitted.
    table : PurchaseTable
        The distinct histories it was fitted to; no customer rows.
    index : CustomerIndex
        Labels behind the positions in the draws.
    draws : mapping of str to Dataset
        `purchases`, `spend`, and `drift` where the rate drifts over the calendar; dims chain, draw, and for pooling
        "none" unit (cohort and segment).
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
    buckets : Buckets, optional
        What the drift was read from, and the pace at which the histories are read; None without drift.
    """

    model: TransactionalModel
    table: PurchaseTable
    index: CustomerIndex
    draws: dict[str, xr.Dataset]
    diagnostics: Diagnostics
    seed: int
    options: SamplerOptions
    notes: tuple[str, ...] = ()
    version: str = ""
    buckets: Buckets | None = None

    @property
    def history(self) -> History:
        """The rows of the table in the unit of the purchase model, read at the pace of the purchases."""
        return histories(self.model.purchases, self.table, self.buckets)

    @property
    def units(self) -> list[tuple[str, tuple[str, ...]]]:
        """Every cohort and segment, cohort by cohort."""
        return [(cohort, segment) for cohort in self.index.cohorts for segment in self.index.segments]

    def unit_of(self, frame: pd.DataFrame) -> Array:
        """Position in `units` of each row of a frame with the table's keys."""
        segment, cohort = self.index.positions(frame)
        return cohort * len(self.index.segments) + segment

    def theta(self, part: str, *, thin: int = 1) -> dict[str, Array]:
        """Parameters of `purchases` or `spend` of every unit: (chains x draws, units), in natural units."""
        kept = self.draws[part].isel(draw=slice(None, None, thin))
        own = self.model.parts[part]
        if "unit" in kept.dims:
            every = [theta_of(kept.isel(unit=i)) for i in range(len(self.units))]
            return {p.name: np.concatenate([one[p.name] for one in every], axis=1) for p in own.parameters}
        segments = len(self.index.segments)
        position = np.arange(len(self.units))
        found = by_group(own, theta_of(kept), position % segments, position // segments)
        return {name: np.broadcast_to(v, (len(v), len(position))) for name, v in found.items()}

    def unseen(self, part: str, rng: np.random.Generator, *, thin: int = 1) -> dict[str, Array]:
        """The same of a cohort that was not observed, by segment: (chains x draws, segments).

        Its deviation is drawn from the law of those observed. Under pooling "none" it is one of the cohorts, drawn.
        """
        segments = len(self.index.segments)
        if self.model.pooling == "none":
            known = self.theta(part, thin=thin)
            first = next(iter(known.values()))
            cohort = rng.integers(len(self.index.cohorts), size=len(first))[:, None]
            at = cohort * segments + np.arange(segments)
            return {name: np.take_along_axis(values, at, axis=1) for name, values in known.items()}
        theta = theta_of(self.draws[part].isel(draw=slice(None, None, thin)))
        for name in self.model.parts[part].varying:
            if f"{name}_cohort" in theta:
                sd = theta[f"{name}_cohort_sd"]
                theta[f"{name}_cohort"] = sd * rng.standard_normal(sd.shape)
        found = by_group(self.model.parts[part], theta, np.arange(segments), np.zeros(segments, dtype=np.int64))
        return {name: np.broadcast_to(v, (len(v), segments)) for name, v in found.items()}

    def parameters(self) -> tuple[Parameter, ...]:
        """Every parameter of the model, with the priors in force."""
        own = [p for part in self.model.parts for p in self.model.parameters(part, self.index.shape)]
        if "drift" not in self.draws:
            return tuple(own)
        found = self.draws["drift"]
        seasons = found.sizes["season_at"] if "season" in found else 0
        buckets = found.sizes["calendar_at"]
        return (*own, *self.model.drift_parameters(buckets, self.table.buckets_per_year, seasons))

    def summary(self, probability: float = 0.8) -> pd.DataFrame:
        """Posterior of every scalar parameter: mean and the central interval of the probability asked for.

        Returns
        -------
        DataFrame
            Columns part, parameter, unit ("" where common to all), mean, low, high, about.
        """
        about, tail = {p.name: p.about for p in self.parameters()}, (1 - probability) / 2
        names = [" ".join((cohort, *segment)) for cohort, segment in self.units]
        rows = []
        for part, dataset in self.draws.items():
            for name, values in dataset.data_vars.items():
                if not set(values.dims) <= {"chain", "draw", "unit"}:
                    continue
                flat = values.transpose("chain", "draw", ...).to_numpy()
                flat = flat.reshape(flat.shape[0] * flat.shape[1], -1)
                low, high = np.quantile(flat, [tail, 1 - tail], axis=0)
                for i, mean in enumerate(flat.mean(axis=0)):
                    unit = names[i] if "unit" in values.dims else ""
                    row = {"part": part, "parameter": str(name), "unit": unit, "mean": mean}
                    rows.append(row | {"low": low[i], "high": high[i], "about": about.get(str(name), "")})
        return pd.DataFrame(rows)

    def to_arviz(self) -> xr.DataTree:
        """The draws as an ArviZ DataTree: posterior, log_likelihood and observed_data of the purchases.

        `spend_posterior` and `drift_posterior` hold the other parts. A row of the log likelihood is a distinct history
        with all its customers.
        """
        names = {"purchases": "posterior"} | {part: f"{part}_posterior" for part in self.draws if part != "purchases"}
        groups = {names[part]: dataset for part, dataset in self.draws.items()}
        law, history, unit = self.model.purchases, self.history, self.unit_of(self.table.frame)
        theta, sizes = self.theta("purchases"), self.draws["purchases"].sizes
        each = [
            law.log_likelihood(history, {name: v[i : i + _BLOCK, unit] for name, v in theta.items()})
            for i in range(0, sizes["chain"] * sizes["draw"], _BLOCK)
        ]
        pointwise = np.concatenate(each).reshape(sizes["chain"], sizes["draw"], -1) * self.table.customers
        groups["log_likelihood"] = xr.Dataset({"purchases": (("chain", "draw", "history"), pointwise)})
        seen = {"frequency": history.frequency, "recency": history.recency, "age": history.age}
        seen |= {"customers": self.table.customers}
        groups["observed_data"] = xr.Dataset({name: ("history", v) for name, v in seen.items()})
        return xr.DataTree.from_dict(groups)

    @property
    def spend_law(self) -> GammaGamma:
        """The law of spend.

        Raises
        ------
        DefinitionError
            Purchases alone were fitted.
        """
        from lifeworth.errors import DefinitionError

        if self.model.spend is None:
            raise DefinitionError("the fit has no spend: fit with spend=GammaGamma() to value purchases.")
        return self.model.spend

    def save(self, path: str | Path) -> None:
        """Write the fit to a folder: `fit.json` and `draws.nc` (netCDF). `lifeworth.load` reads it back."""
        from lifeworth.transactional.keep import save_purchases

        save_purchases(self, path)

    def __repr__(self) -> str:
        """What was fitted, to what, and whether it can be relied on."""
        drift = " with drift" if "drift" in self.draws else ""
        return (
            f"PurchaseFit({type(self.model.purchases).__name__}{drift}, "
            f"{type(self.model.spend).__name__ if self.model.spend else 'no spend'}, pooling={self.model.pooling!r}; "
            f"{len(self.index.cohorts)} cohorts x {len(self.index.segments)} segments; {self.diagnostics})"
        )
