"""Inputs: the numbers that go into a formula, from somebody's sheet or from the cells of a table."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lifeworth.economics import Timing
from lifeworth.errors import AssumptionError

type Floats = NDArray[np.float64]

NUMBERS = ("arpa", "gross_margin", "churn", "expansion", "service_cost", "discount_rate_annual", "horizon_years")
"""The single numbers of `Inputs`: what somebody's sheet can give in place of the table's own."""


def _none() -> Floats:
    return np.zeros(0)


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """The numbers that go into a formula; rates are per period, money is per account and period.

    Parameters
    ----------
    arpa : float
        Recurring revenue of an account per period.
    gross_margin : float
        Share.
    churn : float
        Accounts lost, share of those at risk.
    expansion : float
        Growth of the accounts that stay: expansion less contraction, share of their opening money.
    service_cost : float
        Per account and period, beside the margin.
    discount_rate_annual, horizon_years, timing
        As in Economics.
    months_per_period : int
    at_risk, churned : array (tenures,)
        Accounts by tenure over everything observed, for the formulas that read a curve.
    recent_at_risk, recent_churned : array (tenures,)
        The same over the trailing twelve months: what `churn` comes from.
    book : array (tenures,)
        Money in force by completed tenure, for the residual value of the formulas that read a curve.
    """

    arpa: float
    gross_margin: float
    churn: float
    expansion: float
    service_cost: float
    discount_rate_annual: float
    horizon_years: float
    timing: Timing
    months_per_period: int
    at_risk: Floats = field(default_factory=_none)
    churned: Floats = field(default_factory=_none)
    recent_at_risk: Floats = field(default_factory=_none)
    recent_churned: Floats = field(default_factory=_none)
    book: Floats = field(default_factory=_none)

    @property
    def margin(self) -> float:
        """Margin of an account per period."""
        return self.arpa * self.gross_margin

    @property
    def periods_per_year(self) -> float:
        """How many periods a year has."""
        return 12 / self.months_per_period

    @property
    def discount_rate(self) -> float:
        """The discount rate per period."""
        return float((1 + self.discount_rate_annual) ** (1 / self.periods_per_year) - 1)

    def years_to_payments(self) -> Floats:
        """Years from acquisition to each payment within the horizon."""
        step = 1 / self.periods_per_year
        last = int(np.floor(self.horizon_years / step + 1e-9))
        return np.asarray((np.arange(last) + (self.timing == "end")) * step, dtype=np.float64)


def trailing(frame: pd.DataFrame, in_force: pd.DataFrame, base: Inputs, months_per_bucket: int) -> Inputs:
    """Inputs as practised, from the cells and the book of one row.

    Churn and expansion are those of the trailing twelve months, ARPA is that of the book in force. Expansion is of the
    accounts that stayed, as `formulas.cltv_with_expansion` takes it. Money is per `amount_per` in the frames;
    `base.arpa` carries the factor to a period.

    Raises
    ------
    AssumptionError
        No account was at risk in the trailing twelve months, or none is in force.
    """
    recent = frame[frame["bucket"] > -12 / months_per_bucket]
    if recent.empty or in_force.empty:
        raise AssumptionError("no account was at risk in the trailing twelve months, or none is in force.")
    sums = recent[["at_risk", "churned", "opening", "churned_amount", "expansion", "contraction"]].sum()
    accounts, amount = in_force["accounts"].sum(), in_force["amount"].sum()
    if not sums["at_risk"] or not accounts:
        raise AssumptionError("no account was at risk in the trailing twelve months, or none is in force.")
    net, stayed = sums["expansion"] - sums["contraction"], sums["opening"] - sums["churned_amount"]
    tenures = 1 + int(max(frame["tenure"].max(), in_force["tenure"].max()))
    observed = 1 + int(frame["tenure"].max())
    return replace(
        base,
        arpa=base.arpa * float(amount / accounts),
        churn=float(sums["churned"] / sums["at_risk"]),
        expansion=float(net / stayed) if stayed > 0 else 0.0,
        at_risk=_by_tenure(frame, "at_risk", observed),
        churned=_by_tenure(frame, "churned", observed),
        recent_at_risk=_by_tenure(recent, "at_risk", observed),
        recent_churned=_by_tenure(recent, "churned", observed),
        book=_by_tenure(in_force, "amount", tenures),
    )


def of_counts(frame: pd.DataFrame, base: Inputs, arpa: float) -> Inputs:
    """Inputs from the cells of a table without money and calendar: churn is that of everything observed.

    Raises
    ------
    AssumptionError
        No account was at risk.
    """
    at_risk, churned = frame["at_risk"].sum(), frame["churned"].sum()
    if not at_risk:
        raise AssumptionError("no account was at risk.")
    observed = 1 + int(frame["tenure"].max())
    n, lost = (_by_tenure(frame, name, observed) for name in ("at_risk", "churned"))
    return replace(
        base,
        arpa=base.arpa * arpa,
        churn=float(churned / at_risk),
        at_risk=n,
        churned=lost,
        recent_at_risk=n,
        recent_churned=lost,
    )


def _by_tenure(frame: pd.DataFrame, column: str, tenures: int) -> Floats:
    found = frame.groupby("tenure")[column].sum().reindex(range(tenures), fill_value=0)
    return found.to_numpy(dtype=float)
