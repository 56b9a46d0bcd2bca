"""The closed book: accounts in force at a past date, and what is left of them at the end of each later bucket."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lifeworth.backtesting.scores import REMAINING, Draws, forecast_row
from lifeworth.errors import DataError
from lifeworth.forecasting.groups import Floats, Ints, State
from lifeworth.indexing import segment_labels
from lifeworth.ledger import EXPANDED_COLUMN, CohortTable
from lifeworth.ledger.cells import dense
from lifeworth.ledger.columns import SCALE
from lifeworth.ledger.expanded import NOT_YET, SINCE


@dataclass(frozen=True, slots=True, eq=False)
class ClosedBook:
    """The accounts in force at an origin by cohort, segment, tenure and elapsed part of it, and what became of them.

    An account is there until the end of the tenure it leaves in: what happens inside a tenure counts at its scheduled
    end, as in the cells of a table. So the book is that of `CohortTable.cut`: accounts as at the opening of the tenure
    that was open at the origin. Accounts that return after a gap are new ones and not part of it.

    A late entry is seen from a later date than the one it was acquired at. Where one joins the accounts of the same
    cohort, segment and month of acquisition after the origin, what is left of those that were there cannot be told
    from the cells: such a group is left out, of the forecast and of what happened, and `left_out` says how much.

    Where the table is split by expansion, accounts go over from one state to the other: what is left is that of both
    together, with the label "all" in the column of the state.

    Parameters
    ----------
    groups : DataFrame
        One row a group: cohort, the `by` columns, tenure, elapsed, accounts, amount, amount_sq at the origin, and
        `left`, the months to the group's next decision.
    by : tuple of str
    decisions : int array (buckets, groups)
        How many tenures of each group have ended by the end of each bucket.
    accounts, amount : array (buckets, groups)
        What was left by then.
    labels : list of tuple
        The total ("all"), and each segment where there are any.
    member : array (groups, labels)
        Which groups add up to which label, ones and zeros.
    left_out : dict
        Share of the accounts and of the amount in force at the origin that is left out.
    """

    groups: pd.DataFrame
    by: tuple[str, ...]
    decisions: Ints
    accounts: Floats
    amount: Floats
    labels: list[tuple[str, ...]]
    member: Floats
    left_out: dict[str, float]

    @classmethod
    def of(cls, table: CohortTable, origin: CohortTable, cut: int, holdout: int) -> ClosedBook:
        """The book of `origin`, which is `table.cut(cut)`, and what `table` knows of it `holdout` buckets later."""
        if table.steps is None:
            raise DataError("a table of counts has no book in force. Build it from a ledger.")
        period, bucket = table.months_per_period, table.months_per_bucket
        book = _both_states(origin)
        months = (book["tenure"] * period + book["elapsed"]).to_numpy(dtype=np.int64)
        keys = ["cohort", *table.by, "months"]
        grid = dense(table.steps, keys[:-1], period)
        later = grid.keys.reset_index(drop=True).assign(months=grid.months, tenure=grid.tenure)
        later = later.assign(accounts=grid.values["opening_n"], amount=grid.values["opening_m"] / SCALE)
        later["entered"] = later.assign(entered=grid.values["entered_n"]).groupby(keys)["entered"].cumsum()
        then = [(months + ahead * bucket) // period for ahead in range(holdout + 1)]
        named = book[keys[:-1]].assign(months=months + cut * bucket)
        found = [named.assign(tenure=t).merge(later, on=[*keys, "tenure"], how="left").fillna(0) for t in then]
        whole = (found[-1]["entered"] == found[0]["entered"]).to_numpy()
        kept = book[whole].reset_index(drop=True)
        labels, member = _labels(kept, table.by)
        return cls(
            groups=kept.assign(left=period - kept["elapsed"]),
            by=table.by,
            decisions=np.stack([t - then[0] for t in then[1:]])[:, whole],
            accounts=np.stack([f["accounts"].to_numpy(dtype=float) for f in found[1:]])[:, whole],
            amount=np.stack([f["amount"].to_numpy(dtype=float) for f in found[1:]])[:, whole],
            labels=labels,
            member=member,
            left_out={name: 1 - kept[name].sum() / max(book[name].sum(), 1e-9) for name in ("accounts", "amount")},
        )

    @property
    def steps(self) -> int:
        """The most decisions of a group."""
        return int(self.decisions.max(initial=0))

    def remaining(self, states: Iterable[State]) -> Draws:
        """Draws of what is left in each label at the end of each bucket, from states at each step of the groups.

        Returns
        -------
        mapping of "customers" and "revenue" to array (buckets, draws, labels)
        """
        sums: dict[str, Floats] = {}
        member, begun = self.member, {name: self.groups[name].to_numpy(float) for name in ("accounts", "amount")}
        for state in states:
            shares = {"customers": (state.logo, begun["accounts"]), "revenue": (state.money, begun["amount"])}
            for name, (share, base) in shares.items():
                if name not in sums:
                    sums[name] = np.zeros((len(self.decisions), len(share), member.shape[1]))
                for bucket, decisions in enumerate(self.decisions):
                    at = decisions == state.step
                    if at.any():
                        sums[name][bucket] += (share[:, at] * base[at]) @ member[at]
        return sums


def _both_states(table: CohortTable) -> pd.DataFrame:
    """The accounts in force by group; in a table split by expansion every group is there in both states, if empty."""
    book = table.in_force[table.in_force["accounts"] > 0].reset_index(drop=True)
    if EXPANDED_COLUMN not in table.by:
        return book
    keys = [name for name in ("cohort", *table.by, "tenure", "elapsed") if name != EXPANDED_COLUMN]
    states = pd.DataFrame({EXPANDED_COLUMN: [NOT_YET, SINCE]})
    every = book[keys].drop_duplicates().merge(states, how="cross")
    every = every.merge(book, on=[*keys, EXPANDED_COLUMN], how="left")
    return every.fillna(dict.fromkeys(("accounts", "amount", "amount_sq"), 0.0))


def _labels(groups: pd.DataFrame, by: tuple[str, ...]) -> tuple[list[tuple[str, ...]], Floats]:
    """The total and the segments, and which groups belong to each."""
    if EXPANDED_COLUMN in by:
        groups = groups.assign(**{EXPANDED_COLUMN: "all"})
    own, every = segment_labels(groups, by), ("all",) * len(by)
    labels = [every, *sorted(set(own) - {every})]
    member = [[float(label in (of, every)) for label in labels] for of in own]
    return labels, np.array(member).reshape(len(own), len(labels))


def book_scored(draws: Draws, book: ClosedBook) -> pd.DataFrame:
    """Forecast and score of what is left of a book: each segment and the total at the end of each bucket.

    A unit that nobody has had to decide in by then is certain and left out.
    """
    member = book.member
    rows = []
    for measure, values in draws.items():
        name = REMAINING[measure][0]
        base, left = book.groups[name].to_numpy(dtype=float) @ member, getattr(book, name) @ member
        decided = ((book.decisions > 0) * book.groups["accounts"].to_numpy(dtype=float)) @ member
        for bucket, label in np.argwhere((decided > 0) & (base > 0)):
            labels = dict(zip(book.by, book.labels[label], strict=True))
            row = {"measure": measure, **labels, "bucket": bucket + 1, "at_risk": base[label]}
            row |= forecast_row(values[bucket][:, label], float(left[bucket, label]))
            rows.append({**row, "left_out": book.left_out[name]})
    return pd.DataFrame(rows)
