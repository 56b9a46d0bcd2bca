"""Holdouts of purchases: repeat purchases by bucket and by frequency beside their bands."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd

from lifeworth._ops import Array
from lifeworth.backtesting.scores import forecast_row, inside
from lifeworth.errors import DataError
from lifeworth.ledger import PurchaseTable
from lifeworth.purchases import DAYS_PER_YEAR
from lifeworth.transactional.ahead import Who, clock, drawn_ahead, known_customers
from lifeworth.transactional.buckets import MEAN_OF, bucket_length, expected_by_bucket
from lifeworth.transactional.model import counts, per_year
from lifeworth.transactional.results import PurchaseFit

_DRAWS: Final = 400
_BINS: Final = 7


@dataclass(frozen=True, slots=True, eq=False)
class Tracking:
    """Repeat purchases by calendar bucket: what happened, and what was forecast.

    Attributes
    ----------
    fit : PurchaseFit
    units : DataFrame
        One row per `measure` (incremental, cumulative) and bucket: the `by` columns ("all" is the total), observed,
        mean, and for the buckets after as_of the quantiles p025 to p975, crps and pit of the predictive draws. Buckets
        up to as_of show what the model expects of new customers without drift. Cumulative counts begin at as_of.
    """

    fit: PurchaseFit
    units: pd.DataFrame

    def table(self) -> pd.DataFrame:
        """The buckets after as_of."""
        return self.units[self.units["bucket"] > 0].reset_index(drop=True)

    def scores(self) -> pd.DataFrame:
        """By measure: n, bias, mae, crps, width_80, coverage_80 and coverage_90, over all rows after as_of."""
        return _scores(self.table(), ["measure"])


def track(fit: PurchaseFit, later: PurchaseTable | None = None, *, drift: bool = True) -> Tracking:
    """Cumulative and incremental repeat purchases after as_of, with predictive bands beside what happened.

    Parameters
    ----------
    fit : PurchaseFit
    later : PurchaseTable, optional
        A table of the same customers at the same as_of with later purchases (`purchase_table(as_of=...)` of a ledger
        that ends later); None is the table that was fitted.
    drift : bool
        False leaves what the drift will do after as_of out of the bands. For the model alone fit with drift=False.

    Returns
    -------
    Tracking

    Raises
    ------
    DataError
        There is no later bucket, or the tables are not of the same customers.
    """
    table = _later(fit, later)
    ahead = int(table.activity["bucket"].max())
    if ahead < 1:
        raise DataError("no whole calendar bucket lies after as_of. Hold out more, or make the buckets shorter.")
    who, by = known_customers(fit), table.by
    segments = len(fit.index.segments)
    who = replace(who, group=who.unit % segments, groups=segments)
    length = bucket_length(fit.model.purchases, table)
    drawn = _drawn(fit, who, np.arange(1, ahead + 1) * length, drift=drift)
    names: list[tuple[str, ...]] = [tuple("all" for _ in by)]
    sums = [drawn.sum(axis=2)]
    if by:
        names += list(fit.index.segments)
        sums += [drawn[:, :, i] for i in range(segments)]
    rows = []
    for labels, draws in zip(names, sums, strict=True):
        seen = _seen(table, labels).reindex(range(1, ahead + 1), fill_value=0).to_numpy(dtype=float)
        for measure, x, y in (
            ("incremental", draws, seen),
            ("cumulative", draws.cumsum(axis=0), seen.cumsum()),
        ):
            for k in range(ahead):
                known = dict(zip(by, labels, strict=True)) | {"measure": measure, "bucket": k + 1}
                rows.append(known | forecast_row(x[k], float(y[k])))
    return Tracking(fit, pd.concat([_fitted(fit, table), pd.DataFrame(rows)], ignore_index=True))


def _seen(table: PurchaseTable, labels: tuple[str, ...]) -> pd.Series:
    found = table.activity
    for name, label in zip(table.by, labels, strict=True):
        found = found if label == "all" else found[found[name] == label]
    return found.groupby("bucket")["purchases"].sum()


def _fitted(fit: PurchaseFit, table: PurchaseTable) -> pd.DataFrame:
    """What was observed up to as_of in all, and what the model expects of new customers."""
    seen = _seen(table, tuple("all" for _ in table.by))
    buckets = np.arange(int(seen.index.min()), 1)
    theta = fit.theta("purchases", thin=_thin(fit, MEAN_OF))
    unit = fit.unit_of(fit.table.frame)
    expected = expected_by_bucket(fit.model.purchases, fit.table, theta, unit, buckets, fit.buckets).mean(axis=1)
    frame = pd.DataFrame(
        {"bucket": buckets, "measure": "incremental", "mean": expected, **dict.fromkeys(table.by, "all")}
    )
    return frame.assign(observed=seen.reindex(buckets, fill_value=0).to_numpy(dtype=float))


@dataclass(frozen=True, slots=True, eq=False)
class ByFrequency:
    """Purchases per customer after as_of, by repeat purchases before it.

    Attributes
    ----------
    fit : PurchaseFit
    units : DataFrame
        One row per frequency ("0" to "6", "7+"): customers, observed and mean purchases per customer, the quantiles
        p025 to p975, crps and pit of the predictive draws.
    """

    fit: PurchaseFit
    units: pd.DataFrame

    def table(self) -> pd.DataFrame:
        """The bins."""
        return self.units

    def scores(self) -> pd.DataFrame:
        """n, bias, mae, crps, width_80, coverage_80 and coverage_90 over the bins."""
        return _scores(self.units.assign(measure="by frequency"), ["measure"])


def by_frequency(fit: PurchaseFit, later: PurchaseTable | None = None, *, drift: bool = True) -> ByFrequency:
    """Conditional expectation: later purchases per customer by how often it bought before, with predictive bands.

    Parameters
    ----------
    fit, later, drift
        As in `track`.

    Returns
    -------
    ByFrequency

    Raises
    ------
    DataError
        As in `track`.
    """
    table = _later(fit, later)
    assert table.until is not None
    model, who = fit.model.purchases, known_customers(fit)
    years = (table.until - table.as_of).days / DAYS_PER_YEAR
    horizon = max(np.rint(years * per_year(model)), 1.0) if counts(model) else years
    bins = np.minimum(table.frame["frequency"].to_numpy(), _BINS)
    used = np.unique(bins)
    at = np.searchsorted(used, bins)
    who = replace(who, group=at, groups=len(used))
    drawn = _drawn(fit, who, np.array([horizon]), drift=drift)[0]
    customers = np.bincount(at, table.customers)
    seen = np.bincount(at, table.frame["later_purchases"])
    rows = []
    for i, name in enumerate(used):
        label = f"{name}+" if name == _BINS else str(name)
        row = forecast_row(drawn[:, i] / customers[i], float(seen[i] / customers[i]))
        rows.append({"frequency": label, "customers": int(customers[i]), **row})
    return ByFrequency(fit, pd.DataFrame(rows))


def _later(fit: PurchaseFit, later: PurchaseTable | None) -> PurchaseTable:
    table = fit.table if later is None else later
    if table.until is None:
        raise DataError("the table knows nothing after its as_of: make it with an earlier as_of than the ledger's.")
    keys = ["cohort", *fit.table.by, "frequency", "recency", "age", "customers"]
    if table.calendar != fit.table.calendar:
        raise DataError(f"the later table has buckets of {table.calendar}, the fit's of {fit.table.calendar}.")
    same = table.as_of == fit.table.as_of and list(table.frame.columns[: len(keys)]) == keys
    if not same or not table.frame[keys].equals(fit.table.frame[keys]):
        raise DataError(
            "the later table does not hold the customers that were fitted, at the same as_of, grid and cohort."
        )
    return table


def _thin(fit: PurchaseFit, draws: int = _DRAWS) -> int:
    sizes = fit.draws["purchases"].sizes
    return int(max(1, -(-sizes["chain"] * sizes["draw"] // draws)))


def _drawn(fit: PurchaseFit, who: Who, edges: Array, *, drift: bool) -> Array:
    """Purchases of each interval and group, (intervals, draws, groups)."""
    thin, rng = _thin(fit), np.random.default_rng([fit.seed, 29])
    time = clock(fit, edges, rng, thin=thin)
    if not drift:
        time = replace(time, expected=np.ones_like(time.expected), drawn=np.ones_like(time.drawn))
    theta = fit.theta("purchases", thin=thin)
    found = np.zeros((len(edges), len(time.drawn), who.groups))
    for part, _, purchases, _ in drawn_ahead(fit, who, theta, None, time, rng):
        found[:, part] = purchases
    return found


def _scores(units: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    error = units["mean"] - units["observed"]
    each = units[keys].assign(
        bias=error,
        mae=(units["p50"] - units["observed"]).abs(),
        crps=units["crps"],
        width_80=units["p90"] - units["p10"],
        coverage_80=inside(units, 0.8).astype(float),
        coverage_90=inside(units, 0.9).astype(float),
    )
    grouped = each.groupby(keys, sort=False)
    return grouped.mean().assign(n=grouped.size()).reset_index()
