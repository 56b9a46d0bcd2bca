"""Sections of accounts with contracts: ledger, table, model, comparison and backtest."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from lifeworth.config.options import (
    NAMES,
    Length,
    Names,
    Numbers,
    OnTheLine,
    Pairs,
    Section,
    flag,
    registered,
    required,
    written,
)
from lifeworth.config.shared import SamplingSection
from lifeworth.errors import DefinitionError

if TYPE_CHECKING:
    from lifeworth.ledger import CohortTable, Ledger


class LedgerSection(Section):
    """Where the rows are and how to read them."""

    source: str | None = Field(default=None, description="Parquet or CSV file or glob with the ledger.")
    kind: Literal["spells", "snapshots", "movements"] = Field(default="spells", description="What one row is.")
    as_of: str | None = Field(default=None, description="Day the ledger is read at, such as 2026-06-30.")
    amount_per: Length = Field(default="month", description="What the amount is paid for.")
    column: Annotated[Pairs, written("OURS=THEIRS")] = Field(
        default={}, description="Name of one of our columns in the source, such as customer_id=account; repeatable."
    )
    acquired: str | None = Field(default=None, description="Column with the true start of the first life.")
    cause: str | None = Field(default=None, description="Column that says why a spell ended.")
    term_months: str | None = Field(default=None, description="Contract length: a column, or a number of months.")
    bridge_gap_days: int = Field(default=0, ge=0, description="A gap of at most this many days does not end a life.")
    currency: str | None = Field(default=None, description="A column, or the three-letter code itself.")
    every: Length = Field(default="month", description="Snapshots only: time from one to the next.")
    strip: Annotated[Names, OnTheLine(repeated=False, metavar="KIND,...")] = Field(
        default=(), description="Movements only: kinds that are taken out, such as price."
    )

    def read(self) -> Ledger:
        """The ledger, opened and checked.

        Raises
        ------
        DefinitionError
            No source or no as_of is given, or an option is not one of this kind of ledger.
        """
        from lifeworth.ledger import Ledger

        required("ledger", source=self.source, as_of=self.as_of)
        named: dict[str, Any] = {name: getattr(self, name) for name in _LEDGER_ARGUMENTS[self.kind]}
        idle = sorted((self.model_fields_set & _SPECIFIC) - set(named))
        if idle:
            raise DefinitionError(f"{flag(idle[0])} is not an option of a ledger of {self.kind}.")
        if (term := named.get("term_months")) and term.isdigit():
            named["term_months"] = int(term)
        make: Callable[..., Ledger] = getattr(Ledger, f"from_{self.kind}")
        shared = {"as_of": self.as_of, "amount_per": self.amount_per, "columns": self.column or None}
        return make(self.source, **shared, **named)


_LEDGER_ARGUMENTS = {
    "spells": ("acquired", "cause", "term_months", "bridge_gap_days", "currency"),
    "snapshots": ("acquired", "bridge_gap_days", "currency", "every"),
    "movements": ("acquired", "cause", "bridge_gap_days", "currency", "strip"),
}
_SPECIFIC = {name for names in _LEDGER_ARGUMENTS.values() for name in names}


class TableSection(Section):
    """How rows are counted into cells."""

    period: Length = Field(default="month", description="Length of a tenure: how often an account may leave.")
    cohort: Length = Field(default="quarter", description="How acquisitions are grouped.")
    calendar: Length = Field(default="quarter", description="Length of a calendar bucket, counted back from as-of.")
    by: Annotated[Names, NAMES] = Field(default=(), description="Segment columns.")

    def count(self, ledger: Ledger) -> CohortTable:
        """The ledger's cells."""
        return ledger.cohort_table(period=self.period, cohort=self.cohort, calendar=self.calendar, by=self.by)


class ModelSection(SamplingSection):
    """What is fitted and how it is sampled."""

    churn: str = Field(default="Smooth", description="Churn curve: Smooth, Geometric, ShiftedBetaGeometric.")
    expansion: str = Field(
        default="Constant", description="Law of the survivors' growth: Constant, Decaying, Saturating, Flat."
    )

    def arguments(self) -> dict[str, Any]:
        """The keywords of `lifeworth.fit` and `lifeworth.backtest`."""
        from lifeworth.churn import CURVES
        from lifeworth.expansion.base import EXPANSIONS

        return {
            "churn": registered("churn", self.churn, CURVES)(),
            "expansion": registered("expansion", self.expansion, EXPANSIONS)(),
            **self.sampling(),
        }


class CompareSection(Section):
    """Somebody's own numbers for the formulas."""

    input: Annotated[Numbers, written("NAME=NUMBER")] = Field(
        default={}, description="A number of your own sheet for the formulas, such as churn=0.02; repeatable."
    )


class BacktestSection(Section):
    """What is held out and predicted."""

    holdout: int = Field(default=4, ge=1, description="Calendar buckets that are held out and predicted.")
    origins: int = Field(default=1, ge=1, description="How many dates, a bucket apart, the forecast is made at.")
