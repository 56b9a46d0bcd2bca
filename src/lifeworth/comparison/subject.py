"""What formulas are held against: the rows of a valuation, its posterior draws, and the table's own numbers."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lifeworth.books import ALL, NEW, Book
from lifeworth.comparison.inputs import Floats, Inputs, of_counts, trailing
from lifeworth.errors import AssumptionError, ComparisonError
from lifeworth.indexing import segment_labels
from lifeworth.valuation import Kind, Valuation
from lifeworth.valuing import Job

type Measure = Literal["cltv", "residual", "total_residual"]
type Label = tuple[str, tuple[str, ...]]
"""Cohort and segment of a row."""
type Positions = NDArray[np.intp]

MEASURES = ("cltv", "residual", "total_residual")


class Subject:
    """One measure of a valuation: its rows, their draws and their inputs."""

    def __init__(self, value: Valuation, measure: Measure) -> None:
        self.value, self.measure, self.residual = value, measure, measure != "cltv"
        self.job = Job(value.forecaster, value.economics)
        name = "in_force" if self.residual else "acquired"
        if name not in self.job.books or not self.of_total():
            raise ComparisonError(
                f"there is no {measure} to compare: no account {'is in force' if self.residual else 'was acquired'} "
                f"{'at as_of' if self.residual else 'in the last twelve months'}."
            )
        self.book: Book = self.job.books[name]
        self._inputs: dict[Label, Inputs | str] = {}

    def of_total(self) -> bool:
        """Whether the valuation has the rows that the measure is about."""
        return bool((self.value.rows()["cohort"] == (ALL if self.residual else NEW)).any())

    def rows(self, cohorts: bool) -> list[Label]:
        """The rows, totals first: new accounts, or all in force; then each cohort's, if asked for."""
        total = ALL if self.residual else NEW
        found = [r for r in self.book.rows.labels if r[0] == total or (cohorts and r[0] not in (ALL, NEW))]
        return sorted(found, key=lambda r: (r[0] != total, r[0], [part != ALL for part in r[1]], r[1]))

    def row(self, cohort: str | None, segment: dict[str, str]) -> Label:
        """The row of a cohort (None is the total's) and of `by` values, "all" where not given.

        Raises
        ------
        ComparisonError
            There is no such row.
        """
        labels = tuple(str(segment.get(name, ALL)) for name in self.value.by)
        wanted = (cohort or (ALL if self.residual else NEW), labels)
        unknown = sorted(set(segment) - set(self.value.by))
        if unknown or wanted not in self.book.rows.labels:
            raise ComparisonError(
                f"no row has cohort {wanted[0]!r} and {segment or 'all segments'}: `table()` lists the rows; "
                f"segment columns are {', '.join(self.value.by) or 'none'}."
            )
        return wanted

    def positions(self, row: Label) -> Positions:
        """Positions in the book of the groups that a row adds up."""
        return np.flatnonzero(self.book.rows.member[:, self.book.rows.labels.index(row)])

    def draws(self, measure: str, row: Label, kind: Kind) -> Floats:
        """Posterior draws of a measure in a row."""
        return np.asarray(self.value.sample(measure, kind, cohort=row[0], **self.named(row)))

    def named(self, row: Label) -> dict[str, str]:
        """The `by` values of a row by column."""
        return dict(zip(self.value.by, row[1], strict=True))

    def accounts(self, row: Label) -> float:
        """Accounts that a row speaks of."""
        return float(self.book.groups.accounts[self.positions(row)].sum())

    def scale(self, row: Label) -> float:
        """From money per account to the measure."""
        return self.accounts(row) if self.measure == "total_residual" else 1.0

    def inputs(self, row: Label) -> Inputs | str:
        """The table's own numbers for a row, or the reason why there are none."""
        if row not in self._inputs:
            self._inputs[row] = self._own(row)
        return self._inputs[row]

    def _own(self, row: Label) -> Inputs | str:
        table, base = self.value.fit.table, self.base(row)
        frame, book = (_of_row(f, table.by, row) for f in (table.frame, table.in_force))
        try:
            if not table.has_money:
                return of_counts(frame, base, self._arpa(row))
            return trailing(frame, book, base, table.months_per_bucket)
        except AssumptionError as error:
            return str(error)

    def _arpa(self, row: Label) -> float:
        """ARPA of a table without money, as the Economics gives it."""
        at, groups = self.positions(row), self.book.groups
        return float(groups.amount[at].sum() / groups.accounts[at].sum())

    def base(self, row: Label) -> Inputs:
        """The economics of a row, and an ARPA of one unit of the table's money per period."""
        e, job = self.value.economics, self.job
        at = [i for i, s in enumerate(job.segments) if s == row[1] or not row[1] or row[1][0] == ALL]
        return Inputs(
            arpa=job.per_period,
            gross_margin=float(np.average(job.margin.mean(axis=0)[at], weights=self._in_force(at))),
            churn=np.nan,
            expansion=np.nan,
            service_cost=float(job.service.mean(axis=0)[at].mean()) * job.period / 12,
            discount_rate_annual=e.discount_rate_annual,
            horizon_years=e.horizon_years,
            timing=e.timing,
            months_per_period=job.period,
        )

    def _in_force(self, at: list[int]) -> Floats:
        """Money in force by segment, the weights of a blended margin."""
        table = self.value.fit.table
        if not table.has_money:
            return np.ones(len(at))
        labels = pd.Series(segment_labels(table.in_force, table.by), index=table.in_force.index, dtype=object)
        held = table.in_force.groupby(labels)["amount"].sum()
        return np.array([max(float(held.get(self.job.segments[i], 0.0)), 1e-12) for i in at])


def _of_row(frame: pd.DataFrame, by: tuple[str, ...], row: Label) -> pd.DataFrame:
    """The rows of a frame that belong to a cohort and segment; new accounts are taken to be like all."""
    kept = frame if row[0] in (ALL, NEW) else frame[frame["cohort"] == row[0]]
    if row[1] and row[1][0] != ALL:
        kept = kept[np.array([label == row[1] for label in segment_labels(kept, by)], dtype=bool)]
    return kept
