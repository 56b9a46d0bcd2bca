"""The formulas as people use them: their inputs from a table, and each one as practised and aligned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lifeworth import formulas
from lifeworth.economics import Timing
from lifeworth.errors import AssumptionError, DefinitionError

type Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
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
        Expansion less contraction, share of the opening money.
    service_cost : float
        Per account and period, beside the margin.
    discount_rate_annual, horizon_years, timing
        As in Economics.
    months_per_period : int
    at_risk, churned : array (tenures,)
        Accounts by tenure, for the formulas that read a curve.
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
    at_risk: Floats
    churned: Floats

    @property
    def margin(self) -> float:
        """Margin of an account per period."""
        return self.arpa * self.gross_margin

    @property
    def periods_per_year(self) -> float:
        """How many periods a year has."""
        return 12 / self.months_per_period

    def years_to_payments(self) -> Floats:
        """Years to each payment within the horizon."""
        step = 1 / self.periods_per_year
        last = int(np.floor(self.horizon_years / step + 1e-9))
        return np.asarray((np.arange(last) + (self.timing == "end")) * step, dtype=np.float64)

    def present_value(self, kept: Callable[[Floats], Floats], grown: float = 0.0) -> float:
        """Value over the horizon when share `kept(t)` of the accounts is there at the opening of period t."""
        years = self.years_to_payments()
        t = np.arange(len(years), dtype=np.float64)
        there = kept(t)
        flows = self.margin * there * (1 + grown) ** t - self.service_cost * there
        return float(np.sum(flows * formulas.discount_factor(years, self.discount_rate_annual)))


@dataclass(frozen=True, slots=True)
class Method:
    """A formula in two readings.

    Parameters
    ----------
    name : str
    practised : callable
        Inputs to CLTV, as the formula is used: mostly without discounting and without end.
    aligned : callable
        The same assumption about churn and expansion, with the posterior's horizon, discounting, timing and cost.
    source : str
    """

    name: str
    practised: Callable[[Inputs], float]
    aligned: Callable[[Inputs], float]
    source: str


def _basic(x: Inputs) -> float:
    return formulas.cltv_basic(x.arpa, x.gross_margin, x.churn)


def _basic_aligned(x: Inputs) -> float:
    return x.present_value(lambda t: (1 - x.churn) ** t)


def _linear(x: Inputs) -> float:
    return formulas.cltv_with_expansion(x.arpa, x.gross_margin, x.churn, x.expansion)


def _linear_aligned(x: Inputs) -> float:
    """Money decays with churn less expansion; cost is served to the accounts that are left."""
    accounts = x.present_value(lambda t: (1 - x.churn) ** t)
    served = replace(x, service_cost=0.0)
    money = served.present_value(lambda t: (1 - (x.churn - x.expansion)) ** t)
    return money + accounts - served.present_value(lambda t: (1 - x.churn) ** t)


def _exact(x: Inputs) -> float:
    return formulas.cltv_with_expansion(x.arpa, x.gross_margin, x.churn, x.expansion, exact=True)


def _exact_aligned(x: Inputs) -> float:
    return x.present_value(lambda t: (1 - x.churn) ** t, x.expansion)


def _worksheet(x: Inputs, retention: float = 1.0) -> float:
    """The yearly sheet: a year's money, cost and growth, without anyone leaving unless `retention` says so."""
    n, whole = x.periods_per_year, int(np.floor(x.horizon_years + 1e-9))
    if whole < 1:
        raise AssumptionError("the worksheet counts whole years: the horizon is below one.")
    sheet = formulas.worksheet(
        acv=x.arpa * n,
        expansion=(1 + x.expansion) ** n - 1,
        gross_margin=x.gross_margin,
        service_cost=x.service_cost * n,
        discount_rate=x.discount_rate_annual,
        years=whole,
        retention=retention,
    )
    return float(sheet.total_present_value)


def _worksheet_aligned(x: Inputs) -> float:
    return _worksheet(x, (1 - x.churn) ** x.periods_per_year)


def _sbg(x: Inputs) -> float:
    """Discounted expected lifetime of the sBG point estimate, the first payment certain."""
    if x.discount_rate_annual <= 0:
        raise AssumptionError(
            "the sBG lifetime without discounting is infinite unless alpha > 1; give a discount rate."
        )
    found = formulas.fit_sbg(x.at_risk, x.churned)
    rate = (1 + x.discount_rate_annual) ** (1 / x.periods_per_year) - 1
    return x.margin * float(formulas.sbg_del(found.alpha, found.beta, rate))


def _sbg_aligned(x: Inputs) -> float:
    found = formulas.fit_sbg(x.at_risk, x.churned)
    return x.present_value(lambda t: np.asarray(formulas.sbg_survival(t, found.alpha, found.beta)))


METHODS: tuple[Method, ...] = (
    Method("ARPA x margin / churn", _basic, _basic_aligned, "the SaaS formula; see formulas.cltv_basic"),
    Method("with expansion, linear", _linear, _linear_aligned, "formulas.cltv_with_expansion"),
    Method("with expansion, exact", _exact, _exact_aligned, "formulas.cltv_with_expansion(exact=True)"),
    Method("worksheet", _worksheet, _worksheet_aligned, "formulas.worksheet; aligned adds survival"),
    Method("sBG point estimate", _sbg, _sbg_aligned, "Fader & Hardie (2007, 2010); maximum likelihood"),
)
"""Every formula of the comparison, in the order it is shown."""

SHEET = ("arpa", "gross_margin", "churn", "expansion", "service_cost", "discount_rate_annual", "horizon_years")
"""What somebody's spreadsheet can give in place of the table's own numbers."""


def trailing(table_frame: pd.DataFrame, in_force: pd.DataFrame, base: Inputs, months_per_bucket: int) -> Inputs:
    """Inputs as practised, from the cells and the book of one segment or of all.

    Churn and expansion are those of the trailing twelve months, ARPA is that of the book in force. Money is per
    `amount_per` in the frames; `base.arpa` carries the factor to a period.
    """
    recent = table_frame[table_frame["bucket"] > -12 / months_per_bucket]
    sums = recent[["at_risk", "churned", "opening", "expansion", "contraction"]].sum()
    by_tenure = table_frame.groupby("tenure")[["at_risk", "churned"]].sum()
    accounts, amount = in_force["accounts"].sum(), in_force["amount"].sum()
    if not sums["at_risk"] or not accounts:
        raise AssumptionError("no account was at risk in the trailing twelve months, or none is in force.")
    net = sums["expansion"] - sums["contraction"]
    return replace(
        base,
        arpa=base.arpa * float(amount / accounts),
        churn=float(sums["churned"] / sums["at_risk"]),
        expansion=float(net / sums["opening"]) if sums["opening"] else 0.0,
        at_risk=by_tenure["at_risk"].to_numpy(dtype=float),
        churned=by_tenure["churned"].to_numpy(dtype=float),
    )


def sheet(inputs: dict[str, float], base: Inputs) -> Inputs:
    """The numbers of somebody's spreadsheet in place of the table's own; rates per period of the table."""
    unknown = sorted(set(inputs) - set(SHEET))
    if unknown:
        raise DefinitionError(f"inputs have {', '.join(unknown)}: a sheet can give {', '.join(SHEET)}.")
    given: dict[str, Any] = {name: float(number) for name, number in inputs.items()}
    return replace(base, **given)
