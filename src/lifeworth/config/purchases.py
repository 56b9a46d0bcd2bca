"""Sections of customers without a contract: their transactions, and how their purchases are modelled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from lifeworth.config.options import NAMES, Length, Names, Pairs, Section, registered, required, written
from lifeworth.config.shared import SamplingSection
from lifeworth.errors import DefinitionError

if TYPE_CHECKING:
    from lifeworth.ledger import PurchaseTable, TransactionLedger


class TransactionsSection(Section):
    """Where the transactions are and how to read them."""

    source: str | None = Field(default=None, description="Parquet or CSV file or glob with the transactions.")
    as_of: str | None = Field(default=None, description="Last day observed, such as 2026-06-30.")
    column: Annotated[Pairs, written("OURS=THEIRS")] = Field(
        default={}, description="Name of one of our columns in the source, such as customer_id=buyer; repeatable."
    )
    currency: str | None = Field(default=None, description="A column, or the three-letter code itself.")

    def read(self) -> TransactionLedger:
        """The ledger of transactions, opened and checked.

        Raises
        ------
        DefinitionError
            No source or no as_of is given.
        """
        from lifeworth.ledger import Ledger

        required("transactions", source=self.source, as_of=self.as_of)
        return Ledger.from_transactions(
            self.source, as_of=self.as_of, columns=self.column or None, currency=self.currency
        )


class PurchasesSection(SamplingSection):
    """How purchases are counted and modelled."""

    law: str = Field(default="BGNBD", description="Purchase model: BGNBD, MBGNBD, ParetoNBD, BGBB.")
    opportunities: float | None = Field(default=None, gt=0, description="BGBB only: chances to buy in a year.")
    fit_until: str | None = Field(
        default=None, description="An earlier day: fitted up to then, and held against what came later."
    )
    grid: Literal["day", "week"] = Field(default="day", description="Steps in which recency and age are counted.")
    cohort: Length = Field(default="quarter", description="How first purchases are grouped.")
    calendar: Literal["week", "4 weeks", "quarter", "year"] | None = Field(
        default=None,
        description="Length of a calendar bucket, counted back from as-of; by the history where not given.",
    )
    by: Annotated[Names, NAMES] = Field(default=(), description="Segment columns.")
    drift: bool = Field(default=True, description="Whether the purchase rate drifts over the calendar.")

    def count(self, ledger: TransactionLedger) -> PurchaseTable:
        """The distinct histories of the ledger."""
        return ledger.purchase_table(
            grid=self.grid, cohort=self.cohort, by=self.by, as_of=self.fit_until, calendar=self.calendar
        )

    def arguments(self) -> dict[str, Any]:
        """The keywords of `lifeworth.fit_purchases`."""
        from lifeworth.purchases import PURCHASES

        law: Any = registered("law", self.law, PURCHASES)
        if self.opportunities is not None and law.unit != "opportunity":
            raise DefinitionError(f"--opportunities is not an option of {law.__name__}, whose time is continuous.")
        settings = {} if self.opportunities is None else {"opportunities_per_year": self.opportunities}
        return {"purchases": law(**settings), "drift": self.drift, **self.sampling()}
