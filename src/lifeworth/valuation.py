"""Valuation: posterior draws of money, with parameter and predictive uncertainty kept apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr

from lifeworth.economics import Economics
from lifeworth.forecasting.forecaster import Forecaster
from lifeworth.results import Fit

type Kind = Literal["parameter", "predictive"]
KINDS: tuple[Kind, Kind] = ("parameter", "predictive")

MEASURES: dict[str, str] = {
    "cltv": "present value at acquisition per acquired account, gross of CAC",
    "cltv_net": "cltv less CAC",
    "residual": "present value at as_of per account in force",
    "total_residual": "present value at as_of of all accounts in force",
    "cltv_cac": "cltv over CAC",
    "payback_months": "months until cumulative margin, undiscounted, covers CAC; inf is never within the horizon",
    "nrr": "revenue in twelve months of the book in force, over its revenue now",
    "grr": "the same without expansion",
    "logo_retention": "share of the accounts in force that are still there in twelve months",
    "arpa": "recurring revenue per account, per amount_per",
}
"""Every measure of a valuation, in words."""


@dataclass(frozen=True, slots=True, eq=False)
class Valuation:
    """Money draws of a fit under an Economics.

    Parameters
    ----------
    fit : Fit
    economics : Economics
    draws : Dataset
        One variable per measure, dims kind, row, chain, draw; nan where a measure does not apply to a row. The
        coordinates `cohort`, `accounts` and one per `by` column say what a row is: "all" is a total of summed
        draws, cohort "new" is acquired at as_of.
    cash : DataArray
        Undiscounted margin of the accounts in force by year after as_of, dims kind, segment row, year, chain,
        draw: each year is a sum of draws.
    beyond : float
        Share of the expected residual and new value that lies at tenures nobody was observed at.
    forecaster : Forecaster
        What carried the fit forward, with its seed.
    """

    fit: Fit
    economics: Economics
    draws: xr.Dataset
    cash: xr.DataArray
    beyond: float
    forecaster: Forecaster

    @property
    def by(self) -> tuple[str, ...]:
        """The segment columns."""
        return self.fit.table.by

    def rows(self) -> pd.DataFrame:
        """What each row of `draws` is: cohort, the `by` columns, accounts."""
        names = ["cohort", *self.by]
        return pd.DataFrame({name: self.draws.coords[name].to_numpy() for name in names})

    def sample(self, measure: str, kind: Kind = "parameter", **row: str) -> np.ndarray:
        """Draws of one measure in one row, flat; `row` names cohort and `by` values, "all" where not given.

        Raises
        ------
        KeyError
            There is no such row or measure.
        """
        wanted = {"cohort": "all", **dict.fromkeys(self.by, "all"), **row}
        rows = self.rows()
        at = np.flatnonzero((rows[list(wanted)] == pd.Series(wanted)).all(axis=1))
        if len(at) != 1:
            raise KeyError(f"{len(at)} rows are {wanted}; `valuation.rows()` lists them.")
        return self.draws[measure].sel(kind=kind).isel(row=int(at[0])).to_numpy().ravel()

    def table(self) -> pd.DataFrame:
        """Every row, measure and kind with its mean and quantiles.

        Returns
        -------
        DataFrame
            cohort, the `by` columns, measure, kind, accounts (that the row speaks of), mean, p10, p50, p90.
            Money is in the ledger's currency. A mean that is infinite (payback) says so.
        """
        return self._table(self.rows(), np.arange(self.draws.sizes["row"]))

    def _table(self, rows: pd.DataFrame, at: np.ndarray) -> pd.DataFrame:
        parts = []
        for measure in self.draws.data_vars:
            for kind in KINDS:
                values = self.draws[measure].sel(kind=kind).isel(row=at).transpose("row", ...).to_numpy()
                values = values.reshape(len(at), -1)
                known = ~np.isnan(values).any(axis=1)
                part = rows.iloc[at[known]].assign(measure=str(measure), kind=kind)
                part["accounts"] = self._accounts(str(measure))[at[known]]
                part["mean"] = values[known].mean(axis=1)
                low, middle, high = quantiles(values[known])
                parts.append(part.assign(p10=low, p50=middle, p90=high))
        table = pd.concat(parts, ignore_index=True)
        order = {name: i for i, name in enumerate(self.draws.data_vars)}
        return table.sort_values(
            ["measure", "cohort", *self.by, "kind"],
            key=lambda c: c.map(order) if c.name == "measure" else c,
            kind="stable",
            ignore_index=True,
        )

    def _accounts(self, measure: str) -> np.ndarray:
        """Accounts that a measure speaks of in each row: those acquired, or those in force."""
        acquired, in_force = (self.draws[f"accounts_{b}"].to_numpy() for b in ("acquired", "in_force"))
        if measure == "arpa":
            return np.where(in_force > 0, in_force, acquired)
        return acquired if measure in ("cltv", "cltv_net", "cltv_cac", "payback_months") else in_force

    def summary(self) -> pd.DataFrame:
        """One row per segment and a total: the value of a new account and of the book, with bands.

        Returns
        -------
        DataFrame
            Index: the `by` columns. CLTV of an account acquired at as_of (mean, and P10, P50, P90 of what the
            accounts named would realise), the parameter band, CLTV:CAC, payback and its chance within a year,
            residual per account in force, NRR, GRR and logo retention of the next twelve months.
        """
        rows = self.rows()
        cohorts = rows["cohort"].to_numpy()
        out: dict[str, pd.Series] = {}
        for label, measure, cohort in _SUMMARY:
            at = np.flatnonzero(cohorts == cohort)
            if not len(at):
                continue
            table = self._table(rows, at).set_index(list(self.by) or ["cohort"])
            table = table[table["measure"] == measure]
            predictive, parameter = (table[table["kind"] == kind] for kind in ("predictive", "parameter"))
            if not len(parameter):
                continue
            out[label] = parameter["mean"] if measure != "payback_months" else parameter["p50"]
            for q in ("p10", "p50", "p90") if measure in ("cltv", "residual", "nrr") else ():
                out[f"{label} {q.upper()}"] = predictive[q]
            if measure == "cltv":
                out["CLTV parameter P10"], out["CLTV parameter P90"] = parameter["p10"], parameter["p90"]
            if measure == "payback_months":
                out["P(payback <= 12 months)"] = self._chance_of_payback(at, 12.0)
        frame = pd.DataFrame(out)
        ordered = sorted(frame.index, key=lambda key: [part == "all" for part in np.atleast_1d(key)])
        return frame.loc[ordered]

    def infinite(self) -> pd.DataFrame:
        """Share of draws in which the value has an end only because the horizon ends it.

        In the long run the money of a group grows from one period to the next by the factor (1 - hazard) (1 + net
        expansion): the hazard by money at the last tenures this valuation reaches, at the last level of the calendar
        walk, and the rates of expansion and contraction at acquisition, without the ceiling of a Saturating or the
        decay of a Decaying curve, with the price increase of the Economics. Where the factor is 1 or more, a sum
        without horizon and discounting is infinite; where it is 1 + d of the period or more, a discounted one is too.
        A total is infinite where one of its parts is. The draws of the valuation itself are finite in any case.

        Returns
        -------
        DataFrame
            cohort ("new" and "all"), the `by` columns, and the shares undiscounted and discounted, from 0 to 1.

        Examples
        --------
        With 1% churn and 1.2% net expansion a month the factor is 0.99 x 1.012 = 1.00188: without discounting the
        share is 1, and at 12% a year, 1.00949 a month, it is 0.
        """
        from lifeworth.divergence import infinite_shares

        return infinite_shares(self.forecaster, self.economics, self.rows())

    def _chance_of_payback(self, at: np.ndarray, months: float) -> pd.Series:
        values = self.draws["payback_months"].sel(kind="predictive").isel(row=at).transpose("row", ...)
        flat = values.to_numpy().reshape(len(at), -1)
        index = self.rows().iloc[at].set_index(list(self.by) or ["cohort"]).index
        chance = np.where(np.isnan(flat).any(axis=1), np.nan, (flat <= months).mean(axis=1))
        return pd.Series(chance, index=index)

    def __repr__(self) -> str:
        """The horizon, the discounting and how many rows there are."""
        e = self.economics
        return (
            f"Valuation({self.draws.sizes['row']} rows, {e.horizon_years:g} years at "
            f"{e.discount_rate_annual:.1%}, timing={e.timing!r})"
        )


_SUMMARY = (
    ("CLTV", "cltv", "new"),
    ("CLTV:CAC", "cltv_cac", "new"),
    ("payback months", "payback_months", "new"),
    ("residual", "residual", "all"),
    ("NRR", "nrr", "all"),
    ("GRR", "grr", "all"),
    ("logo retention", "logo_retention", "all"),
)


def quantiles(values: np.ndarray, probabilities: tuple[float, ...] = (0.1, 0.5, 0.9)) -> np.ndarray:
    """Quantiles along the last axis that allow infinite values; (probabilities, ...)."""
    if not values.size:
        return np.empty((len(probabilities), *values.shape[:-1]))
    at = np.asarray(probabilities)
    if np.isfinite(values).all():
        return np.quantile(values, at, axis=-1)
    return np.quantile(values, at, axis=-1, method="inverted_cdf")
