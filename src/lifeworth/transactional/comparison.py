"""The customer lifetime value that lifetimes gives, against the posterior, with the gap in named steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd

from lifeworth._ops import Array
from lifeworth.errors import DefinitionError
from lifeworth.point_estimates import point_estimate
from lifeworth.purchases import DAYS_PER_YEAR
from lifeworth.transactional.ahead import Clock, Who, expected_ahead, known_customers, value_edges
from lifeworth.transactional.model import counts
from lifeworth.transactional.value import PurchaseValuation

_MONTH_DAYS: Final = 30
"""Days in a month of lifetimes, of which its year has twelve."""

STEPS: Final = {
    "as practised": "lifetimes: point estimates, months of 30 days, whole months discounted at their end",
    "360-day year": "months of 365.25 / 12 days",
    "monthly discounting": "purchases discounted when they are made",
    "whole months": "the horizon itself, not the months that fit in it",
    "point to posterior": "mean over the draws of the purchase parameters, histories read at the pace of the drift",
    "spend uncertainty": "mean over the draws of the spend parameters, paired draw by draw",
    "drift": "the purchase rate goes on from where the drift left it",
}
"""The steps from the practised value to the posterior mean, in words."""


@dataclass(frozen=True, slots=True, eq=False)
class PurchaseComparison:
    """What lifetimes says of the customers of a valuation, and what the posterior says.

    Attributes
    ----------
    value : PurchaseValuation
    parameters : DataFrame
        part, parameter, estimate (lifetimes' point), mean, p10, p90 of the posterior, and inside (the 80% interval).
        Of the posterior under partial pooling these are the common values.
    steps : DataFrame
        step, about, amount (total residual value of all customers after this step) and change. The last amount is the
        posterior mean, and the changes add up to it exactly.
    """

    value: PurchaseValuation
    parameters: pd.DataFrame
    steps: pd.DataFrame

    def summary(self) -> pd.DataFrame:
        """The practised total beside the posterior: mean, p10 and p90 of both kinds, gap and verdict in words."""
        practised, mean = float(self.steps["amount"].iloc[0]), float(self.steps["amount"].iloc[-1])
        row: dict[str, object] = {"method": "customer_lifetime_value of lifetimes", "estimate": practised, "mean": mean}
        for kind in ("parameter", "predictive"):
            low, high = np.quantile(self.value.sample("total_residual", kind), [0.1, 0.9])
            row |= {f"{kind} p10": low, f"{kind} p90": high}
        worst = self.steps["step"].iloc[1 + int(self.steps["change"].iloc[1:].abs().to_numpy().argmax())]
        gap = practised / mean - 1
        where = "inside" if row["predictive p10"] <= practised <= row["predictive p90"] else "outside"  # type: ignore[operator]
        words = f"{gap:+.1%} against the posterior mean, {where} its 80% predictive band; mostly: {worst}"
        return pd.DataFrame([row | {"gap": gap, "verdict": words}])

    def table(self) -> pd.DataFrame:
        """The steps."""
        return self.steps


def compare_purchases(value: PurchaseValuation) -> PurchaseComparison:
    """Hold lifetimes' point estimates and its `customer_lifetime_value` against the posterior.

    As practised: maximum likelihood of both parts on all customers as one, spend of who has no paid repeat at the mean
    of the law, purchases month by month of 30 days, each month discounted at its end by the monthly rate
    (1 + d)^(1/12) - 1, over the whole months of the horizon.

    Parameters
    ----------
    value : PurchaseValuation

    Returns
    -------
    PurchaseComparison

    Raises
    ------
    DefinitionError
        The model counts opportunities: lifetimes values no such model; or the price or the margin is uncertain.
    FitError
        lifetimes could not fit.

    Source: lifetimes 0.11.3, `utils._customer_lifetime_value`.
    """
    fit, e = value.fit, value.economics
    if counts(fit.model.purchases):
        raise DefinitionError("lifetimes values no model of opportunities: compare a model in continuous time.")
    if "gross_margin" in e.uncertain or isinstance(e.gross_margin, Mapping) or e.price_increase_annual:
        raise DefinitionError("give one certain gross_margin and no price increase to compare with lifetimes.")
    margin = float(e.gross_margin)  # type: ignore[arg-type]
    point = _points(value)
    job = _Steps(value, point)
    months = int(np.floor(e.horizon_years * 12 + 1e-9))
    amounts = [
        job.monthly(months, _MONTH_DAYS / DAYS_PER_YEAR),
        job.monthly(months, 1 / 12),
        job.continuous(months / 12),
        job.continuous(e.horizon_years),
        job.continuous(e.horizon_years, drawn=("purchases",)),
        job.continuous(e.horizon_years, drawn=("purchases", "spend")),
    ]
    worth = [*(amount * margin for amount in amounts), float(value.sample("total_residual").mean())]
    frame = pd.DataFrame({"step": list(STEPS), "about": list(STEPS.values()), "amount": worth})
    frame["change"] = frame["amount"].diff().fillna(frame["amount"])
    return PurchaseComparison(value, _beside(value, point), frame)


def _points(value: PurchaseValuation) -> dict[str, dict[str, float]]:
    table, fit = value.fit.table, value.fit
    return {
        "purchases": point_estimate(fit.model.purchases, table.history, customers=table.customers),
        "spend": point_estimate(fit.spend_law, table.spend_history, customers=table.spend["customers"].to_numpy()),
    }


def _beside(value: PurchaseValuation, point: dict[str, dict[str, float]]) -> pd.DataFrame:
    rows = []
    for part, estimates in point.items():
        for name, estimate in estimates.items():
            draws = value.fit.draws[part][name].to_numpy().ravel()
            low, high = np.quantile(draws, [0.1, 0.9])
            row = {"part": part, "parameter": name, "estimate": estimate, "mean": draws.mean(), "p10": low, "p90": high}
            rows.append(row | {"inside": bool(low <= estimate <= high)})
    return pd.DataFrame(rows)


class _Steps:
    """Total residual value of all customers before margin, step by step."""

    def __init__(self, value: PurchaseValuation, point: dict[str, dict[str, float]]) -> None:
        self.value, self.fit = value, value.fit
        self.who = known_customers(self.fit)
        self.plain = replace(self.who, history=self.fit.table.history, paying=np.ones(len(self.who.unit)))
        units = len(self.fit.units)
        self.point = {
            part: {name: np.full((1, units), number) for name, number in known.items()} for part, known in point.items()
        }
        self.thin = value.thin
        self.rate = value.economics.discount_rate_annual

    def monthly(self, months: int, years: float) -> float:
        """Whole months of this length, each discounted at its end by the twelfth of a year."""
        ends = np.arange(1, months + 1)
        return self._total(ends * years, (1 + self.rate) ** (-ends / 12), self.point, self.plain)

    def continuous(self, horizon: float, *, drawn: tuple[str, ...] = ()) -> float:
        """Purchases discounted when they are made, at the point or over the draws of these parts."""
        edges = value_edges(horizon)
        middle = (edges + np.concatenate([[0.0], edges[:-1]])) / 2
        theta = self.point | {part: self.fit.theta(part, thin=self.thin) for part in drawn}
        return self._total(edges, (1 + self.rate) ** -middle, theta, self.who if drawn else self.plain)

    def _total(self, edges: Array, weights: Array, theta: dict[str, dict[str, Array]], who: Who) -> float:
        purchases = theta["purchases"]
        draws = len(next(iter(purchases.values())))
        spend = {name: np.broadcast_to(v, (draws, v.shape[1])) for name, v in theta["spend"].items()}
        flat = np.ones((draws, len(edges)))
        parts = expected_ahead(self.fit, who, purchases, spend, Clock(edges, edges, flat, flat))
        return float(sum(np.einsum("k,kdu->", weights, money) for _, _, _, money in parts) / draws)
