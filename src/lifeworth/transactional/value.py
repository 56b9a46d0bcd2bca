"""Valuing customers without a contract: their purchases, what they pay, and an Economics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from lifeworth._ops import Array
from lifeworth.books import ALL, NEW, Rows
from lifeworth.economics import Economics
from lifeworth.errors import DefinitionError
from lifeworth.purchases import Spend
from lifeworth.transactional.ahead import (
    Clock,
    Who,
    clock,
    drawn_ahead,
    expected_ahead,
    known_customers,
    new_customers,
    value_edges,
)
from lifeworth.transactional.model import counts, labels, per_year
from lifeworth.transactional.results import PurchaseFit
from lifeworth.valuation import KINDS, Kind, quantiles

_DRAWS = 400

MEASURES: dict[str, str] = {
    "residual": "present value at as_of of the margin of later purchases, per customer",
    "total_residual": "the same of all customers together",
    "purchases_12_months": "purchases within twelve months after as_of, per customer",
    "p_alive": "share of the customers who have not left",
    "cltv": "present value at the first purchase, which is included and not discounted, per new customer; gross of CAC",
    "cltv_net": "cltv less CAC",
    "cltv_cac": "cltv over CAC",
}
"""Every measure of a valuation of purchases, in words."""


@dataclass(frozen=True, slots=True, eq=False)
class PurchaseValuation:
    """Money draws of a fit of purchases under an Economics.

    Parameters
    ----------
    fit : PurchaseFit
    economics : Economics
    draws : Dataset
        One variable per measure, dims kind, row, draw; nan where a measure does not apply to a row. Purchase draws
        and spend draws are paired one by one. Coordinates `cohort`, one per `by` column ("all" is a total of summed
        draws, cohort "new" makes its first purchase at as_of), and `customers`.
    seed : int
        Of what has not happened yet.
    thin : int
        Every so many draws of the fit were carried forward.
    """

    fit: PurchaseFit
    economics: Economics
    draws: xr.Dataset
    seed: int
    thin: int

    @property
    def by(self) -> tuple[str, ...]:
        """The segment columns."""
        return self.fit.table.by

    def rows(self) -> pd.DataFrame:
        """What each row of `draws` is: cohort and the `by` columns."""
        return pd.DataFrame({name: self.draws.coords[name].to_numpy() for name in ("cohort", *self.by)})

    def sample(self, measure: str, kind: Kind = "parameter", **row: str) -> Array:
        """Draws of one measure in one row, flat; `row` names cohort and `by` values, "all" where not given.

        Raises
        ------
        KeyError
            There is no such row or measure.
        """
        wanted = {"cohort": ALL, **dict.fromkeys(self.by, ALL), **row}
        rows = self.rows()
        at = np.flatnonzero((rows[list(wanted)] == pd.Series(wanted)).all(axis=1))
        if len(at) != 1:
            raise KeyError(f"{len(at)} rows are {wanted}; `valuation.rows()` lists them.")
        return self.draws[measure].sel(kind=kind).isel(row=int(at[0])).to_numpy()

    def table(self) -> pd.DataFrame:
        """Every row, measure and kind with its mean and quantiles.

        Returns
        -------
        DataFrame
            cohort, the `by` columns, measure, kind, accounts (customers of the row), mean, p10, p50, p90.
        """
        rows, parts = self.rows(), []
        for measure in self.draws.data_vars:
            for kind in KINDS:
                values = self.draws[measure].sel(kind=kind).transpose("row", "draw").to_numpy()
                known = ~np.isnan(values).any(axis=1)
                part = rows[known].assign(measure=str(measure), kind=kind)
                part["accounts"] = self.draws.coords["customers"].to_numpy()[known]
                part["mean"] = values[known].mean(axis=1)
                part["p10"], part["p50"], part["p90"] = quantiles(values[known])
                parts.append(part)
        table = pd.concat(parts, ignore_index=True)
        return table.sort_values(["cohort", *self.by], kind="stable", ignore_index=True)

    def summary(self) -> pd.DataFrame:
        """One row per cohort and segment: customers, and each measure's mean with its predictive P10 and P90."""
        table, keys = self.table(), ["cohort", *self.by]
        found = table.groupby(keys, sort=False)[["accounts"]].first()
        for measure in self.draws.data_vars:
            own = table[table["measure"] == measure].set_index(keys)
            found[str(measure)] = own.loc[own["kind"] == "parameter", "mean"]
            for q in ("p10", "p90"):
                found[f"{measure} {q.upper()}"] = own.loc[own["kind"] == "predictive", q]
        return found

    def __repr__(self) -> str:
        """The horizon, the discounting and how many rows there are."""
        e = self.economics
        return (
            f"PurchaseValuation({self.draws.sizes['row']} rows, {e.horizon_years:g} years at "
            f"{e.discount_rate_annual:.1%})"
        )


def value_purchases(
    fit: PurchaseFit, economics: Economics, *, draws: int = _DRAWS, seed: int | None = None
) -> PurchaseValuation:
    """Draws of every measure for each cohort and segment, their totals, and customers who first buy at as_of.

    A purchase is paid when it is made and discounted by (1 + d)^(-years), in intervals of a month to a year. Who came
    back for nothing (free, or given back in full) is expected to go on so; of those who have not come back, as many
    will pay as of those who have. `kind`
    "parameter" is the expected value given the parameters of a draw; "predictive" what the customers of the row will
    bring: their own luck in buying, leaving and paying, and the drift to come.

    Parameters
    ----------
    fit : PurchaseFit
        With spend.
    economics : Economics
        `gross_margin`, `discount_rate_annual`, `horizon_years`, `cac`, `price_increase_annual` and `currency` count;
        `timing` does not, as purchases have no period.
    draws : int
        About how many posterior draws are carried forward.
    seed : int, optional
        Of everything that has not happened yet; None uses the fit's own.

    Returns
    -------
    PurchaseValuation

    Raises
    ------
    DefinitionError
        The fit has no spend; currencies differ; a mapping misses a segment; no opportunity lies within the horizon; a
        `service_cost_annual` is given (a customer without a contract has no term to serve: take the cost of an order
        off the margin).
    """
    e, table = economics, fit.table
    if e.currency and table.currency and e.currency != table.currency:
        raise DefinitionError(f"economics are in {e.currency}, the ledger is in {table.currency}.")
    if e.service_cost_annual != 0.0:
        raise DefinitionError("service_cost_annual has no term to be paid for: take costs off the gross_margin.")
    assert fit.spend_law
    sizes = fit.draws["purchases"].sizes
    thin = max(1, -(-sizes["chain"] * sizes["draw"] // draws))
    return Job(fit, economics, thin, fit.seed if seed is None else seed).run()


class Job:
    """One valuation on its way."""

    def __init__(self, fit: PurchaseFit, economics: Economics, thin: int, seed: int) -> None:
        self.fit, self.e, self.seed, self.thin = fit, economics, seed, thin
        self.clock = self._clock()
        self.year = self.clock.years <= 1.0 + 1e-9
        self.draws = len(self.clock.expected)
        self.segments = fit.index.segments
        self.margin = self._input("gross_margin", 0)
        self.cac = None if economics.cac is None else self._input("cac", 1)

    def _clock(self) -> Clock:
        model, horizon = self.fit.model.purchases, max(self.e.horizon_years, 1.0)
        edges = np.unique(np.append(value_edges(horizon), self.e.horizon_years))
        if counts(model):
            edges = np.arange(1.0, np.floor(horizon * per_year(model) + 1e-9) + 1)
        if counts(model) and self.e.horizon_years * per_year(model) < 1 - 1e-9:
            raise DefinitionError(
                f"no opportunity lies within horizon_years={self.e.horizon_years:g}: {type(model).__name__} has "
                f"{per_year(model):g} a year."
            )
        return clock(self.fit, edges, self.rng(0), thin=self.thin)

    def rng(self, *stream: int) -> np.random.Generator:
        """A generator of its own for each thing that is drawn."""
        return np.random.default_rng([self.seed, 83, *stream])

    def _input(self, name: str, stream: int) -> Array:
        return self.e.by_segment(name, self.segments, self.rng(1, stream), self.draws)

    def run(self) -> PurchaseValuation:
        """Both kinds, of the customers known and of those to come."""
        units, n = self.fit.units, len(self.segments)
        who = known_customers(self.fit)
        acquired = np.bincount(who.unit, who.customers, len(units)).reshape(-1, n)
        fresh = np.maximum(np.rint(acquired.mean(axis=0)), 1.0)
        every = [*units, *((NEW, segment) for segment in self.segments)]
        rows = Rows.of([c for c, _ in every], [s for _, s in every], self.fit.table.by)
        found = {}
        for k, kind in enumerate(KINDS):
            book = self._book(who, self.theta(), kind, k)
            found[kind] = self._measures(book, self._new(fresh, kind, k), rows, fresh)
        return self._gathered(found, rows, self._people(rows, fresh))

    def theta(self) -> dict[str, dict[str, Array]]:
        """Parameters of purchases and spend by unit, thinned."""
        return {part: self.fit.theta(part, thin=self.thin) for part in self.fit.model.parts}

    def _book(self, who: Who, theta: dict[str, dict[str, Array]], kind: Kind, stream: int) -> dict[str, Array]:
        """Present value, purchases of a year and active customers by unit, (draws, units)."""
        spend, units = theta["spend"], next(iter(theta["purchases"].values())).shape[1]
        weight = self.weights()
        segment = np.arange(units) % len(self.segments)
        found = {name: np.zeros((self.draws, units)) for name in ("worth", "purchases", "alive")}
        if kind == "parameter":
            blocks = expected_ahead(self.fit, who, theta["purchases"], spend, self.clock)
        else:
            blocks = drawn_ahead(self.fit, who, theta["purchases"], spend, self.clock, self.rng(2, stream, units))
        for part, alive, purchases, money in blocks:
            found["alive"][part] = alive
            found["purchases"][part] = purchases[self.year].sum(axis=0)
            found["worth"][part] = np.einsum("k,kdu->du", weight, money) * self.margin[part][:, segment]
        return found

    def weights(self) -> Array:
        """Present value of a unit of revenue in each interval; 0 beyond the horizon."""
        years = self.clock.years
        price = (1 + self.e.price_increase_annual) ** years
        inside = years <= self.e.horizon_years + 1e-9
        return np.where(inside, price * (1 + self.e.discount_rate_annual) ** -years, 0.0)

    def _new(self, fresh: Array, kind: Kind, stream: int) -> dict[str, Array]:
        """The same of customers who first buy at as_of, their first purchase included."""
        rng = self.rng(3)
        theta = {part: self.fit.unseen(part, rng, thin=self.thin) for part in self.fit.model.parts}
        found = self._book(new_customers(self.fit, fresh), theta, kind, stream)
        frame = self.fit.table.frame
        position = {segment: i for i, segment in enumerate(self.segments)}
        at = np.array([position[label] for label in labels(frame, self.fit.table.by)])
        paid = np.bincount(at, frame["first_spend"] + frame["first_refunds"], len(self.segments))
        first = fresh * paid / np.bincount(at, frame["customers"], len(self.segments))
        total = np.broadcast_to(first, (self.draws, len(fresh)))
        if kind == "predictive":
            total = first * self._luck(fresh, theta["spend"])
        return found | {"worth": found["worth"] + total * self.margin}

    def _luck(self, fresh: Array, spend: dict[str, Array]) -> Array:
        """Mean first purchase of so many customers over its mean, as unlike as repeats are; (draws, segments)."""
        law, rng, found = self.fit.spend_law, self.rng(4), np.ones((self.draws, len(fresh)))
        for i, n in enumerate(fresh.astype(np.int64)):
            own, nothing = {name: v[:, i : i + 1] for name, v in spend.items()}, np.zeros(n)
            paid = law.draw_total(np.ones(n), law.draw_level(Spend(nothing, nothing), own, rng), own, rng)
            found[:, i] = paid.mean(axis=1) / own["mean_spend"][:, 0]
        return found

    def _measures(self, book: dict[str, Array], new: dict[str, Array], rows: Rows, fresh: Array) -> dict[str, Array]:
        """Measures by row, (draws, rows)."""
        people = self._people(rows, fresh)
        known = np.array([cohort != NEW for cohort, _ in rows.labels])
        units = book["worth"].shape[1]
        total = {name: values @ rows.member[:units] for name, values in book.items()}
        added = new["worth"] @ rows.member[units:]
        out = {
            "residual": total["worth"] / people,
            "total_residual": total["worth"],
            "purchases_12_months": total["purchases"] / people,
            "p_alive": total["alive"] / people,
        }
        out = {name: np.where(known, values, np.nan) for name, values in out.items()}
        out["cltv"] = np.where(known, np.nan, added / people)
        if self.cac is not None:
            cost = (self.cac * fresh) @ rows.member[units:] / people
            out["cltv_net"] = out["cltv"] - np.where(known, np.nan, cost)
            out["cltv_cac"] = out["cltv"] / np.where(known | (cost <= 0), np.nan, cost)
        return out

    def _people(self, rows: Rows, fresh: Array) -> Array:
        """Customers of each row."""
        own = np.bincount(self.fit.unit_of(self.fit.table.frame), self.fit.table.customers, len(self.fit.units))
        return np.concatenate([own, fresh]) @ rows.member

    def _gathered(self, found: dict[Kind, dict[str, Array]], rows: Rows, people: Array) -> PurchaseValuation:
        names = list(found["parameter"])
        values = {n: np.stack([found[kind][n].T for kind in KINDS]) for n in names}
        coords: dict[str, object] = {"kind": list(KINDS), "cohort": ("row", [c for c, _ in rows.labels])}
        coords |= {name: ("row", [s[i] for _, s in rows.labels]) for i, name in enumerate(self.fit.table.by)}
        coords["customers"] = ("row", people)
        data = xr.Dataset({n: (("kind", "row", "draw"), v) for n, v in values.items()}, coords=coords)
        return PurchaseValuation(self.fit, self.e, data, self.seed, self.thin)
