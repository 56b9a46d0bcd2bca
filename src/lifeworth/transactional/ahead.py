"""What the customers of a fit will buy: expected and drawn, interval by interval after as_of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import sparse

from lifeworth._ops import Array
from lifeworth._parameters import Theta
from lifeworth.purchases import History, Spend
from lifeworth.results import theta_of
from lifeworth.transactional.drift import factors_ahead
from lifeworth.transactional.model import counts, draws_of, per_year
from lifeworth.transactional.results import PurchaseFit

_CELLS: Final = 3_000_000
"""Numbers held at once, intervals x draws x rows."""


@dataclass(frozen=True, slots=True, eq=False)
class Who:
    """Customers in rows: their histories and spend, how many, and the unit that each row belongs to.

    `unit` are columns of the parameters; sums are given for each of the `groups` that `group` counts. `paying` is the
    expected share of payers among a row's customers whose spend is not known.
    """

    history: History
    spend: Spend
    spenders: Array
    customers: Array
    unit: Array
    group: Array
    groups: int
    paying: Array

    def each(self) -> Who:
        """One row a customer; of a row's customers the first `spenders` have its spend, the others none."""
        n = self.customers.astype(np.int64)
        at = np.repeat(np.arange(len(n)), n)
        place = np.arange(len(at)) - np.repeat(np.cumsum(n) - n, n)
        paid = place < self.spenders[at]
        h, one = self.history, np.ones(len(at))
        spend = Spend(np.where(paid, self.spend.frequency[at], 0.0), np.where(paid, self.spend.mean[at], 0.0))
        return Who(
            History(h.frequency[at], h.recency[at], h.age[at]),
            spend,
            paid * one,
            one,
            self.unit[at],
            self.group[at],
            self.groups,
            self.paying[at],
        )


def known_customers(fit: PurchaseFit) -> Who:
    """The customers of the table, by distinct history."""
    frame = fit.table.frame
    spenders, unit = frame["spenders"].to_numpy(dtype=float), fit.unit_of(frame)
    frequency = np.where(spenders > 0, frame["frequency"].to_numpy(dtype=float), 0.0)
    mean = frame["spend"].to_numpy() / np.maximum(spenders * frequency, 1.0)
    paying = np.where(frame["frequency"] > 0, 0.0, paying_share(fit)[unit % len(fit.index.segments)])
    return Who(fit.history, Spend(frequency, mean), spenders, fit.table.customers, unit, unit, len(fit.units), paying)


def paying_share(fit: PurchaseFit) -> Array:
    """Share by segment of those with repeat purchases whose repeats, net of refunds, are above 0; (segments,)."""
    frame, segments = fit.table.frame, len(fit.index.segments)
    at, back = fit.unit_of(frame) % segments, frame["frequency"].to_numpy() > 0
    came = np.bincount(at, fit.table.customers * back, segments)
    return np.where(came > 0, np.bincount(at, frame["spenders"], segments) / np.maximum(came, 1.0), 1.0)


def new_customers(fit: PurchaseFit, counts_by_segment: Array) -> Who:
    """Customers on the day of their first purchase, so many in each segment."""
    n = len(counts_by_segment)
    nothing, at = np.zeros(n), np.arange(n)
    return Who(History.none(n), Spend(nothing, nothing), nothing, counts_by_segment, at, at, n, paying_share(fit))


@dataclass(frozen=True, slots=True, eq=False)
class Clock:
    """Intervals after as_of, and the drift in each.

    Attributes
    ----------
    edges : array (m,)
        Ends of the intervals in the unit of the model; the first begins at as_of.
    years : array (m,)
        When the purchases of an interval fall: its middle, or for opportunities its end.
    expected, drawn : array (draws, m)
        Factors on the purchases of an interval: their expectation, and one future each.
    """

    edges: Array
    years: Array
    expected: Array
    drawn: Array


def clock(fit: PurchaseFit, edges: Array, rng: np.random.Generator, *, thin: int = 1) -> Clock:
    """The drift of a fit over these intervals; factors of one where it has none."""
    model = fit.model.purchases
    starts = np.concatenate([[0.0], edges[:-1]])
    years = edges / per_year(model) if counts(model) else (starts + edges) / 2
    draws = fit.draws["purchases"].isel(draw=slice(None, None, thin)).sizes
    flat = np.ones((draws["chain"] * draws["draw"], len(edges)))
    if fit.buckets is None:
        return Clock(edges, years, flat, flat)
    length = fit.buckets.length
    ahead = int(np.ceil(edges[-1] / length - 1e-9))
    theta = theta_of(fit.draws["drift"].isel(draw=slice(None, None, thin)))
    found = [_averaged(f, length, starts, edges) for f in factors_ahead(theta, fit.buckets, ahead, rng)]
    return Clock(edges, years, *found)


def _averaged(factors: Array, length: float, starts: Array, ends: Array) -> Array:
    """Mean of the factors of consecutive buckets over each interval, (draws, intervals)."""
    at = np.arange(factors.shape[1] + 1) * length
    total = np.concatenate([np.zeros((len(factors), 1)), np.cumsum(factors * length, axis=1)], axis=1)
    weights = np.array([_between(at, x) for x in ends]) - np.array([_between(at, x) for x in starts])
    return (total @ weights.T) / (ends - starts)


def _between(at: Array, x: float) -> Array:
    """Weights that interpolate linearly between points."""
    found = np.zeros(len(at))
    i = int(np.clip(np.searchsorted(at, x) - 1, 0, len(at) - 2))
    share = (x - at[i]) / (at[i + 1] - at[i])
    found[i], found[i + 1] = 1 - share, share
    return found


def value_edges(horizon: float) -> Array:
    """Ends of intervals up to a horizon in years: short at first, and never above one year; 12 months among them."""
    ends = np.array([1 / 12, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0])
    ends = np.concatenate([ends, np.arange(3.0, horizon + 1)])
    return np.unique(np.append(ends[ends < horizon], horizon))


def expected_ahead(
    fit: PurchaseFit, who: Who, theta: Theta, spend: Theta | None, clock: Clock
) -> Iterator[tuple[slice, Array, Array, Array]]:
    """Expectations by group, in blocks of draws.

    Yields
    ------
    (slice, array (block, groups), array (intervals, block, groups), array (intervals, block, groups))
        Draws of the block, active customers, purchases, and money before margin (none without spend).
    """
    to_group: Array | None = None
    for part, alive, steps, keys, to_key in active_ahead(fit, who, theta, clock):
        to_group = _adder(keys[:, 1].astype(np.int64), who.groups).toarray() if to_group is None else to_group
        people = alive * who.customers
        money = np.zeros((len(clock.edges), alive.shape[0], who.groups))
        if spend is not None:
            level = _mean_level(fit, who, columns(spend, part, who.unit))
            money = (steps * (people * level @ to_key)) @ to_group
        yield part, (people @ to_key) @ to_group, (steps * (people @ to_key)) @ to_group, money


def active_ahead(
    fit: PurchaseFit, who: Who, theta: Theta, clock: Clock
) -> Iterator[tuple[slice, Array, Array, Array, sparse.csr_array]]:
    """Who is active, and what an active customer will buy, which depends on its unit, frequency and age alone.

    Yields
    ------
    (slice, array (block, rows), array (intervals, block, keys), array (keys, 4), sparse array (rows, keys))
        Draws of the block, probability of being active by row, expected purchases of an active customer by key, the
        keys (unit, group, frequency, age), and the key of each row.
    """
    model = fit.model.purchases
    same = np.column_stack([who.unit, who.group, who.history.frequency, who.history.age])
    keys, at = np.unique(same, axis=0, return_inverse=True)
    unit, age = keys[:, 0].astype(np.int64), keys[:, 3]
    active = History(keys[:, 2], np.where(keys[:, 2] > 0, age, 0.0), age)
    to_key = _adder(at.ravel(), len(keys))
    block = max(1, _CELLS // (len(clock.edges) * len(keys) + 30 * len(who.unit)))
    for start in range(0, draws_of(theta), block):
        part = slice(start, min(start + block, draws_of(theta)))
        alive = model.probability_alive(who.history, columns(theta, part, who.unit))
        later = model.ahead(active, columns(theta, part, unit), clock.edges[:, None])
        yield part, alive, np.diff(later, axis=0, prepend=0.0) * clock.expected[part].T[:, :, None], keys, to_key


def drawn_ahead(
    fit: PurchaseFit, who: Who, theta: Theta, spend: Theta | None, clock: Clock, rng: np.random.Generator
) -> Iterator[tuple[slice, Array, Array, Array]]:
    """One future of every customer and draw, as `expected_ahead` yields expectations.

    Purchases follow the purchase model; where the drift's factor is below one each purchase is kept with that
    probability, above one as many more are added at random. A customer pays around a level drawn once per draw, or
    nothing.
    """
    model, groups = fit.model.purchases, who.groups
    each, row = who.each(), np.repeat(np.arange(len(who.unit)), who.customers.astype(np.int64))
    block = max(1, _CELLS // max(len(clock.edges) * len(each.unit), 1))
    for start in range(0, draws_of(theta), block):
        part = slice(start, min(start + block, draws_of(theta)))
        own = columns(theta, part, each.unit)
        chance = model.probability_alive(who.history, columns(theta, part, who.unit))[:, row]
        alive = rng.random(chance.shape) < chance
        path = model.draw_path(each.history, own, clock.edges[:, None], rng, active=alive)
        steps = np.diff(np.broadcast_to(path, (len(clock.edges), *alive.shape)), axis=0, prepend=0.0)
        k, d, i = np.nonzero(steps)
        factor = clock.drawn[part][d, k]
        made = steps[k, d, i].astype(np.int64)
        made = rng.binomial(made, np.minimum(factor, 1.0)) + rng.poisson(made * np.maximum(factor - 1.0, 0.0))
        money = np.zeros(len(made))
        if spend is not None and fit.model.spend is not None:
            paying = columns(spend, part, each.unit)
            pays = (each.spenders > 0) | (rng.random(alive.shape) < each.paying)
            level = (fit.model.spend.draw_level(each.spend, paying, rng) * pays)[d, i]
            within = np.broadcast_to(paying["within_variation"], alive.shape)[d, i]
            money = fit.model.spend.draw_total(made, level, {**_first(paying), "within_variation": within}, rng)
        shape = (len(clock.edges), alive.shape[0], groups)
        place = np.ravel_multi_index((k, d, each.group[i]), shape)
        purchases, paid = (np.bincount(place, v, int(np.prod(shape))).reshape(shape) for v in (made, money))
        yield part, alive @ _adder(each.group, groups), purchases, paid


def _mean_level(fit: PurchaseFit, who: Who, spend: Theta) -> Array:
    """Expected spend per purchase, the mean over each row's customers; linear in their means, so exact."""
    law = fit.spend_law
    share = who.spenders / np.maximum(who.customers, 1.0)
    nothing = Spend(np.zeros(1), np.zeros(1))
    unknown = (1 - share) * who.paying
    return share * law.expected_spend(who.spend, spend) + unknown * law.expected_spend(nothing, spend)


def columns(theta: Theta, part: slice, unit: Array) -> dict[str, Array]:
    """Parameters of these draws and units, (block, n)."""
    return {name: np.asarray(values)[part][:, unit] for name, values in theta.items()}


def _first(theta: Theta) -> dict[str, Array]:
    """Any values, for what a definition asks for and does not use."""
    return {name: values.ravel()[:1] for name, values in theta.items()}


def _adder(at: Array, size: int) -> sparse.csr_array:
    """Matrix that adds up columns by position."""
    return sparse.csr_array((np.ones(len(at)), (np.arange(len(at)), at)), shape=(len(at), size))
