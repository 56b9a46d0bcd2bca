"""Valuing: a fit and an Economics give draws of money for every cohort, segment and total."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import xarray as xr

from lifeworth.economics import Economics
from lifeworth.errors import DefinitionError, ExtrapolationWarning, PriceIncreaseWarning
from lifeworth.forecast import Floats, Forecaster, Groups, State
from lifeworth.indexing import segment_labels
from lifeworth.ledger.months import months_in
from lifeworth.results import Fit
from lifeworth.valuation import KINDS, MEASURES, Kind, Valuation

REACTIVATED = "reactivated"
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
    months = int(np.ceil(economics.horizon_years * 12))
    table = fit.table
    observed = int(table.frame["tenure"].max()) + 1
    forecaster = Forecaster(
        fit=fit,
        thin=thin,
        seed=fit.seed if seed is None else seed,
        buckets_ahead=-(-(max(months, 12) + 2 * table.months_per_period) // table.months_per_bucket) + 1,
        tenures=observed + months // table.months_per_period + 3,
    )
    job = _Job(forecaster, economics)
    parts = {kind: job.measures(kind) for kind in KINDS}
    beyond = job.beyond(parts["parameter"])
    if beyond > _BEYOND:
        text = f"{beyond:.0%} of the value lies at tenures nobody was observed at ({observed} {table.period}s or more)."
        warnings.warn(text, ExtrapolationWarning, stacklevel=2)
    return Valuation(fit, economics, *job.gathered(parts), beyond)


def _check(fit: Fit, economics: Economics) -> None:
    table = fit.table
    if economics.currency and table.currency and economics.currency != table.currency:
        raise DefinitionError(f"economics are in {economics.currency}, the ledger is in {table.currency}.")
    if not table.has_money and economics.arpa is None:
        raise DefinitionError("the table has counts only: give Economics the `arpa` that its accounts pay.")
    if economics.price_increase_annual and table.has_money and table.frame["expansion"].sum() > 0:
        text = "price_increase_annual comes on top of the expansion in the ledger, which holds past increases."
        warnings.warn(text, PriceIncreaseWarning, stacklevel=3)


@dataclass(frozen=True)
class _Rows:
    """Which groups add up to which rows."""

    labels: list[tuple[str, tuple[str, ...]]]
    member: Floats
    """(groups, rows), ones and zeros."""

    @classmethod
    def of(cls, cohorts: list[str], segments: list[tuple[str, ...]], by: tuple[str, ...]) -> _Rows:
        """Rows for each cohort and segment, each cohort, each segment and everything ("all")."""
        every = tuple("all" for _ in by)
        rows: dict[tuple[str, tuple[str, ...]], list[int]] = {}
        for i, (cohort, segment) in enumerate(zip(cohorts, segments, strict=True)):
            totals = () if cohort in ("new", REACTIVATED) else ("all",)
            for c in (cohort, *totals):
                for s in dict.fromkeys((segment, every)):
                    rows.setdefault((c, s), []).append(i)
        labels = sorted(rows)
        member = np.zeros((len(cohorts), len(labels)))
        for j, label in enumerate(labels):
            member[rows[label], j] = 1.0
        return cls(labels, member)


@dataclass(frozen=True)
class _Book:
    """Groups with their labels and payments: those acquired, or those in force."""

    groups: Groups
    rows: _Rows
    first_payment: Floats
    """Years from the reference (acquisition, or as_of) to the payment of step 0; nan where it is past."""
    opening: Floats
    """Years from as_of to the opening of step 0."""


class _Job:
    """One valuation on its way."""

    def __init__(self, forecaster: Forecaster, economics: Economics) -> None:
        self.f, self.e, self.table = forecaster, economics, forecaster.fit.table
        self.index = forecaster.fit.index
        self.period, self.observed = self.table.months_per_period, int(self.table.frame["tenure"].max()) + 1
        self.per_period = self.period / months_in(self.table.amount_per, what="amount_per")
        given = {n: self._input(n, k) for k, n in enumerate(("gross_margin", "service_cost_annual"))}
        self.margin, self.service = given["gross_margin"], given["service_cost_annual"]
        self.cac = None if economics.cac is None else self._input("cac", 2)

    def _input(self, name: str, stream: int) -> Floats:
        return self.e.by_segment(name, self.index.segments, self.f.rng(7, stream), self.f.draws)

    # the two books

    @cached_property
    def acquired(self) -> _Book:
        """Accounts since acquisition, by cohort, segment and age; and the same segments acquired at as_of."""
        frame = self._acquisitions()
        recent = frame[frame["months"] < 12] if self.table.has_calendar else frame
        new = recent.groupby(list(self.table.by) or ["cohort"], as_index=False, sort=True)[
            ["accounts", "amount", "amount_sq"]
        ].sum()
        if not self.table.by and len(new):
            new = new[["accounts", "amount", "amount_sq"]].sum().to_frame().T
        frame = pd.concat([frame, new.assign(cohort="new", months=0)], ignore_index=True)
        groups, segments = self._groups(frame.assign(tenure=0))
        months = frame["months"].to_numpy(dtype=np.int64)
        groups = Groups(**{**_fields(groups), "months": self.period - months})
        first = np.full(len(frame), self.period / 12 if self.e.timing == "end" else 0.0)
        rows = _Rows.of(list(frame["cohort"]), segments, self.table.by)
        return _Book(groups, rows, first, -months / 12)

    def _acquisitions(self) -> pd.DataFrame:
        if self.table.has_money:
            return self.table.acquisitions
        first = self.table.frame[self.table.frame["tenure"] == 0]
        frame = first[["cohort", *self.table.by]].assign(months=0, accounts=first["at_risk"].astype(float))
        arpa = dict(zip(self.index.segments, self._input("arpa", 3).mean(axis=0), strict=True))
        each = np.array([arpa[label] for label in segment_labels(frame, self.table.by)])
        return frame.assign(amount=each * frame["accounts"], amount_sq=each**2 * frame["accounts"])

    @cached_property
    def in_force(self) -> _Book:
        """Accounts in force at as_of, by cohort, segment, tenure and elapsed part of it."""
        frame = self.table.in_force[self.table.in_force["accounts"] > 0]
        groups, segments = self._groups(frame)
        left = self.period - frame["elapsed"].to_numpy(dtype=np.int64)
        groups = Groups(**{**_fields(groups), "months": left})
        elapsed = frame["elapsed"].to_numpy(dtype=float) / 12
        first = left / 12 if self.e.timing == "end" else np.full(len(frame), np.nan)
        return _Book(groups, _Rows.of(list(frame["cohort"]), segments, self.table.by), first, -elapsed)

    def _groups(self, frame: pd.DataFrame) -> tuple[Groups, list[tuple[str, ...]]]:
        at = self.index.positions(frame, self.table.by)
        segments = segment_labels(frame, self.table.by)
        unseen = {"segment": self.index.shape.segments, "cohort": self.index.shape.cohorts}
        position = {n: np.where(at[n] < 0, last, at[n]).astype(np.int64) for n, last in unseen.items()}
        amounts = {n: frame[n].to_numpy(dtype=float) for n in ("accounts", "amount", "amount_sq")}
        tenure = frame["tenure"].to_numpy(dtype=np.int64)
        return Groups(**position, tenure=tenure, months=np.zeros(len(frame), dtype=np.int64), **amounts), segments

    # payments

    def _steps(self) -> int:
        return int(np.ceil(self.e.horizon_years * 12 / self.period)) + 1

    def _payment(self, book: _Book, step: int) -> tuple[Floats, Floats]:
        """Years to the payment of a step, and how much of it is valued: 1 within the horizon, else 0."""
        years = book.first_payment + step * self.period / 12
        if np.isnan(book.first_payment).any():  # paid at the opening; that of step 0 is past
            years = book.opening + step * self.period / 12
            return years, ((years < self.e.horizon_years - 1e-9) & (step > 0)).astype(float)
        late = years > self.e.horizon_years + 1e-9 if self.e.timing == "end" else years >= self.e.horizon_years - 1e-9
        return years, (~late).astype(float)

    def _margin(self, book: _Book, state: State, size: Floats, fixed: Floats) -> Floats:
        """Margin of a step's payment, (draws, groups), before discounting."""
        g = book.groups
        since = np.maximum(book.opening + state.step * self.period / 12, 0.0)
        price = (1 + self.e.price_increase_annual) ** since
        revenue = state.money * size * (self.per_period * price)
        return revenue * _at(self.margin, g) - state.logo * fixed * _at(self.service, g) * self.period / 12

    def _flows(self, book: _Book, kind: Kind, stream: int) -> Iterator[tuple[State, Floats, Floats]]:
        """State, margin and years to payment of each step, (draws, groups) and (groups,)."""
        size, fixed = self._size(book, kind), book.groups.accounts
        for state in self.f.walk(book.groups, self._steps(), predictive=kind == "predictive", stream=stream):
            years, valued = self._payment(book, state.step)
            yield state, self._margin(book, state, size, fixed) * valued, years

    def _size(self, book: _Book, kind: Kind) -> Floats:
        """Money the groups begin with, (draws, groups): known, but for accounts not yet acquired."""
        g = book.groups
        known = np.repeat(g.amount[None], self.f.draws, axis=0)
        new = np.flatnonzero([cohort == "new" for cohort in self._cohorts(book)])
        if not self.table.has_money:
            arpa = self._input("arpa", 3)
            return _at(arpa, g) * g.accounts
        for i in new:
            n = g.accounts[i]
            mean = g.amount[i] / n
            variance = max(g.amount_sq[i] / n - mean**2, 0.0) / n
            spread = variance * (2 if kind == "predictive" else 1)
            if spread > 1e-12 * mean**2:
                shape = mean**2 / spread
                known[:, i] = n * mean * self.f.rng(8, int(i), KINDS.index(kind)).gamma(shape, size=self.f.draws) / shape
        return known

    def _cohorts(self, book: _Book) -> list[str]:
        labels = (*self.index.cohorts, "new")
        return [labels[i] for i in book.groups.cohort]

    # measures

    def measures(self, kind: Kind) -> dict[str, dict[str, Floats]]:
        """All measures by book and name, each (draws, rows of the book)."""
        out: dict[str, dict[str, Floats]] = {}
        if len(self.acquired.groups.segment):
            out["acquired"] = self._of_acquired(kind)
        if len(self.in_force.groups.segment):
            out["in_force"] = self._of_in_force(kind)
        return out

    def _of_acquired(self, kind: Kind) -> dict[str, Floats]:
        book = self.acquired
        member, accounts = book.rows.member, book.groups.accounts @ book.rows.member
        total, late, margin_so_far, payback = 0.0, 0.0, 0.0, None
        cost = None if self.cac is None else _at(self.cac, book.groups) * book.groups.accounts @ member
        for state, margin, years in self._flows(book, kind, 0):
            worth = margin * (1 + self.e.discount_rate_annual) ** -years
            total, late = total + worth, late + worth * (book.groups.tenure + state.step > self.observed)
            if cost is not None:
                margin_so_far = margin_so_far + margin @ member
                months = state.step * self.period + (self.period if self.e.timing == "end" else 0)
                payback = np.full(cost.shape, np.inf) if payback is None else payback
                payback = np.where((margin_so_far >= cost - 1e-9) & np.isinf(payback), months, payback)
        out = {"cltv": (total @ member) / accounts, "late": late @ member, "worth": total @ member}
        if cost is not None and payback is not None:
            bought = np.array([cohort != REACTIVATED for cohort, _ in book.rows.labels])
            each = np.where(bought, cost / accounts, np.nan)
            out["cltv_net"] = out["cltv"] - each
            with np.errstate(divide="ignore", invalid="ignore"):
                out["cltv_cac"] = np.where(each > 0, out["cltv"] / each, np.nan)
            out["payback_months"] = np.where(bought, payback, np.nan)
        return out | {"arpa": self._size(book, kind) @ member / accounts}

    def _of_in_force(self, kind: Kind) -> dict[str, Floats]:
        book = self.in_force
        g, member = book.groups, book.rows.member
        accounts, amount = g.accounts @ member, g.amount @ member
        total, late = 0.0, 0.0
        years_kept = int(np.ceil(self.e.horizon_years))
        cash = np.zeros((self.f.draws, member.shape[1], years_kept))
        decisions = (12 - g.months) // self.period + 1
        shape = (self.f.draws, len(g.segment))
        ahead = {name: np.zeros(shape) for name in ("nrr", "grr", "logo_retention")}
        for state, margin, years in self._flows(book, kind, 1):
            worth = margin * (1 + self.e.discount_rate_annual) ** -years
            total, late = total + worth, late + worth * (book.groups.tenure + state.step > self.observed)
            year = np.clip(np.ceil(years - 1e-9).astype(int) - 1, 0, years_kept - 1)
            for y in np.unique(year):
                cash[:, :, y] += (margin * (year == y)) @ member
            now = decisions == state.step
            for name, share in (("nrr", state.money), ("grr", state.kept), ("logo_retention", state.logo)):
                ahead[name] = np.where(now, share, ahead[name])
        return {
            "residual": (total @ member) / accounts,
            "total_residual": total @ member,
            "late": late @ member,
            "nrr": (ahead["nrr"] * g.amount) @ member / amount,
            "grr": (ahead["grr"] * g.amount) @ member / amount,
            "logo_retention": (ahead["logo_retention"] * g.accounts) @ member / accounts,
            "arpa": np.repeat((amount / accounts)[None], self.f.draws, axis=0),
            "cash": cash,
        }


    # results

    def beyond(self, parts: dict[str, dict[str, Floats]]) -> float:
        """Share of the expected value of new accounts and of the book at tenures nobody was observed at."""
        late = worth = 0.0
        for book, cohort, total in (("acquired", "new", "worth"), ("in_force", "all", "total_residual")):
            if book in parts:
                labels = self._book(book).rows.labels
                rows = [i for i, label in enumerate(labels) if label == (cohort, tuple("all" for _ in self.table.by))]
                late += float(parts[book]["late"][:, rows].mean(axis=0).sum())
                worth += float(parts[book][total][:, rows].mean(axis=0).sum())
        return late / worth if worth > 0 else 0.0

    def _book(self, name: str) -> _Book:
        return self.acquired if name == "acquired" else self.in_force

    def gathered(self, parts: dict[Kind, dict[str, dict[str, Floats]]]) -> tuple[xr.Dataset, xr.DataArray]:
        """Measures and cash flows as xarray, over the union of the rows of both books."""
        books = sorted(parts["parameter"], reverse=True)  # in force first: its ARPA stands
        labels = sorted({label for book in books for label in self._book(book).rows.labels})
        place = {label: i for i, label in enumerate(labels)}
        chains = self.f.fit.draws["logo"].sizes["chain"]
        shape = (len(KINDS), len(labels), chains, self.f.draws // chains)
        values = {name: np.full(shape, np.nan) for name in MEASURES}
        accounts = {f"accounts_{book}": np.zeros(len(labels)) for book in ("acquired", "in_force")}
        for book in books:
            own = self._book(book)
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
        labels = self.in_force.rows.labels
        rows = [i for i, (cohort, _) in enumerate(labels) if cohort == "all"]
        every = np.stack([parts[kind]["in_force"]["cash"][:, rows] for kind in KINDS])
        every = every.reshape(len(KINDS), chains, -1, *every.shape[2:])
        coords: dict[str, object] = {"kind": list(KINDS), "year": np.arange(1, every.shape[-1] + 1)}
        coords |= {name: ("row", [labels[i][1][k] for i in rows]) for k, name in enumerate(self.table.by)}
        return xr.DataArray(every, dims=("kind", "chain", "draw", "row", "year"), coords=coords, name="cash")


def _at(by_segment: Floats, groups: Groups) -> Floats:
    """Values of each group's segment, (draws, groups); an unseen segment has the mean."""
    every = np.concatenate([by_segment, by_segment.mean(axis=1, keepdims=True)], axis=1)
    return every[:, groups.segment]


def _fields(groups: Groups) -> dict[str, np.ndarray]:
    return {name: getattr(groups, name) for name in Groups.__slots__}
