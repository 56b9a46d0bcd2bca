"""The two books of a valuation: accounts since they were acquired, and accounts in force at as_of."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from lifeworth.economics import Economics
from lifeworth.forecasting.groups import Floats, Groups
from lifeworth.indexing import TableIndex, segment_labels
from lifeworth.ledger import CohortTable

ALL, NEW, REACTIVATED = "all", "new", "reactivated"


@dataclass(frozen=True, slots=True)
class Rows:
    """Which groups add up to which rows of a table."""

    labels: list[tuple[str, tuple[str, ...]]]
    """Cohort and segment of each row; "all" is a total."""
    member: Floats
    """(groups, rows), ones and zeros."""

    @classmethod
    def of(cls, cohorts: list[str], segments: list[tuple[str, ...]], by: tuple[str, ...]) -> Rows:
        """Rows for each cohort and segment, each cohort, each segment and everything.

        New accounts are not part of the totals over cohorts.
        """
        every = tuple(ALL for _ in by)
        rows: dict[tuple[str, tuple[str, ...]], list[int]] = {}
        for i, (cohort, segment) in enumerate(zip(cohorts, segments, strict=True)):
            for c in (cohort,) if cohort == NEW else (cohort, ALL):
                for s in dict.fromkeys((segment, every)):
                    rows.setdefault((c, s), []).append(i)
        labels = sorted(rows)
        member = np.zeros((len(cohorts), len(labels)))
        for j, label in enumerate(labels):
            member[rows[label], j] = 1.0
        return cls(labels, member)


@dataclass(frozen=True, slots=True)
class Book:
    """Groups with their rows and the timing of their payments.

    Parameters
    ----------
    groups : Groups
    cohorts, segments : list
        Labels of each group; those of what was never observed too.
    rows : Rows
    opening : array (groups,)
        Years from as_of to the opening of step 0; negative in the past.
    first_payment : array (groups,)
        Years from the reference (acquisition, or as_of) to the payment of step 0.
    paid : int
        Steps whose payment is past.
    """

    groups: Groups
    cohorts: list[str]
    segments: list[tuple[str, ...]]
    rows: Rows
    opening: Floats
    first_payment: Floats
    paid: int


def acquired(table: CohortTable, index: TableIndex, economics: Economics, arpa: Floats | None) -> Book:
    """Accounts since acquisition by cohort, segment and age; and those of the last twelve months once more, as new.

    Accounts that came back are a cohort of their own and not new. `arpa` is the ARPA by segment for a table without
    money.
    """
    period = table.months_per_period
    frame = table.acquisitions if arpa is None else _of_counts(table, index, arpa)
    amounts = ["accounts", "amount", "amount_sq"]
    recent = frame[(frame["months"] < 12) & (frame["cohort"] != REACTIVATED)]
    frame = pd.concat(
        [frame, _summed(recent, table.by, amounts).assign(cohort=NEW, months=0)],
        ignore_index=True,
    )
    groups, segments = _groups(frame.assign(tenure=0), index, table.by)
    months = frame["months"].to_numpy(dtype=np.int64)
    cohorts = list(frame["cohort"])
    return Book(
        groups=replace(groups, months=period - months),
        cohorts=cohorts,
        segments=segments,
        rows=Rows.of(cohorts, segments, table.by),
        opening=-months / 12,
        first_payment=np.full(len(frame), period / 12 if economics.timing == "end" else 0.0),
        paid=0,
    )


def in_force(table: CohortTable, index: TableIndex, economics: Economics) -> Book:
    """Accounts in force at as_of by cohort, segment, tenure and elapsed part of it.

    Paid at the end: the payment of the open tenure is still to come. Paid at the start: it is past.
    """
    frame = table.in_force[table.in_force["accounts"] > 0]
    groups, segments = _groups(frame, index, table.by)
    elapsed = frame["elapsed"].to_numpy(dtype=np.int64)
    left, end = table.months_per_period - elapsed, economics.timing == "end"
    cohorts = list(frame["cohort"])
    return Book(
        groups=replace(groups, months=left),
        cohorts=cohorts,
        segments=segments,
        rows=Rows.of(cohorts, segments, table.by),
        opening=-elapsed / 12,
        first_payment=left / 12 if end else -elapsed / 12,
        paid=0 if end else 1,
    )


def _of_counts(table: CohortTable, index: TableIndex, arpa: Floats) -> pd.DataFrame:
    """Acquisitions of a table without money: those at risk in tenure 0, each paying the ARPA of its segment."""
    first = table.frame[table.frame["tenure"] == 0]
    by_segment = dict(zip(index.segments, arpa, strict=True))
    each = np.array([by_segment[label] for label in segment_labels(first, table.by)], dtype=float)
    n = first["at_risk"].to_numpy(dtype=float)
    frame = first[["cohort", *table.by]].reset_index(drop=True)
    return frame.assign(months=0, accounts=n, amount=each * n, amount_sq=each**2 * n)


def _summed(frame: pd.DataFrame, by: tuple[str, ...], columns: list[str]) -> pd.DataFrame:
    if frame.empty:
        return frame[[*by, *columns]]
    if by:
        return frame.groupby(list(by), as_index=False, sort=True)[columns].sum()
    return frame[columns].sum().to_frame().T


def _groups(frame: pd.DataFrame, index: TableIndex, by: tuple[str, ...]) -> tuple[Groups, list[tuple[str, ...]]]:
    at = index.positions(frame.drop(columns="bucket", errors="ignore"), by)
    unseen = {"segment": index.shape.segments, "cohort": index.shape.cohorts}
    position = {n: np.where(at[n] < 0, last, at[n]).astype(np.int64) for n, last in unseen.items()}
    groups = Groups(
        segment=position["segment"],
        cohort=position["cohort"],
        tenure=frame["tenure"].to_numpy(dtype=np.int64),
        months=np.zeros(len(frame), dtype=np.int64),
        accounts=frame["accounts"].to_numpy(dtype=float),
        amount=frame["amount"].to_numpy(dtype=float),
        amount_sq=frame["amount_sq"].to_numpy(dtype=float),
    )
    return groups, segment_labels(frame, by)
