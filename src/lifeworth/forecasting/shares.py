"""What is left of groups of accounts, step by step: as expected, or in one random future a draw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from lifeworth.expansion.variation import DIRECTIONS, Direction
from lifeworth.forecasting.groups import Floats, Groups, Ints, State

type Rates = Mapping[Direction, Floats]
"""Shares of the survivors' money added and lost in a step, each (futures, draws, groups); empty without growth."""


class Shares(Protocol):
    """What is left of each group; arrays have futures, draws and groups as their last axes."""

    def advance(self, logo: Floats, money: Floats, rates: Rates) -> None:
        """One step: accounts and money stay with these probabilities, and those that stay grow."""

    def turn(self, groups: Ints, into: Ints, accounts: Floats, money: Floats) -> None:
        """Shares of the accounts and of the money of some groups go over to others."""

    def state(self, step: int) -> State:
        """Where the groups stand."""


class Expected:
    """Expected shares, one for each future that is averaged over."""

    def __init__(self, futures: int, draws: int, present: Floats) -> None:
        begun = np.broadcast_to(present, (futures, draws, len(present)))
        self._logo, self._money, self._kept = begun.copy(), begun.copy(), begun.copy()

    def advance(self, logo: Floats, money: Floats, rates: Rates) -> None:
        """One step: accounts and money stay with these probabilities, and those that stay grow."""
        added, lost = (rates.get(direction, 0.0) for direction in DIRECTIONS)
        self._logo *= logo
        self._money *= money
        self._money *= 1 + added - lost
        self._kept *= money
        self._kept *= 1 - lost

    def turn(self, groups: Ints, into: Ints, accounts: Floats, money: Floats) -> None:
        """Shares of the accounts and of the money of some groups go over to others."""
        for held, share in ((self._logo, accounts), (self._money, money), (self._kept, money)):
            moved = held[..., groups] * share
            held[..., groups] -= moved
            held[..., into] += moved

    def state(self, step: int) -> State:
        """Where the groups stand."""
        return State(step, *(share.mean(axis=0) for share in (self._logo, self._money, self._kept)))


class Sampled:
    """One future for each draw: accounts leave as wholes, money jumps by whole jumps.

    Parameters
    ----------
    rng : Generator
    groups : Groups
    jump : mapping of direction to array (groups,)
        Money of one effective jump; empty without growth.
    draws : int
    present : array (groups,)
        1 where the accounts of a group are there at the beginning, 0 where others will go over into it.
    """

    def __init__(
        self, rng: np.random.Generator, groups: Groups, jump: Mapping[Direction, Floats], draws: int, present: Floats
    ) -> None:
        self._rng, self._groups, self._jump = rng, groups, jump
        shape = (draws, len(groups.segment))
        accounts = np.broadcast_to(np.rint(groups.accounts).astype(np.int64), shape)
        with np.errstate(invalid="ignore", divide="ignore"):
            effective = np.nan_to_num(groups.amount**2 / groups.amount_sq)
        low = np.maximum(np.floor(effective), 1.0)
        up = self._rng.random(shape) < (low + 1) * (1 - low / np.maximum(effective, low))  # the mean of 1 / n is kept
        self._begun = accounts
        self._accounts = accounts * present.astype(np.int64)
        self._effective = np.where(effective * present > 0, low + up, 0.0).astype(np.int64)
        self._money = self._kept = np.broadcast_to(present, shape)

    def advance(self, logo: Floats, money: Floats, rates: Rates) -> None:
        """One step: accounts and money stay with these probabilities, and those that stay grow."""
        before, accounts = self._effective, self._accounts
        self._accounts = self._rng.binomial(accounts, logo[0])
        self._effective = self._left(self._accounts, accounts, before, logo[0], money[0])
        share = np.divide(self._effective, before, out=np.zeros(before.shape), where=before > 0)
        held, kept = self._money * share, self._kept * share
        added, lost = self._jumps(held, rates)
        self._money = np.maximum(held + added - lost, 0.0)
        self._kept = np.maximum(kept - np.divide(lost * kept, held, out=np.zeros_like(kept), where=held > 0), 0.0)

    def turn(self, groups: Ints, into: Ints, accounts: Floats, money: Floats) -> None:
        """Shares of the accounts and of the money of some groups go over to others."""
        before, effective = self._accounts[:, groups], self._effective[:, groups]
        after = before - self._rng.binomial(before, accounts)
        left = self._left(after, before, effective, 1 - accounts, 1 - money)
        gone = 1 - np.divide(left, effective, out=np.ones(left.shape), where=effective > 0)
        self._accounts = _passed(self._accounts, groups, into, before - after)
        self._effective = _passed(self._effective, groups, into, effective - left)
        self._money = _passed(self._money, groups, into, self._money[:, groups] * gone)
        self._kept = _passed(self._kept, groups, into, self._kept[:, groups] * gone)

    def _left(self, after: Ints, before: Ints, effective: Ints, logo: Floats, money: Floats) -> Ints:
        """Effective accounts that stay: binomial at the rate of money, and as far as they can the accounts that stay.

        They are drawn from the accounts, of which it is known how many stay; then some stay or leave besides, so
        that their rate is that of money.
        """
        inside = np.minimum(effective, before)
        same = self._rng.hypergeometric(after, before - after, inside)
        same = same + self._rng.binomial(effective - inside, logo)
        with np.errstate(divide="ignore", invalid="ignore"):
            leave_less, stay_more = money / logo, (money - logo) / (1 - logo)
        kept = self._rng.binomial(same, np.clip(np.nan_to_num(leave_less, nan=1.0), 0.0, 1.0))
        return kept + self._rng.binomial(effective - same, np.clip(np.nan_to_num(stay_more), 0.0, 1.0))

    def _jumps(self, held: Floats, rates: Rates) -> list[Floats]:
        """Money added and lost by the survivors, as shares of the money the groups began with."""
        moved = []
        for direction in DIRECTIONS:
            if direction not in rates:
                moved.append(np.zeros_like(held))
                continue
            amount, size = self._groups.amount, self._jump[direction]
            expected = rates[direction][0] * held * amount / np.maximum(size, 1e-9)
            moved.append(self._rng.poisson(expected) * size / np.maximum(amount, 1e-9))
        return moved

    def state(self, step: int) -> State:
        """Where the groups stand."""
        begun = np.maximum(self._begun, 1)
        return State(step, self._accounts / begun, self._money, self._kept)


def _passed[Held: (Ints, Floats)](held: Held, groups: Ints, into: Ints, moved: Held) -> Held:
    """What is held after some of it went over from some groups into others."""
    after = held.copy()
    after[:, groups] -= moved
    after[:, into] += moved
    return after
