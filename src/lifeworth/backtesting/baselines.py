"""The forecasts people make without a model: one rate carried forward, with the noise of a sample behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lifeworth.backtesting.scores import Draws
from lifeworth.forecasting.groups import State
from lifeworth.indexing import money_counts
from lifeworth.ledger import CohortTable

type Floats = NDArray[np.float64]

_MONEY = ["opening", "opening_sq", "churned_amount", "expansion", "contraction"]


@dataclass(frozen=True, slots=True)
class Baseline:
    """A rate carried forward.

    Parameters
    ----------
    about : str
        In words.
    cells : callable
        The cells of a table that the rate is taken from.
    keys : callable
        The columns by which it is taken; none is one rate for all.
    point : bool
        The rate as it is, for accounts and money alike and without growth: a number without a band.
    """

    about: str
    cells: Callable[[CohortTable], pd.DataFrame]
    keys: Callable[[CohortTable], tuple[str, ...]]
    point: bool = False


def _all(table: CohortTable) -> pd.DataFrame:
    return table.frame


def _last(table: CohortTable) -> pd.DataFrame:
    return table.frame[table.frame["bucket"] == table.frame["bucket"].max()]


def _trailing(table: CohortTable) -> pd.DataFrame:
    """The trailing twelve months, as the formulas of a comparison take them."""
    return table.frame[table.frame["bucket"] > -12 / table.months_per_bucket]


def _by(table: CohortTable) -> tuple[str, ...]:
    return table.by


BASELINES: Mapping[str, Baseline] = {
    "constant": Baseline("the blended rate of everything observed", _all, lambda _: ()),
    "segment_constant": Baseline("each segment's rate over everything observed", _all, _by),
    "last_bucket": Baseline("each segment's rate in the last observed bucket", _last, _by),
    "tenure_curve": Baseline("the empirical rate by tenure; beyond the last, that one's", _all, lambda _: ("tenure",)),
    "formula": Baseline(
        "each segment's logo churn of the trailing twelve months, as ARPA x margin / churn uses it",
        _trailing,
        _by,
        True,
    ),
}
"""Every baseline by name."""


def held_out(baseline: Baseline, table: CohortTable, held: pd.DataFrame, rng: np.random.Generator, draws: int) -> Draws:
    """Draws of each held-out cell's shares: logo retention and, with money, revenue retained and NRR.

    Parameters
    ----------
    baseline : Baseline
    table : CohortTable
        What was known at the origin.
    held : DataFrame
        The cells to forecast.
    rng : Generator
    draws : int

    Returns
    -------
    mapping of str to array (draws, cells); one draw for a point.
    """
    carried = _Carried.of(baseline, table, rng, draws)
    cells = carried.known(held)
    n = _whole(cells["at_risk"])
    stayed = carried.logo.survivors(n[None], cells, rng) / n
    if not table.has_money:
        return {"logo_retention": stayed}
    effective = _effective(cells)
    kept = stayed if baseline.point else carried.money.survivors(effective[None], cells, rng) / effective
    added, left = carried.growth(cells)
    return {"logo_retention": stayed, "revenue_retained": kept * left, "nrr": kept * (left + added)}


def carried_on(
    baseline: Baseline, table: CohortTable, book: pd.DataFrame, steps: int, rng: np.random.Generator, draws: int
) -> Iterator[State]:
    """The accounts of a book at each step, from none decided to `steps` decisions; the rate is the same all along.

    Parameters
    ----------
    baseline, table, rng, draws
        As in `held_out`.
    book : DataFrame
        The `by` columns, tenure, accounts, amount, amount_sq of each group.
    steps : int
        Decisions ahead.

    Yields
    ------
    State, (draws, groups); (1, groups) for a point.
    """
    carried = _Carried.of(baseline, table, rng, draws)
    book = book.assign(opening=book["amount"], opening_sq=book["amount_sq"])
    begun, effective = _whole(book["accounts"]), _effective(book)
    shape = (1 if baseline.point else draws, len(book))
    accounts, money = np.broadcast_to(begun, shape), np.broadcast_to(effective, shape)
    grown, kept = np.ones(len(book)), np.ones(len(book))
    for step in range(steps + 1):
        yield State(step, accounts / begun, money / effective * grown, money / effective * kept)
        cells = carried.known(book.assign(tenure=book["tenure"] + step))
        accounts = carried.logo.survivors(accounts, cells, rng)
        money = carried.money.survivors(money, cells, rng)
        added, left = carried.growth(cells)
        grown, kept = grown * (left + added), kept * left


@dataclass(frozen=True, slots=True)
class _Rate:
    """A rate of leaving by key, with the blended one as the last for keys never seen."""

    position: pd.Series
    draws: Floats
    point: bool

    @classmethod
    def of(cls, past: pd.DataFrame, keys: list[str], rng: np.random.Generator, draws: int, *, point: bool) -> _Rate:
        """From the cells that agree on the keys: the share itself, or draws of its Jeffreys posterior."""
        sums = past.groupby(keys)[["at_risk", "churned"]].sum()
        churned, at_risk = (np.append(sums[name], sums[name].sum()).astype(float) for name in ("churned", "at_risk"))
        position = pd.Series(np.arange(len(sums)), index=sums.index)
        if point:
            return cls(position, (churned / np.maximum(at_risk, 1.0))[None], point)
        return cls(position, rng.beta(churned + 0.5, at_risk - churned + 0.5, size=(draws, len(churned))), point)

    def survivors(self, n: Floats, cells: pd.DataFrame, rng: np.random.Generator) -> Floats:
        """How many of n stay, (draws, cells): a binomial, or for a point the expected number."""
        stay = 1 - self.draws[:, _looked_up(self.position, cells, len(self.position)).astype(np.int64)]
        return n * stay if self.point else rng.binomial(n.astype(np.int64), stay).astype(float)


@dataclass(frozen=True, slots=True)
class _Carried:
    """The rates of a baseline by accounts and by money, and by key the growth and contraction of survivors' money."""

    logo: _Rate
    money: _Rate
    added: pd.Series
    lost: pd.Series
    blended: tuple[float, float]
    top: int

    @classmethod
    def of(cls, baseline: Baseline, table: CohortTable, rng: np.random.Generator, draws: int) -> _Carried:
        keys, top = ["every", *baseline.keys(table)], int(table.frame["tenure"].max())
        past = baseline.cells(table).assign(every=0)
        logo = _Rate.of(past, keys, rng, draws, point=baseline.point)
        sums = past.groupby(keys)[_MONEY].sum()
        if baseline.point or not table.has_money:
            return cls(logo, logo, sums["opening"] * 0.0, sums["opening"] * 0.0, (0.0, 0.0), top)
        money = _Rate.of(money_counts(sums.reset_index()), keys, rng, draws, point=False)
        survivors = sums["opening"] - sums["churned_amount"]
        base, every = survivors.where(survivors > 0), max(float(survivors.sum()), 1e-9)
        blended = (float(sums["expansion"].sum()) / every, float(sums["contraction"].sum()) / every)
        return cls(logo, money, sums["expansion"] / base, sums["contraction"] / base, blended, top)

    def known(self, cells: pd.DataFrame) -> pd.DataFrame:
        """The cells as the rates know them: tenures beyond the last observed are that one."""
        return cells.assign(every=0, tenure=cells["tenure"].clip(upper=self.top))

    def growth(self, cells: pd.DataFrame) -> tuple[Floats, Floats]:
        """Money added to each cell's survivors, and the share of theirs that is not lost by contraction."""
        added, lost = self.blended
        return _looked_up(self.added, cells, added), 1 - _looked_up(self.lost, cells, lost)


def _effective(cells: pd.DataFrame) -> NDArray[np.float64]:
    """Accounts of equal size that would carry the noise of the money, at least one."""
    squares = cells["opening_sq"].where(cells["opening_sq"] > 0)
    return _whole((cells["opening"] ** 2 / squares).fillna(1.0))


def _whole(n: pd.Series) -> Floats:
    return np.maximum(np.rint(n.to_numpy(dtype=float)), 1.0)


def _looked_up(by_key: pd.Series, cells: pd.DataFrame, missing: float) -> Floats:
    """The value of each cell's key; `missing` where the key was never seen or has none."""
    keys = list(by_key.index.names)
    found = cells[keys].merge(by_key.rename("found"), left_on=keys, right_index=True, how="left")["found"]
    return found.fillna(missing).to_numpy(dtype=float)
