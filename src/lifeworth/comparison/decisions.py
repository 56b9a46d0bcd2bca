"""Decisions taken on a formula's number, and how probable it is that the posterior's draws decide otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lifeworth.comparison.inputs import Floats, Inputs
from lifeworth.comparison.registry import Method
from lifeworth.comparison.revaluation import Revaluation
from lifeworth.comparison.subject import Label
from lifeworth.errors import LifeworthError
from lifeworth.valuation import KINDS, Kind

RATIO, MONTHS = 3.0, 12.0
"""CLTV:CAC above which, and payback up to which, an acquisition is taken to be worth it."""

DECISIONS = {
    "CLTV:CAC": f"acquire where CLTV is above {RATIO:g} times CAC",
    "payback": f"acquire where CAC is earned back within {MONTHS:g} months",
    "target CAC": f"pay up to CLTV / {RATIO:g} for an account",
}
"""The decisions, in words."""


@dataclass(frozen=True, slots=True)
class Point:
    """A formula's number in one row and reading.

    Parameters
    ----------
    row : (cohort, segment)
    method : Method
    basis : str
    estimate : float
        CLTV per account.
    inputs : Inputs
        The numbers it came from.
    """

    row: Label
    method: Method
    basis: str
    estimate: float
    inputs: Inputs


def decided(points: list[Point], revaluation: Revaluation) -> Iterator[dict[str, object]]:
    """One row per point, decision and kind; nothing for a decision that needs a CAC nobody knows."""
    subject = revaluation.subject
    for row in dict.fromkeys(point.row for point in points):
        own, cac = [point for point in points if point.row == row], _cac(revaluation, row)
        for kind in KINDS:
            if not np.isnan(cac):
                ratio, months = (subject.draws(name, row, kind) for name in ("cltv_cac", "payback_months"))
                for point in own:
                    yield _row(point, kind, "CLTV:CAC", point.estimate / cac, ratio, ratio > RATIO)
                for point in own:
                    paid_back = _payback(revaluation, point, cac)
                    yield _row(point, kind, "payback", paid_back, months, months <= MONTHS)
            cltv = subject.draws("cltv", row, kind)
            for point in own:
                yield _row(point, kind, "target CAC", point.estimate / RATIO, cltv / RATIO, cltv >= point.estimate)


def _row(point: Point, kind: Kind, decision: str, formula: float, draws: Floats, yes: np.ndarray) -> dict[str, object]:
    says = {"CLTV:CAC": formula > RATIO, "payback": formula <= MONTHS}.get(decision, True)
    share = float(yes.mean())
    wrong = 1 - share if says else share
    return {
        "cohort": point.row[0],
        "segment": point.row[1],
        "method": point.method.name,
        "basis": point.basis,
        "kind": kind,
        "decision": decision,
        "formula": formula,
        "formula_says": "yes" if says else "no",
        "posterior": float(np.quantile(draws, 0.5, method="inverted_cdf") if decision == "payback" else draws.mean()),
        "posterior_yes": share,
        "wrong": wrong,
        "flips": wrong > 0.5,
    }


def _cac(revaluation: Revaluation, row: Label) -> float:
    """Mean CAC of a row: what CLTV net of it leaves out."""
    if revaluation.subject.value.economics.cac is None:
        return np.nan
    gross, net = (revaluation.subject.draws(name, row, "parameter") for name in ("cltv", "cltv_net"))
    cac = float((gross - net).mean())
    return cac if cac > 0 else np.nan


def _payback(revaluation: Revaluation, point: Point, cac: float) -> float:
    """Months until CAC is covered: by a constant margin as practised, by the margin of those that stay aligned."""
    x = point.inputs
    if point.basis == "as practised":
        return cac / (x.margin / x.months_per_period) if x.margin > 0 else np.inf
    try:
        earned = np.cumsum(revaluation.margins(point.method, point.row))
    except LifeworthError:
        return np.nan
    covered = np.flatnonzero(earned >= cac - 1e-9)
    if not covered.size:
        return np.inf
    return float(covered[0] + (x.timing == "end")) * x.months_per_period
