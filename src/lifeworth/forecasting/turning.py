"""Accounts that expand for the first time go over from one state to another, with a hazard and a growth of its own."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import pandas as pd

from lifeworth.forecasting.groups import Floats, Groups, Ints, State
from lifeworth.ledger import EXPANDED_COLUMN
from lifeworth.ledger.expanded import NOT_YET, SINCE
from lifeworth.phases import PHASES, phase
from lifeworth.results import Fit


@dataclass(frozen=True, slots=True)
class Turning:
    """Groups of a table that is split by whether an account has expanded, and where their accounts go.

    Parameters
    ----------
    groups : Groups
        Those given, and after them one for each that can turn: where its accounts are once they have.
    present : array (groups,)
        1 for those given, 0 for the others, which begin empty.
    turned, into : int array (n,)
        Positions of the groups that turn, and of those they turn into.
    accounts, money : array (draws, n, phases)
        Shares of the survivors, and of their money, that turn in a tenure of each phase of life.
    months_per_period : int
    """

    groups: Groups
    present: Floats
    turned: Ints
    into: Ints
    accounts: Floats
    money: Floats
    months_per_period: int

    @classmethod
    def of(cls, fit: Fit, groups: Groups, draws: int, rng: np.random.Generator) -> Self:
        """The groups as they are where the table is not split."""
        n = len(groups.segment)
        into_segment = _into(fit)[groups.segment] if EXPANDED_COLUMN in fit.table.by else np.full(n, -1)
        turned = np.flatnonzero(into_segment >= 0)
        columns = {f.name: getattr(groups, f.name) for f in fields(groups)}
        every = {name: np.concatenate([values, values[turned]]) for name, values in columns.items()}
        every["segment"][n:] = into_segment[turned]
        accounts = money = np.zeros((draws, 0, PHASES))
        if turned.size:
            accounts, money = (share[:, groups.segment[turned]] for share in turn_shares(fit, draws, rng))
        return cls(
            groups=Groups(**every),
            present=np.repeat([1.0, 0.0], [n, len(turned)]),
            turned=turned,
            into=np.arange(n, n + len(turned)),
            accounts=accounts,
            money=money,
            months_per_period=fit.table.months_per_period,
        )

    def rates(self, step: int) -> tuple[Floats, Floats]:
        """Shares of the survivors, and of their money, that turn at the end of a step, each (draws, n)."""
        now = phase(self.groups.tenure[self.turned] + step, self.months_per_period)
        at = np.arange(len(self.turned))
        return self.accounts[:, at, now], self.money[:, at, now]

    def together(self, state: State) -> State:
        """The state of the groups that were given: with each, what it turned into."""
        if not self.turned.size:
            return state
        n = len(self.groups.segment) - len(self.turned)
        sums = []
        for share in (state.logo, state.money, state.kept):
            given = share[:, :n].copy()
            given[:, self.turned] += share[:, n:]
            sums.append(given)
        return State(state.step, *sums)


def turn_shares(fit: Fit, draws: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Posterior of the share of the survivors that expand for the first time in a tenure, by segment and phase.

    A Beta for each segment in each phase of life, whose prior has the weight of one account at the share of the whole
    phase: exact. Money turns in the same share times the ratio of the money that turned to the accounts that did, of
    all segments: of those that expand it is known what they pay, not how uncertain that is.

    Returns
    -------
    (array (draws, segments + 1, phases), array (draws, segments + 1, phases))
        By accounts and by money; an unseen segment is the last.
    """
    table, index = fit.table, fit.index
    cells = table.frame[table.frame[EXPANDED_COLUMN] == NOT_YET]
    segment = index.positions(cells, table.by)["segment"].to_numpy()
    now = phase(cells["tenure"].to_numpy(), table.months_per_period)
    sums = pd.DataFrame(
        {"stayed": cells["at_risk"] - cells["churned"], "turned": cells["turned"]}, dtype=float
    ).to_numpy()
    counts = np.zeros((index.shape.segments + 1, PHASES, 2))
    np.add.at(counts, (segment, now), sums)
    stayed, turned = counts[..., 0], counts[..., 1]
    blended = (turned.sum(axis=0) + 0.5) / (stayed.sum(axis=0) + 1.0)
    shares = rng.beta(turned + blended, stayed - turned + 1 - blended, size=(draws, *turned.shape))
    held = float(cells["closing"].sum())
    by_money = float(cells["turned_amount"].sum()) / held if held > 0 else 0.0
    by_accounts = turned.sum() / max(stayed.sum(), 1.0)
    ratio = by_money / by_accounts if by_accounts > 0 else 1.0
    return shares, np.minimum(shares * ratio, 1.0)


def _into(fit: Fit) -> Ints:
    """Segment that each segment turns into, by position: -1 for one that has turned or was never seen."""
    at = fit.table.by.index(EXPANDED_COLUMN)
    place = {label: i for i, label in enumerate(fit.index.segments)}
    unseen = fit.index.shape.segments
    found = [
        place.get((*label[:at], SINCE, *label[at + 1 :]), unseen) if label[at] == NOT_YET else -1
        for label in fit.index.segments
    ]
    return np.array([*found, -1])
