"""Simulated ledgers whose truth is known: a world of segments, its spells, and what its accounts are worth.

Everything is monthly. Months of the history are numbered from 0; the last one ends at `as_of`. Accounts are
acquired on days 1 to 28 and leave, grow or shrink only on their monthly anniversaries, so that the discrete
law holds exactly. The truth is a plain recursion; `datasets` turns it into present values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from numpy.typing import ArrayLike

from lifeworth.errors import DefinitionError
from lifeworth.ledger.months import is_month_end

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_NEVER: Final = np.iinfo(np.int64).max
_PRODUCTS: Final = ("base", "add-on")


@dataclass(frozen=True)
class SegmentWorld:
    """The law of one segment; money per month, probabilities and rates per month.

    Attributes
    ----------
    labels : tuple of str
        Its values of the world's `by` columns.
    accounts_per_month : int or float
        New logos a month: exactly that many if int, Poisson with that mean if float.
    arpa : float
        Mean starting amount.
    hazard : tuple of float, or callable from tenure to float
        Probability of leaving during tenure 0, 1, ...; a tuple's last value is carried on.
    arpa_spread : float
        Sd of the log starting amount (lognormal); 0 makes all equal.
    expansion_monthly, contraction_monthly : float
        Expected share of the survivors' opening money added, or lost, at an anniversary.
    expansion_jump, contraction_jump : float
        Mean relative size of one event, uniform from half to one and a half of it; an event happens with
        probability rate / jump, and never both at once.
    size_churn : float
        Slope of the log hazard on the standardised log starting amount.
    add_on_share, return_share : float
        Share of expansions sold as an overlapping add-on; share of losses that come back after 2 to 6 months,
        with their last amount and under the law of a new account.
    channels : mapping of str to float, optional
        Shares of acquisition channels, summing to 1; they do not change the law.
    """

    labels: tuple[str, ...]
    accounts_per_month: float
    arpa: float
    hazard: tuple[float, ...] | Callable[[int], float]
    arpa_spread: float = 0.0
    expansion_monthly: float = 0.0
    expansion_jump: float = 0.25
    contraction_monthly: float = 0.0
    contraction_jump: float = 0.25
    size_churn: float = 0.0
    add_on_share: float = 0.0
    return_share: float = 0.0
    channels: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        events = self.event_probabilities
        shares = (self.add_on_share, self.return_share, sum(events), *events)
        rules = {
            "accounts_per_month is negative": self.accounts_per_month < 0,
            "arpa is not positive": not self.arpa > 0,
            "arpa_spread is negative": self.arpa_spread < 0,
            "hazard is an empty tuple": self.hazard == (),
            "contraction_jump is above 0.6": self.contraction_jump > 0.6,
            "size_churn needs an arpa_spread": self.size_churn != 0 and not self.arpa_spread,
            "a share, or rate / jump, is outside 0 to 1": not all(0 <= share <= 1 for share in shares),
            "channels do not sum to 1": not np.isclose(sum((self.channels or {"": 1.0}).values()), 1.0),
        }
        _refuse(f"segment {self.labels}", rules)
        self.hazards(np.arange(len(self.hazard) if isinstance(self.hazard, tuple) else 1))

    @property
    def event_probabilities(self) -> tuple[float, float]:
        """Probability that a survivor's amount rises, and that it falls, at an anniversary."""
        return self.expansion_monthly / self.expansion_jump, self.contraction_monthly / self.contraction_jump

    def hazards(self, tenure: ArrayLike) -> Floats:
        """Probability of leaving during each tenure, before any shift."""
        ages, place = np.unique(np.asarray(tenure, dtype=np.int64), return_inverse=True)
        if isinstance(self.hazard, tuple):
            law = np.asarray(self.hazard, dtype=float)[np.minimum(ages, len(self.hazard) - 1)]
        else:
            law = np.array([self.hazard(int(age)) for age in ages], dtype=float)
        outside = not np.all((law >= 0) & (law < 1))
        _refuse(f"segment {self.labels}", {"hazard leaves [0, 1)": outside})
        return law[place]


@dataclass(frozen=True)
class World:
    """Segments over a common history.

    Attributes
    ----------
    segments : tuple of SegmentWorld
        All with labels for every column of `by`; channels in all of them or in none.
    months : int
        Length of the history; acquisitions in each of its months 0 .. months - 1.
    as_of : date
        Last day of the last month (a month end: an account acquired in month m has then completed
        months - 1 - m tenures).
    by : tuple of str
        Names of the segment columns.
    calendar : tuple of float
        Shift of log hazard for tenures that end in month 0, 1, ...; empty for none, else one for each month.
        After `as_of` the last value is carried on.
    quality : tuple of float
        Shift of log hazard at tenure 0 of accounts acquired in month 0, 1, ...; empty for none. It halves
        every `quality_half_life` months of tenure; an account acquired after the history has none.
    """

    segments: tuple[SegmentWorld, ...]
    months: int
    as_of: date
    by: tuple[str, ...] = ("segment",)
    calendar: tuple[float, ...] = ()
    quality: tuple[float, ...] = ()
    quality_half_life: float = 6.0

    def __post_init__(self) -> None:
        channels = [segment.channels is not None for segment in self.segments]
        rules = {
            "it has no segment": not self.segments,
            "months is not at least 1": self.months < 1,
            "as_of is not a month end": not is_month_end(self.as_of),
            "labels do not match `by`": any(len(s.labels) != len(self.by) for s in self.segments),
            "calendar is not one shift a month": len(self.calendar) not in {0, self.months},
            "quality is not one shift a month": len(self.quality) not in {0, self.months},
            "only some segments have channels": any(channels) and not all(channels),
        }
        _refuse("the world", rules)

    def segment(self, *labels: str) -> SegmentWorld:
        """Find a segment by its labels, in the order of `by`."""
        for segment in self.segments:
            if segment.labels == labels:
                return segment
        raise DefinitionError(f"no segment {labels}. Use one of: {[s.labels for s in self.segments]}.")

    def shift(self, acquired_month: ArrayLike, tenure: ArrayLike) -> Floats:
        """Shift of log hazard of accounts acquired in a month, during a tenure: calendar and quality."""
        month, age = np.asarray(acquired_month, dtype=np.int64), np.asarray(tenure, dtype=np.int64)
        calendar = np.asarray(self.calendar or (0.0,))
        quality = np.asarray((*self.quality, 0.0))
        start = quality[np.minimum(month, len(quality) - 1)]
        level = calendar[np.minimum(month + age + 1, len(calendar) - 1)]
        return np.asarray(level + start * 0.5 ** (age / self.quality_half_life))


def true_hazard(
    world: World, segment: SegmentWorld, acquired_month: ArrayLike, tenure: ArrayLike, size: ArrayLike = 0.0
) -> Floats:
    """Probability of leaving during a tenure, given that it is reached.

    1 - (1 - hazard)^exp(shift + size_churn * size): a shift acts on the log cumulative-hazard increment.

    Parameters
    ----------
    acquired_month, tenure : array_like of int
        Month of the history, and completed months since.
    size : array_like
        Standardised log starting amount.
    """
    age = np.asarray(tenure, dtype=np.int64)
    eta = world.shift(acquired_month, age) + segment.size_churn * np.asarray(size)
    return np.asarray(-np.expm1(np.log1p(-segment.hazards(age)) * np.exp(eta)))


def true_path(world: World, segment: SegmentWorld, *, months: int, acquired_month: int | None = None) -> pd.DataFrame:
    """Give the accounts and the money per month expected at the opening of tenures, per acquired account.

    The expectation over starting amounts, which matters if there is `size_churn`, is a Gauss-Hermite sum.

    Parameters
    ----------
    months : int
        Rows wanted: tenures 0 .. months - 1.
    acquired_month : int, optional
        Month of the history; None for an account acquired at `as_of`, which has no quality of its own.

    Returns
    -------
    DataFrame
        Columns tenure, logos (1 at tenure 0), revenue (`arpa` at tenure 0).

    Examples
    --------
    >>> smb = SegmentWorld(("SMB",), 10, arpa=100.0, hazard=(0.10,), expansion_monthly=0.05)
    >>> true_path(World((smb,), 3, date(2026, 6, 30)), smb, months=3)["revenue"].round(4).tolist()
    [100.0, 94.5, 89.3025]
    """
    size, weight = np.polynomial.hermite_e.hermegauss(64 if segment.arpa_spread else 1)
    weight = weight / weight.sum()
    amount = segment.arpa * np.exp(segment.arpa_spread * size - segment.arpa_spread**2 / 2)
    alive = np.ones_like(size)
    month = world.months if acquired_month is None else acquired_month
    growth = 1 + segment.expansion_monthly - segment.contraction_monthly
    rows = []
    for tenure in range(months):
        rows.append((tenure, float(weight @ alive), float(weight @ (alive * amount))))
        alive = alive * (1 - true_hazard(world, segment, month, tenure, size))
        amount = amount * growth
    return pd.DataFrame(rows, columns=["tenure", "logos", "revenue"])


def true_survival(world: World, segment: SegmentWorld, *, months: int, acquired_month: int | None = None) -> Floats:
    """Probability that an account is still there after 0 .. months months; (months + 1,)."""
    path = true_path(world, segment, months=months + 1, acquired_month=acquired_month)
    return path["logos"].to_numpy()


def brute_force(
    world: World,
    segment: SegmentWorld,
    *,
    months: int,
    accounts: int,
    seed: int,
    acquired_month: int | None = None,
) -> Floats:
    """Draw the realised money at the opening of each month of tenure, account by account, per month.

    Uses the steps of `simulate`, not the recursion of `true_path`; 0 once an account has left. Its mean over
    accounts estimates revenue, that of `discounted` CLTV, that of `> 0` logos.

    Returns
    -------
    ndarray, shape (accounts, months)
    """
    rng = np.random.default_rng(seed)
    size, cents = _start(segment, accounts, rng)
    level = np.stack([cents, np.zeros_like(cents)])
    month = np.full(accounts, world.months if acquired_month is None else acquired_month)
    paths = np.zeros((accounts, months))
    for tenure in range(months):
        here = np.flatnonzero(level.sum(axis=0))
        paths[here, tenure] = level[:, here].sum(axis=0) / 100
        hazard = true_hazard(world, segment, month[here], np.full(here.size, tenure), size[here])
        level[:, here] = _step(segment, hazard, level[:, here], rng)
    return paths


def simulate(world: World, seed: int) -> pd.DataFrame:
    """Draw the ledger of a world, as spells; the same seed gives the same rows.

    Returns
    -------
    DataFrame
        One row per spell, sorted: customer_id, acquired (start of the first spell), start, end (exclusive;
        missing = active), amount (per month, whole cents), product ("base" or "add-on"), the `by` columns,
        channel (if the world has any).
    """
    rng = np.random.default_rng(seed)
    frames: list[pd.DataFrame] = []
    first = 0
    for segment in world.segments:
        frame = _segment_spells(world, segment, rng)
        frame["customer_id"] += first
        first = int(frame["customer_id"].max()) + 1 if len(frame) else first
        frames.append(frame)
    table = pd.concat(frames, ignore_index=True)
    table = table.sort_values(["customer_id", "start", "product"], ignore_index=True)
    table["customer_id"] = "C" + table["customer_id"].astype(str).str.zfill(7)
    return table


@dataclass(frozen=True)
class _Lives:
    """Lives about to begin: who, in which month and on which day of it, how large, and at what amount."""

    customer: Ints
    month: Ints
    day: Ints
    size: Floats
    cents: Ints


def _start(segment: SegmentWorld, accounts: int, rng: np.random.Generator) -> tuple[Floats, Ints]:
    size = rng.standard_normal(accounts)
    amount = segment.arpa * np.exp(segment.arpa_spread * size - segment.arpa_spread**2 / 2)
    return size, np.maximum(np.rint(100 * amount), 1).astype(np.int64)


def _step(segment: SegmentWorld, hazard: Floats, level: Ints, rng: np.random.Generator) -> Ints:
    """Carry base plans and add-ons, (2, n) in cents, over an anniversary; both are 0 for those who leave."""
    leaves, event, jump, kind = rng.random((4, hazard.size))
    up, down = segment.event_probabilities
    jump = jump + 0.5
    rise = np.where(event < up, np.rint(level.sum(axis=0) * segment.expansion_jump * jump), 0.0)
    add_on = kind < segment.add_on_share
    kept = np.where(event >= 1 - down, 1 - segment.contraction_jump * jump, 1.0)
    after = np.maximum(np.rint(level * kept), level > 0) + np.stack([rise * ~add_on, rise * add_on])
    return np.where(leaves < hazard, 0, after).astype(np.int64)


def _new_lives(world: World, segment: SegmentWorld, rng: np.random.Generator) -> _Lives:
    a_month = segment.accounts_per_month
    exact = isinstance(a_month, int)
    counts = np.full(world.months, a_month) if exact else rng.poisson(a_month, world.months)
    month = np.repeat(np.arange(world.months), counts)
    size, cents = _start(segment, month.size, rng)
    return _Lives(np.arange(month.size), month, rng.integers(1, 29, month.size), size, cents)


def _dates(world: World, month: Ints, day: Ints) -> npt.NDArray[np.datetime64]:
    later = np.where(month == _NEVER, 0, month - world.months + 1).astype("timedelta64[M]")
    dates = (np.datetime64(world.as_of, "M") + later).astype("datetime64[D]") + (day - 1).astype("timedelta64[D]")
    return np.where(month == _NEVER, np.datetime64("NaT", "D"), dates).astype("datetime64[s]")


def _run(
    world: World, segment: SegmentWorld, lives: _Lives, rng: np.random.Generator
) -> tuple[pd.DataFrame, Ints, Ints]:
    """Age lives to the end of the history: their spells, the month each was lost in, its amount before."""
    n = lives.month.size
    level = np.stack([lives.cents, np.zeros(n, dtype=np.int64)])
    since, lost, last = np.stack([lives.month] * 2), np.full(n, _NEVER), lives.cents.copy()
    rows: list[tuple[Ints, Ints, Ints, Ints, Ints]] = []

    def close(part: int, who: Ints, month: int) -> None:
        who = who[level[part, who] > 0]
        ends, parts = np.full(who.size, month), np.full(who.size, part)
        rows.append((who, since[part, who], ends, level[part, who], parts))

    for month in range(1, world.months):
        here = np.flatnonzero((lives.month < month) & (lost == _NEVER))
        tenure = month - 1 - lives.month[here]
        hazard = true_hazard(world, segment, lives.month[here], tenure, lives.size[here])
        after = _step(segment, hazard, level[:, here], rng)
        last[here] = level[:, here].sum(axis=0)
        for part in (0, 1):
            moved = after[part] != level[part, here]
            close(part, here[moved], month)
            since[part, here[moved]] = month
        level[:, here] = after
        lost[here[after.sum(axis=0) == 0]] = month
    for part in (0, 1):
        close(part, np.flatnonzero(level[part]), _NEVER)
    who, start, end, cents, parts = (np.concatenate(column) for column in zip(*rows, strict=True))
    spells = {
        "customer_id": lives.customer[who],
        "start": _dates(world, start, lives.day[who]),
        "end": _dates(world, end, lives.day[who]),
        "amount": cents / 100,
        "product": np.asarray(_PRODUCTS, dtype=object)[parts],
    }
    return pd.DataFrame(spells), lost, last


def _come_back(
    world: World, segment: SegmentWorld, lives: _Lives, lost: Ints, last: Ints, rng: np.random.Generator
) -> _Lives:
    month = np.where(lost == _NEVER, world.months, lost) + rng.integers(2, 7, lost.size)
    who = np.flatnonzero((month < world.months) & (rng.random(lost.size) < segment.return_share))
    return _Lives(lives.customer[who], month[who], lives.day[who], lives.size[who], last[who])


def _segment_spells(world: World, segment: SegmentWorld, rng: np.random.Generator) -> pd.DataFrame:
    lives = _new_lives(world, segment, rng)
    first, lost, last = _run(world, segment, lives, rng)
    again, _, _ = _run(world, segment, _come_back(world, segment, lives, lost, last, rng), rng)
    spells = pd.concat([part for part in (first, again) if len(part)] or [first], ignore_index=True)
    who = spells["customer_id"].to_numpy()
    paid = _dates(world, lives.month, lives.day)
    spells.insert(1, "acquired", pd.Series(paid).reindex(who).to_numpy())
    spells = spells.assign(**dict(zip(world.by, segment.labels, strict=True)))
    if segment.channels is not None:
        drawn = rng.choice(list(segment.channels), lives.month.size, p=list(segment.channels.values()))
        spells["channel"] = drawn[who].astype(object)
    return spells


def _refuse(what: str, rules: Mapping[str, bool]) -> None:
    broken = [rule for rule, fails in rules.items() if fails]
    if broken:
        raise DefinitionError(f"{what} cannot be used: {'; '.join(broken)}.")
