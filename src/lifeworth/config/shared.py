"""Sections of both kinds of ledger: how a model is sampled, and what turns revenue into money."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from lifeworth.config.options import AMOUNTS, Amounts, Intervals, Section, required, written

if TYPE_CHECKING:
    from lifeworth.economics import Economics


class SamplingSection(Section):
    """How groups share strength, and how the posterior is sampled."""

    pooling: Literal["partial", "complete", "none"] = Field(
        default="partial", description="Segments and cohorts share strength, are one, or stand alone."
    )
    seed: int | None = Field(default=None, ge=0, description="The same seed gives the same numbers.")
    draws: int = Field(default=1000, ge=1, description="Draws kept per chain.")
    tune: int = Field(default=500, ge=1, description="Draws spent on tuning per chain.")
    chains: int = Field(default=4, ge=1, description="Independent chains.")
    prior: Annotated[Intervals, written("NAME=LOW:HIGH")] = Field(
        default={}, description="90% interval of a parameter in natural units; repeatable."
    )

    def sampling(self) -> dict[str, Any]:
        """The keywords of both `lifeworth.fit` and `lifeworth.fit_purchases`."""
        from lifeworth.results import SamplerOptions

        return {
            "pooling": self.pooling,
            "priors": self.prior or None,
            "seed": self.seed,
            "sampler": SamplerOptions(draws=self.draws, tune=self.tune, chains=self.chains),
        }


class EconomicsSection(Section):
    """What turns revenue into money."""

    gross_margin: Annotated[Amounts, AMOUNTS] = Field(
        default=None, description="Share of revenue left after serving it."
    )
    discount_rate: float | None = Field(default=None, description="Discount rate a year, such as 0.12.")
    horizon: float | None = Field(default=None, description="Years that are valued.")
    timing: Literal["end", "start"] = Field(default="end", description="When the payment of a period falls.")
    cac: Annotated[Amounts, AMOUNTS] = Field(default=None, description="Cost of acquiring an account.")
    service_cost: Annotated[Amounts, AMOUNTS] = Field(default=0.0, description="Cost of serving an account for a year.")
    price_increase: float = Field(
        default=0.0, description="A scenario: prices rise by this a year on top of expansion."
    )
    arpa: Annotated[Amounts, AMOUNTS] = Field(default=None, description="Revenue per account, for tables of counts.")

    def terms(self, currency: str | None) -> Economics:
        """The economics of a valuation.

        Raises
        ------
        DefinitionError
            Margin, discount rate or horizon is not given; a value is out of bounds.
        """
        from lifeworth.economics import Economics

        given = {"gross_margin": self.gross_margin, "discount_rate": self.discount_rate, "horizon": self.horizon}
        required("economics", **given)
        return Economics(
            gross_margin=self.gross_margin,  # type: ignore[arg-type]
            discount_rate_annual=self.discount_rate,  # type: ignore[arg-type]
            horizon_years=self.horizon,  # type: ignore[arg-type]
            timing=self.timing,
            cac=self.cac,  # type: ignore[arg-type]
            service_cost_annual=self.service_cost,  # type: ignore[arg-type]
            price_increase_annual=self.price_increase,
            currency=currency,
            arpa=self.arpa,  # type: ignore[arg-type]
        )
