"""A cohort table as positions and sums: what the likelihood, the forecast and the backtest all read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lifeworth.effects import CellIndex, Shape, calendar_loading, periods_of
from lifeworth.ledger import TERM_COLUMN, CohortTable

SUMS = (
    "at_risk",
    "churned",
    "opening",
    "churned_amount",
    "opening_sq",
    "churned_sq",
    "expansion",
    "expansion_sq",
    "contraction",
    "contraction_sq",
)
_TENURE_SIZES = (12, 24, 36, 48, 60, 84, 120, 180, 240, 360, 480, 720, 1200)


@dataclass(frozen=True, slots=True)
class TableIndex:
    """The labels behind the positions of a model fitted to one table.

    Parameters
    ----------
    segments : tuple of tuples
        Values of the `by` columns, one tuple a segment; one empty tuple where there are none.
    cohorts : tuple of str
        Cohort labels.
    weights : tuple of float
        Share of the churn exposure in each observed calendar bucket, oldest first; the walk is centred on it.
    shape : Shape
        Sizes and units. Cohorts, buckets and tenures are rounded up, so that tables cut at neighbouring dates share
        a compilation; what is beyond the labels keeps its prior. Buckets are added before the first one.
    """

    segments: tuple[tuple[str, ...], ...]
    cohorts: tuple[str, ...]
    weights: tuple[float, ...]
    shape: Shape
    by: tuple[str, ...] = ()

    @classmethod
    def of(cls, table: CohortTable) -> Self:
        """The index of a table's own cells."""
        frame = table.frame
        segments = tuple(sorted(set(segment_labels(frame, table.by)))) or ((),)
        exposure = frame.groupby("bucket")["at_risk"].sum() if table.has_calendar else pd.Series({0: 1.0})
        buckets = _rounded_up(1 - int(exposure.index.min()) if len(exposure) else 1)
        weights = exposure.reindex(range(1 - buckets, 1), fill_value=0).to_numpy(dtype=float)
        cohorts = tuple(sorted(set(frame["cohort"])))
        observed = int(frame["tenure"].max()) + 1 if len(frame) else 1
        shape = Shape(
            segments=len(segments),
            cohorts=_rounded_up(len(cohorts)),
            buckets=buckets,
            tenures=next(size for size in _TENURE_SIZES if size >= observed),
            months_per_period=table.months_per_period,
            months_per_bucket=table.months_per_bucket,
            columns=tuple((name, len({s[i] for s in segments})) for i, name in enumerate(table.by)),
            longest_term=max(_terms(segments, table.by, table.months_per_period)),
        )
        return cls(segments, cohorts, tuple(weights / max(weights.sum(), 1.0)), shape, table.by)

    def positions(self, frame: pd.DataFrame, by: tuple[str, ...]) -> pd.DataFrame:
        """Position of each row's segment, cohort and bucket; -1 for a segment or cohort never seen."""
        segment = {label: i for i, label in enumerate(self.segments)}
        cohort = {label: i for i, label in enumerate(self.cohorts)}
        bucket = frame["bucket"].to_numpy() + self.shape.buckets - 1 if "bucket" in frame else 0
        return pd.DataFrame(
            {
                "tenure": frame["tenure"].to_numpy(dtype=np.int64),
                "segment": [segment.get(label, -1) for label in segment_labels(frame, by)],
                "cohort": [cohort.get(label, -1) for label in frame["cohort"]],
                "bucket": np.asarray(bucket, dtype=np.int64) + np.zeros(len(frame), dtype=np.int64),
            },
            index=frame.index,
        )

    def loading(self, ahead: int = 0) -> NDArray[np.float64]:
        """The centred calendar loading of the walk, with `ahead` buckets after the last observed one."""
        return calendar_loading(np.asarray(self.weights), ahead)

    @property
    def moves(self) -> NDArray[np.bool_]:
        """Which steps of the walk lie between observed buckets: all from the first bucket with exposure."""
        first = int(np.argmax(np.asarray(self.weights) > 0))
        return np.arange(self.shape.buckets - 1) >= first

    def cells(self, positions: pd.DataFrame) -> CellIndex:
        """Positions as the effects read them."""
        segment = positions["segment"].to_numpy()
        return CellIndex(
            tenure=positions["tenure"].to_numpy(),
            segment=segment,
            cohort=positions["cohort"].to_numpy(),
            bucket=positions["bucket"].to_numpy(),
            calendar=self.loading(),
            segments=self.shape.segments,
            levels=self.levels(segment),
            term=self.term(segment),
        )

    def levels(self, segment: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
        """Position of each cell's value in every segment column; the one after the last for an unseen segment."""
        found = {}
        for i, (name, size) in enumerate(self.shape.columns):
            values = sorted({labels[i] for labels in self.segments})
            place = np.array([*(values.index(labels[i]) for labels in self.segments), size])
            found[name] = place[segment]
        return found

    def term(self, segment: NDArray[np.int64]) -> NDArray[np.int64]:
        """Periods of each cell's contract term; an unseen segment has that of most segments."""
        terms = _terms(self.segments, self.by, self.shape.months_per_period)
        return np.array([*terms, Counter(terms).most_common(1)[0][0]])[segment]

    def alone(self) -> Self:
        """The index of one cohort and segment by itself, without calendar."""
        return replace(
            self,
            segments=((),),
            cohorts=("",),
            weights=(1.0,),
            shape=replace(self.shape, segments=1, cohorts=1, buckets=1, columns=(), longest_term=1),
            by=(),
        )


def _terms(segments: tuple[tuple[str, ...], ...], by: tuple[str, ...], months_per_period: int) -> list[int]:
    """Periods of the contract term of each segment: in the column `term_months`, else one."""
    if TERM_COLUMN not in by:
        return [1] * len(segments)
    return [periods_of(labels[by.index(TERM_COLUMN)], months_per_period) for labels in segments]


def _rounded_up(size: int) -> int:
    """Up to the next multiple of four; one stays one, as there is nothing to tell apart."""
    return size if size < 2 else -(-size // 4) * 4


def segment_labels(frame: pd.DataFrame, by: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The `by` values of each row as a tuple of text."""
    if not by:
        return [()] * len(frame)
    return list(zip(*(frame[column].astype(str) for column in by), strict=True))


def merged(table: CohortTable, index: TableIndex, uses: frozenset[str]) -> pd.DataFrame:
    """Cells that agree on every position in `uses`, summed: counts, amounts and squares.

    Positions that are not used are zero.
    """
    positions = index.positions(table.frame, table.by)
    for name in {"segment", "cohort", "bucket"} - uses:
        positions[name] = 0
    sums = table.frame[list(SUMS)].astype(float)
    cells = pd.concat([positions, sums], axis=1)
    cells = cells.groupby(["tenure", "segment", "cohort", "bucket"], as_index=False, sort=True).sum()
    return cells[cells["at_risk"] > 0].reset_index(drop=True)


def money_counts(cells: pd.DataFrame) -> pd.DataFrame:
    """The same cells with money-weighted effective counts in place of accounts.

    The effective number at risk is opening^2 / opening_sq, the accounts of equal size that would carry the same
    noise; churned is the share of the opening money that left, of that number. Cells without money are left out.
    """
    held = cells[cells["opening_sq"] > 0]
    at_risk = held["opening"] ** 2 / held["opening_sq"]
    share = (held["churned_amount"] / held["opening"]).clip(0.0, 1.0)
    return held.assign(at_risk=at_risk, churned=at_risk * share)


def jump_size(cells: pd.DataFrame, direction: str) -> Mapping[int, float]:
    """Money of one effective jump by segment: the sum of squared changes over the sum of changes.

    A segment without a change of that kind uses the one of all segments; without any, the mean account.
    """
    grouped = cells.groupby("segment")[[direction, f"{direction}_sq", "opening", "at_risk"]].sum()
    every = grouped.sum()
    fallback = every["opening"] / max(every["at_risk"], 1.0)
    if every[direction] > 0:
        fallback = every[f"{direction}_sq"] / every[direction]
    sizes = grouped[f"{direction}_sq"].div(grouped[direction].where(grouped[direction] > 0)).fillna(fallback)
    return {int(segment): float(size) for segment, size in sizes.items()}  # type: ignore[call-overload]
