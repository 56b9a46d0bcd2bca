"""What a table says of the assumptions of the models: spend, timing, calendar and season."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from scipy import stats

from lifeworth._ops import Array
from lifeworth.errors import (
    CalendarWarning,
    DataError,
    LifeworthWarning,
    SeasonWarning,
    ShortHistoryWarning,
    SpendWarning,
    TimingWarning,
)
from lifeworth.ledger import PurchaseTable
from lifeworth.transactional.buckets import MEAN_OF, observed_buckets, whole_buckets
from lifeworth.transactional.drift import Buckets
from lifeworth.transactional.model import counts, per_year
from lifeworth.transactional.results import PurchaseFit

_REPEATS: Final = 1000
_SMALL: Final = 0.05
_SHORT: Final = 8


@dataclass(frozen=True, slots=True, eq=False)
class SpendCheck:
    """Whether those who buy more often spend more per purchase.

    Attributes
    ----------
    correlation, low, high : float
        Pearson's correlation over customers with paid repeats of frequency and mean spend per purchase, and its 95%
        bootstrap interval. Where spend is independent of frequency, as GammaGamma says, it is zero: the mean spend
        varies less for those who buy often, but is the same on average.
    by_frequency : DataFrame
        frequency (1, 2, 3-4, 5-9, 10+), customers, mean spend per purchase of a customer, its standard error.
    """

    correlation: float
    low: float
    high: float
    by_frequency: pd.DataFrame

    @property
    def refuted(self) -> bool:
        """Whether zero lies outside the interval, by a correlation of at least 0.05."""
        return (self.low > 0 or self.high < 0) and abs(self.correlation) >= _SMALL


def spend_check(fit: PurchaseFit | PurchaseTable) -> SpendCheck:
    """Test that spend per purchase does not depend on how often a customer buys.

    Parameters
    ----------
    fit : PurchaseFit or PurchaseTable

    Returns
    -------
    SpendCheck

    Raises
    ------
    DataError
        Fewer than ten customers with paid repeat purchases.
    """
    table = fit.table if isinstance(fit, PurchaseFit) else fit
    x, mean, n = (table.spend[name].to_numpy(dtype=float) for name in ("frequency", "mean", "customers"))
    if n.sum() < 10:
        raise DataError(f"{n.sum():.0f} customers have paid repeat purchases: too few for a correlation.")
    rng = np.random.default_rng(17)
    again = [_correlation(rng.multinomial(int(n.sum()), n / n.sum(), size=10), x, mean) for _ in range(_REPEATS // 10)]
    low, high = np.nanquantile(np.concatenate(again), [0.025, 0.975])
    edges, names = [1, 2, 3, 5, 10, np.inf], ["1", "2", "3-4", "5-9", "10+"]
    rows = []
    for name, a, b in zip(names, edges[:-1], edges[1:], strict=True):
        w = n * ((x >= a) & (x < b))
        if w.sum() > 0:
            level = (w * mean).sum() / w.sum()
            error = np.sqrt((w * (mean - level) ** 2).sum()) / w.sum()
            rows.append({"frequency": name, "customers": int(w.sum()), "mean_spend": level, "se": error})
    correlation = float(_correlation(n[None], x, mean)[0])
    return SpendCheck(correlation, float(low), float(high), pd.DataFrame(rows))


def _correlation(weights: Array, x: Array, y: Array) -> Array:
    """Correlation under each row of weights."""
    total = weights.sum(axis=1)
    mx, my = weights @ x / total, weights @ y / total
    cov = weights @ (x * y) / total - mx * my
    spread = (weights @ x**2 / total - mx**2) * (weights @ y**2 / total - my**2)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(spread > 1e-18, cov / np.sqrt(np.maximum(spread, 1e-300)), 0.0)


@dataclass(frozen=True, slots=True)
class TimingCheck:
    """How regularly customers buy.

    Attributes
    ----------
    regularity, low, high : float
        The shape k of Erlang (gamma) times between purchases and its 95% interval: 1 is at random (exponential, as
        BGNBD, MBGNBD and ParetoNBD say), above it purchases come at more even distances, below it in bursts.
    customers : int
        With at least two repeats, whose last two gaps were compared.
    """

    regularity: float
    low: float
    high: float
    customers: int

    @property
    def refuted(self) -> bool:
        """Whether purchases come more regularly than at random: the whole interval is above 1.1."""
        return self.low > 1.1


def timing_check(fit: PurchaseFit | PurchaseTable) -> TimingCheck:
    """Estimate how regular purchases are, from how a customer's last two gaps share the time of both.

    At random the share of one gap is uniform, whatever the customer's rate. With gaps of k-Erlang law its variance is
    1 / (4 (2k + 1)). Gaps are whole days of at least one, for which the uniform law of whole numbers is taken.

    Parameters
    ----------
    fit : PurchaseFit or PurchaseTable

    Returns
    -------
    TimingCheck
        With fewer than ten customers nothing is known: the interval is (0, inf).

    Source: Wheat & Morrison (1990), J. Marketing Research 27(1), 87-93.
    """
    gaps = (fit.table if isinstance(fit, PurchaseFit) else fit).gaps
    gaps = gaps[gaps["days"] > 2]
    s, n = gaps["days"].to_numpy(dtype=float), gaps["customers"].to_numpy(dtype=float)
    if n.sum() < 10:
        return TimingCheck(np.nan, 0.0, np.inf, int(n.sum()))
    steps = s - 1
    second, fourth = (steps**2 - 1) / 12, (steps**2 - 1) * (3 * steps**2 - 7) / 240
    expected = (n * second / s**2).sum()
    ratio = (gaps["squared"].to_numpy() / 4 / s**2).sum() / expected
    error = np.sqrt((n * (fourth - second**2) / s**4).sum()) / expected
    low, high = (max(ratio * (1 + z * error), 1e-9) for z in (-1.96, 1.96))
    k = [(3 / r - 1) / 2 for r in (ratio, high, low)]
    return TimingCheck(float(k[0]), float(max(k[1], 0.0)), float(k[2]), int(n.sum()))


def calendar_check(fit: PurchaseFit) -> pd.DataFrame:
    """Repeat purchases by calendar bucket beside what the model expects without drift.

    Parameters
    ----------
    fit : PurchaseFit

    Returns
    -------
    DataFrame
        bucket (0 is the last up to as_of), observed, expected and ratio. No row where fewer than three buckets have
        five purchases expected, or where a bucket is no whole number of opportunities.
    """
    found = _buckets(fit)
    if found is None:
        return pd.DataFrame(columns=["bucket", "observed", "expected", "ratio"])
    frame = pd.DataFrame({"bucket": np.arange(1 - len(found.seen), 1), "observed": found.seen})
    frame = frame.assign(expected=found.expected)
    return frame.assign(ratio=frame["observed"] / frame["expected"])


def _buckets(fit: PurchaseFit) -> Buckets | None:
    if fit.model.drift:
        return fit.buckets
    if counts(fit.model.purchases) and not whole_buckets(fit.model.purchases, fit.table):
        return None
    every = fit.draws["purchases"].sizes["chain"] * fit.draws["purchases"].sizes["draw"]
    theta = fit.theta("purchases", thin=max(1, every // MEAN_OF))
    return observed_buckets(fit.model.purchases, fit.table, fit.index, theta)


def purchase_notes(fit: PurchaseFit) -> Iterator[tuple[type[LifeworthWarning], str]]:
    """Everything `fit_purchases` warns of."""
    if fit.model.spend is not None and fit.table.spend["customers"].sum() >= 10:
        yield from _spend(spend_check(fit))
    if not counts(fit.model.purchases):
        yield from _timing(timing_check(fit))
    yield from _calendar(fit)


def _spend(check: SpendCheck) -> Iterator[tuple[type[LifeworthWarning], str]]:
    if check.refuted:
        way = "more" if check.correlation > 0 else "less"
        yield (
            SpendWarning,
            f"who buys more often spends {way} per purchase: correlation {check.correlation:.2f} (95% {check.low:.2f} "
            f"to {check.high:.2f}). The models take both as independent, so the value of frequent buyers is "
            f"{'under' if check.correlation > 0 else 'over'}stated. See lw.spend_check(fit).by_frequency.",
        )


def _timing(check: TimingCheck) -> Iterator[tuple[type[LifeworthWarning], str]]:
    if check.refuted:
        yield (
            TimingWarning,
            f"purchases come more regularly than at random: k = {check.regularity:.2f} (95% {check.low:.2f} to "
            f"{check.high:.2f}), 1 is at random. A long silence says more of leaving than these models can read.",
        )


def _calendar(fit: PurchaseFit) -> Iterator[tuple[type[LifeworthWarning], str]]:
    frame = calendar_check(fit)
    if frame.empty:
        if fit.model.drift:
            yield (
                ShortHistoryWarning,
                f"fewer than three calendar buckets ({fit.table.calendar}) have five purchases expected: no drift was "
                "fitted, and the bands are those of a world that stays as it was.",
            )
        return
    if len(frame) < _SHORT and fit.model.drift:
        yield (
            ShortHistoryWarning,
            f"{len(frame)} calendar buckets ({fit.table.calendar}) are observed, fewer than {_SHORT}: how far "
            "purchases drift is mostly prior, and so is the width of the band.",
        )
    busy = frame[frame["expected"] >= 5]
    busy = busy.assign(expected=busy["expected"] * busy["observed"].sum() / max(busy["expected"].sum(), 1.0))
    far = ((busy["observed"] - busy["expected"]) ** 2 / (2 * busy["expected"])).sum()
    off = (busy["observed"] - busy["expected"]).abs().sum() / max(busy["expected"].sum(), 1.0)
    p_value = float(stats.chi2.sf(far, max(len(busy) - 1, 1)))
    if "drift" not in fit.draws and p_value < 0.01 and off > _SMALL:
        yield (
            CalendarWarning,
            f"purchases moved over calendar time more than a model without it allows (p = {p_value:.3f}, {off:.0%} of "
            "purchases are misplaced): its bands will not hold. Fit with drift=True.",
        )
    if "drift" not in fit.draws:
        yield from _season(busy, fit.table.buckets_per_year)
    elif "season" in fit.draws["drift"] and counts(fit.model.purchases):
        yield from _young(fit)


def _young(fit: PurchaseFit) -> Iterator[tuple[type[LifeworthWarning], str]]:
    """The drift has a season; opportunities are counted alike at every time of year."""
    swing = float(fit.draws["drift"]["season"].mean(("chain", "draw")).std())
    within = fit.history.age < (1 - _SMALL) * per_year(fit.model.purchases)
    young = float(fit.table.customers @ within / fit.table.customers.sum())
    if swing > 2 * _SMALL and young > 2 * _SMALL:
        yield (
            SeasonWarning,
            f"purchases follow the season (swing {swing:.0%}), which the drift has a term for. But {young:.0%} of the "
            "customers are observed for less than a year, and what they bought is read as if every time of year were "
            "alike: their cohorts are over- or understated. Hold the forecast against a known period (lw.track).",
        )


def _season(frame: pd.DataFrame, per_year: int) -> Iterator[tuple[type[LifeworthWarning], str]]:
    """Two years at least, whose buckets are alike from year to year."""
    if per_year < 2 or len(frame) < 2 * per_year + 2:
        return
    level = np.log(np.maximum(frame["ratio"].to_numpy(), 1e-3))
    around = (
        level
        - np.convolve(np.pad(level, per_year // 2, mode="edge"), np.ones(per_year) / per_year, "same")[
            per_year // 2 : per_year // 2 + len(level)
        ]
    )
    alike = float(np.corrcoef(around[:-per_year], around[per_year:])[0, 1])
    if alike > 2 / np.sqrt(len(level) - per_year) and around.std() > _SMALL:
        yield (
            SeasonWarning,
            f"purchases follow the season (correlation of a bucket with that of a year before {alike:.2f}, swing "
            f"{around.std():.0%}): without a term for it no single bucket is forecast well. Fit with drift=True.",
        )
