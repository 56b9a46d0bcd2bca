"""Valuing: a fit and an Economics give draws of money for every cohort, segment and total."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import pandas as pd
import xarray as xr

from lifeworth.books import ALL, NEW, REACTIVATED, Book, acquired, in_force
from lifeworth.economics import Economics
from lifeworth.errors import DefinitionError, ExtrapolationWarning, PriceIncreaseWarning
from lifeworth.forecasting.forecaster import Forecaster
from lifeworth.forecasting.groups import Floats, Groups, Ints, State
from lifeworth.ledger.months import months_in
from lifeworth.results import Fit
from lifeworth.valuation import KINDS, MEASURES, Kind, Valuation

_DRAWS = 1000
_BEYOND = 0.25


def value(fit: Fit, economics: Economics, *, draws: int = _DRAWS, seed: int | None = None) -> Valuation:
    """Draws of every measure for each cohort and segment, their totals, and accounts acquired at as_of.

    Parameters
    ----------
    fit : Fit
    economics : Economics
        Margin, costs, discounting, timing and horizon.
    draws : int
        About how many of the posterior draws are carried forward.
    seed : int, optional
        Of everything that has not happened yet; None uses the fit's own.

    Returns
    -------
    Valuation

    Raises
    ------
    DefinitionError
        The currencies differ; a mapping misses a segment; the table has no money and no `arpa` is given.

    Warns
    -----
    ExtrapolationWarning
        More than a quarter of the value lies at tenures nobody was observed at.
    PriceIncreaseWarning
        A price increase is put on top of growth that the ledger shows.
    """
    _check(fit, economics)
    sizes = fit.draws["logo"].sizes
    thin = max(1, -(-sizes["chain"] * sizes["draw"] // draws))
    months = max(int(np.ceil(economics.horizon_years * 12)), 12)
    table = fit.table
    observed = int(table.frame["tenure"].max()) + 1
    forecaster = Forecaster(
        fit=fit,
        thin=thin,
        seed=fit.seed if seed is None else seed,
        buckets_ahead=-(-(months + 2 * table.months_per_period) // table.months_per_bucket) + 1,
        tenures=observed + months // table.months_per_period + 3,
    )
    job = Job(forecaster, economics)
    parts = {kind: job.measures(kind) for kind in KINDS}
    beyond = job.beyond(parts["parameter"])
    if beyond > _BEYOND:
        text = f"{beyond:.0%} of the value lies at tenures nobody was observed at ({observed} {table.period}s or more)."
        warnings.warn(text, ExtrapolationWarning, stacklevel=2)
    return Valuation(fit, economics, *job.gathered(parts), beyond, forecaster)


def unit_values(value: Valuation) -> pd.DataFrame:
    """Expected value per unit of money, cost per account and twelve-month retention, by cell of the book in force."""
    return Job(value.forecaster, value.economics).units()


def _check(fit: Fit, economics: Economics) -> None:
    table = fit.table
    if economics.currency and table.currency and economics.currency != table.currency:
        raise DefinitionError(f"economics are in {economics.currency}, the ledger is in {table.currency}.")
    if not table.has_money and economics.arpa is None:
        raise DefinitionError("the table has counts only: give Economics the `arpa` that its accounts pay.")
    if economics.price_increase_annual and table.has_money and table.frame["expansion"].sum() > 0:
        text = "price_increase_annual comes on top of the expansion in the ledger, which holds past increases."
        warnings.warn(text, PriceIncreaseWarning, stacklevel=3)


class Job:
    """One valuation on its way."""

    def __init__(self, forecaster: Forecaster, economics: Economics) -> None:
        self.f, self.e, self.table = forecaster, economics, forecaster.fit.table
        self.period, self.observed = self.table.months_per_period, int(self.table.frame["tenure"].max()) + 1
        self.per_period = self.period / months_in(self.table.amount_per, what="amount_per")
        index = forecaster.fit.index
        self.segments = index.segments
        self.arpa = None if self.table.has_money else self._input("arpa", 3)
        self.books = {"acquired": acquired(self.table, index, economics, _mean(self.arpa))}
        self.books["in_force"] = in_force(self.table, index, economics)
        self.books = {name: book for name, book in self.books.items() if len(book.cohorts)}
        self.segments += tuple(sorted({s for book in self.books.values() for s in book.segments} - {*index.segments}))
        self.margin = self._input("gross_margin", 0)
        self.service = self._input("service_cost_annual", 1)
        self.cac = None if economics.cac is None else self._input("cac", 2)

    def _input(self, name: str, stream: int) -> Floats:
        return self.e.by_segment(name, self.segments, self.f.rng(7, stream), self.f.draws)

    def _at(self, by_segment: Floats, book: Book) -> Floats:
        """Values of each group's segment, (draws, groups)."""
        return by_segment[:, [self.segments.index(segment) for segment in book.segments]]

    # payments

    def steps(self) -> int:
        """Steps to walk: to the horizon, and the twelve months that retention looks ahead."""
        return int(np.ceil(max(self.e.horizon_years, 1.0) * 12 / self.period)) + 1

    def payment(self, book: Book, step: int) -> tuple[Floats, Floats]:
        """Years to the payment of a step, and whether it is valued: 1 within the horizon, else 0."""
        years = book.first_payment + step * self.period / 12
        inside = years <= self.e.horizon_years + 1e-9
        if self.e.timing == "start":
            inside = years < self.e.horizon_years - 1e-9
        return years, (inside & (step >= book.paid)).astype(float)

    def payment_per_unit(self, book: Book, step: int) -> Floats:
        """Margin of a step's payment for one unit of the table's money, (draws, groups)."""
        since = np.maximum(book.opening + step * self.period / 12, 0.0)
        price = (1 + self.e.price_increase_annual) ** since
        return self._at(self.margin, book) * (self.per_period * price)

    def _flows(self, book: Book, kind: Kind, stream: int) -> Iterator[tuple[State, Floats, Floats, Floats]]:
        """State, margin before and after discounting, (draws, groups), and years to payment of each step."""
        size, served = self._size(book, kind), book.groups.accounts * self._at(self.service, book) * self.period / 12
        for state in self.f.walk(book.groups, self.steps(), predictive=kind == "predictive", stream=stream):
            years, valued = self.payment(book, state.step)
            margin = state.money * size * self.payment_per_unit(book, state.step) - state.logo * served
            margin = margin * valued
            yield state, margin, margin * (1 + self.e.discount_rate_annual) ** -years, years

    def _size(self, book: Book, kind: Kind) -> Floats:
        """Money the groups begin with, (draws, groups): known, but for accounts not yet acquired."""
        g = book.groups
        if self.arpa is not None:
            return self._at(self.arpa, book) * g.accounts
        known = np.repeat(g.amount[None], self.f.draws, axis=0)
        for i in (i for i, cohort in enumerate(book.cohorts) if cohort == NEW):
            n = g.accounts[i]
            mean = g.amount[i] / n
            spread = max(g.amount_sq[i] / n - mean**2, 0.0) / n * (2 if kind == "predictive" else 1)
            if spread > 1e-12 * mean**2:
                shape = mean**2 / spread
                known[:, i] *= self.f.rng(8, i, KINDS.index(kind)).gamma(shape, size=self.f.draws) / shape
        return known

    # measures

    def measures(self, kind: Kind) -> dict[str, dict[str, Floats]]:
        """All measures by book and name, each (draws, rows of the book)."""
        of = {"acquired": self._of_acquired, "in_force": self._of_in_force}
        return {name: of[name](book, kind) for name, book in self.books.items()}

    def _of_acquired(self, book: Book, kind: Kind) -> dict[str, Floats]:
        member, accounts = book.rows.member, book.groups.accounts @ book.rows.member
        shape = (self.f.draws, member.shape[1])
        total, late, earned, payback = np.zeros(shape), np.zeros(shape), np.zeros(shape), np.full(shape, np.inf)
        bought = np.array([cohort != REACTIVATED for cohort in book.cohorts]) * book.groups.accounts
        cost = None if self.cac is None else (self._at(self.cac, book) * bought) @ member
        for state, margin, worth, _ in self._flows(book, kind, 0):
            total += worth @ member
            late += (worth * (book.groups.tenure + state.step > self.observed)) @ member
            earned += margin @ member
            if cost is not None:
                months = state.step * self.period + (self.period if self.e.timing == "end" else 0)
                payback = np.where((earned >= cost - 1e-9) & np.isinf(payback), months, payback)
        out = {"cltv": total / accounts, "late": late, "worth": total}
        if cost is not None:
            paid_for = bought @ member > 0
            each = np.where(paid_for, cost / accounts, np.nan)
            out["cltv_net"] = out["cltv"] - each
            with np.errstate(divide="ignore", invalid="ignore"):
                out["cltv_cac"] = np.where(each > 0, out["cltv"] / each, np.nan)
            out["payback_months"] = np.where(paid_for, payback, np.nan)
        return out | {"arpa": self._size(book, kind) @ member / accounts}

    def _of_in_force(self, book: Book, kind: Kind) -> dict[str, Floats]:
        g, member = book.groups, book.rows.member
        accounts, amount = g.accounts @ member, g.amount @ member
        years_kept = int(np.ceil(self.e.horizon_years))
        cash = np.zeros((self.f.draws, member.shape[1], years_kept))
        total, late = np.zeros(cash.shape[:2]), np.zeros(cash.shape[:2])
        ahead = {name: np.zeros((self.f.draws, len(g.segment))) for name in ("nrr", "grr", "logo_retention")}
        for state, margin, worth, years in self._flows(book, kind, 1):
            total += worth @ member
            late += (worth * (g.tenure + state.step > self.observed)) @ member
            year = np.clip(np.ceil(years - 1e-9).astype(int) - 1, 0, years_kept - 1)
            for y in np.unique(year):
                cash[:, :, y] += (margin * (year == y)) @ member
            now = self._decisions(g) == state.step
            for name, share in (("nrr", state.money), ("grr", state.kept), ("logo_retention", state.logo)):
                ahead[name] = np.where(now, share, ahead[name])
        return {
            "residual": total / accounts,
            "total_residual": total,
            "worth": total,
            "late": late,
            "nrr": (ahead["nrr"] * g.amount) @ member / amount,
            "grr": (ahead["grr"] * g.amount) @ member / amount,
            "logo_retention": (ahead["logo_retention"] * g.accounts) @ member / accounts,
            "arpa": np.repeat((amount / accounts)[None], self.f.draws, axis=0),
            "cash": cash,
        }

    def units(self) -> pd.DataFrame:
        """Expected value of one unit of money, and cost of one account, in each cell of the book in force."""
        book, discount = self.books["in_force"], 1 + self.e.discount_rate_annual
        g, keys = book.groups, ["cohort", *self.table.by, "tenure", "elapsed"]
        per_unit, per_account, stays = (np.zeros(len(g.segment)) for _ in range(3))
        for state in self.f.walk(g, self.steps(), predictive=False, stream=1):
            years, valued = self.payment(book, state.step)
            factor = np.where(valued > 0, valued * discount**-years, 0.0)
            per_unit += (state.money * self.payment_per_unit(book, state.step)).mean(axis=0) * factor
            per_account += (state.logo * self._at(self.service, book)).mean(axis=0) * factor * self.period / 12
            stays = np.where(self._decisions(g) == state.step, state.logo.mean(axis=0), stays)
        found = {"per_unit": per_unit, "per_account": per_account, "retained_12_months": stays}
        cells = self.table.in_force[self.table.in_force["accounts"] > 0]
        return cells[keys].reset_index(drop=True).assign(**found)

    def _decisions(self, groups: Groups) -> Ints:
        """How many times each group decides within twelve months."""
        return (12 - groups.months) // self.period + 1

    # results

    def beyond(self, parts: dict[str, dict[str, Floats]]) -> float:
        """Share of the expected value of new accounts and of the book at tenures nobody was observed at."""
        late = worth = 0.0
        for name, cohort in (("acquired", NEW), ("in_force", ALL)):
            label = cohort, tuple(ALL for _ in self.table.by)
            if name in parts and label in self.books[name].rows.labels:
                row = self.books[name].rows.labels.index(label)
                late += float(parts[name]["late"][:, row].mean())
                worth += float(parts[name]["worth"][:, row].mean())
        return late / worth if worth > 0 else 0.0

    def gathered(self, parts: dict[Kind, dict[str, dict[str, Floats]]]) -> tuple[xr.Dataset, xr.DataArray]:
        """Measures and cash flows as xarray, over the union of the rows of both books."""
        books = sorted(parts["parameter"], reverse=True)  # in force first: its ARPA stands
        labels = sorted({label for book in books for label in self.books[book].rows.labels})
        place = {label: i for i, label in enumerate(labels)}
        chains = self.f.fit.draws["logo"].sizes["chain"]
        shape = (len(KINDS), len(labels), chains, self.f.draws // chains)
        values = {name: np.full(shape, np.nan) for name in MEASURES}
        accounts = {f"accounts_{book}": np.zeros(len(labels)) for book in ("acquired", "in_force")}
        for book in books:
            own = self.books[book]
            at = [place[label] for label in own.rows.labels]
            accounts[f"accounts_{book}"][at] = own.groups.accounts @ own.rows.member
            for name in sorted(set(parts["parameter"][book]) & set(MEASURES)):
                for k, kind in enumerate(KINDS):
                    found = parts[kind][book][name].T.reshape(len(at), *shape[2:])
                    free = [j for j, i in enumerate(at) if name != "arpa" or np.isnan(values[name][k, i]).all()]
                    values[name][k, [at[j] for j in free]] = found[free]
        dims = ("kind", "row", "chain", "draw")
        coords: dict[str, object] = {"kind": list(KINDS), "cohort": ("row", [c for c, _ in labels])}
        coords |= {name: ("row", [s[i] for _, s in labels]) for i, name in enumerate(self.table.by)}
        coords |= {name: ("row", n) for name, n in accounts.items()}
        kept = {name: (dims, v) for name, v in values.items() if not np.isnan(v).all()}
        return xr.Dataset(kept, coords=coords), self._cash(parts, chains)

    def _cash(self, parts: dict[Kind, dict[str, dict[str, Floats]]], chains: int) -> xr.DataArray:
        if "in_force" not in parts["parameter"]:
            return xr.DataArray(np.zeros((len(KINDS), 0, 0)), dims=("kind", "row", "year"))
        labels = self.books["in_force"].rows.labels
        rows = [i for i, (cohort, _) in enumerate(labels) if cohort == ALL]
        every = np.stack([parts[kind]["in_force"]["cash"][:, rows] for kind in KINDS])
        every = every.reshape(len(KINDS), chains, -1, *every.shape[2:])
        coords: dict[str, object] = {"kind": list(KINDS), "year": np.arange(1, every.shape[-1] + 1)}
        coords |= {name: ("row", [labels[i][1][k] for i in rows]) for k, name in enumerate(self.table.by)}
        return xr.DataArray(every, dims=("kind", "chain", "draw", "row", "year"), coords=coords, name="cash")


def _mean(by_segment: Floats | None) -> Floats | None:
    return None if by_segment is None else by_segment.mean(axis=0)
