"""The formulas that read retention by tenure: cohort curves and the sBG law by maximum likelihood."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from lifeworth import formulas
from lifeworth.comparison.inputs import Floats, Inputs
from lifeworth.comparison.registry import Convention, Method, register_method
from lifeworth.errors import AssumptionError

THIN = 30
"""Accounts at risk that the last hazard of a life table rests on at least, where there are as many."""

_NEEDS = ("arpa", "gross_margin", "at_risk", "discount_rate_annual")
_AT_ONCE = Convention(discounted=True)
_IMMINENT = Convention(first=1, lag=-1, discounted=True)


def life_table(at_risk: Floats, churned: Floats) -> Floats:
    """Retention by tenure; the last one is to be carried on.

    Churned over at risk; a tenure nobody was observed in takes the retention of the one before. The last hazard is
    that of the last tenures together that have 30 accounts at risk.

    Parameters
    ----------
    at_risk, churned : array (tenures,)

    Returns
    -------
    array (tenures up to the pooled last one,)

    Raises
    ------
    AssumptionError
        Nobody was observed.

    Examples
    --------
    Tenures 1 and 2 have 28 accounts at risk, tenure 0 is needed to have 30:

    >>> life_table(np.array([100.0, 20.0, 8.0]), np.array([20.0, 4.0, 2.0])).round(6).tolist()
    [0.796875]
    >>> life_table(np.array([100.0, 80.0, 60.0]), np.array([20.0, 4.0, 3.0])).tolist()
    [0.8, 0.95, 0.95]
    """
    if not at_risk.sum() > 0:
        raise AssumptionError("no account was at risk at any tenure.")
    seen = np.flatnonzero(at_risk > 0)
    n, lost = at_risk[: seen[-1] + 1], churned[: seen[-1] + 1]
    later, later_lost = n[::-1].cumsum()[::-1], lost[::-1].cumsum()[::-1]
    enough = np.flatnonzero(later >= min(THIN, later[0]) - 1e-9)
    last = int(enough[-1])
    stayed = 1 - np.divide(lost[:last], n[:last], out=np.full(last, np.nan), where=n[:last] > 0)
    stayed = np.append(stayed, 1 - later_lost[last] / later[last])
    known = np.maximum.accumulate(np.where(np.isnan(stayed), -1, np.arange(last + 1)))
    first = int(np.flatnonzero(~np.isnan(stayed))[0])
    return np.asarray(stayed[np.where(known < 0, first, known)])


def carried_on(retention: Floats, t: Floats) -> Floats:
    """Share of accounts there at the opening of each whole period t, the last retention carried on.

    Examples
    --------
    >>> carried_on(np.array([0.8, 0.5]), np.arange(4.0)).round(6).tolist()
    [1.0, 0.8, 0.4, 0.2]
    """
    begun = np.concatenate([[1.0], np.cumprod(retention)])
    at = np.minimum(t, len(retention)).astype(np.int64)
    return np.asarray(begun[at] * retention[-1] ** np.maximum(t - len(retention), 0.0))


def _curve(x: Inputs) -> Floats:
    return life_table(x.at_risk, x.churned)


def _naive(x: Inputs) -> Floats:
    """Accounts at risk at each tenure over those at risk at the one before: who is too young counts as lost."""
    n = x.at_risk[: int(np.flatnonzero(x.at_risk > 0)[-1]) + 1] if x.at_risk.any() else x.at_risk
    if not n.size or not n[0] > 0 or np.any(n[1:] > n[:-1]):
        raise AssumptionError(
            "some accounts entered late, so those active over those ever acquired are no survival curve."
        )
    return np.append(n[1:] / n[:-1], 1 - x.churned[len(n) - 1] / n[-1])


def _dcf(x: Inputs, retention: Floats) -> float:
    """Discounted payments, the first at once and certain, the last retention carried on."""
    later = float(formulas.derl(retention, x.discount_rate, continued=True))
    return x.margin * (1 + later / (1 + x.discount_rate))


def _dcf_residual(x: Inputs, retention: Floats) -> float:
    """Discounted payments of the book in force, each account's next renewal imminent."""
    return x.margin * _over_book(
        x, lambda n: float(formulas.derl(retention[min(n, len(retention) - 1) :], x.discount_rate, continued=True))
    )


def _over_book(x: Inputs, multiple: Callable[[int], float]) -> float:
    """Mean multiple of the money in force, tenure by tenure."""
    held = np.flatnonzero(x.book > 0)
    if not held.size:
        raise AssumptionError("no money is in force.")
    each = np.array([multiple(int(n)) for n in held])
    return float(np.average(each, weights=x.book[held]))


def _sbg_estimate(x: Inputs) -> formulas.SbgFit:
    return _fitted(x.at_risk.tobytes(), x.churned.tobytes())


@lru_cache(maxsize=256)
def _fitted(at_risk: bytes, churned: bytes) -> formulas.SbgFit:
    """The estimate of a row, found once for all readings."""
    return formulas.fit_sbg(np.frombuffer(at_risk), np.frombuffer(churned))


def _sbg(x: Inputs) -> float:
    """Discounted expected lifetime of the sBG point estimate, the first payment certain."""
    _discounting(x)
    found = _sbg_estimate(x)
    return x.margin * float(formulas.sbg_del(found.alpha, found.beta, x.discount_rate))


def _sbg_residual(x: Inputs) -> float:
    """Discounted expected residual lifetime by tenure, the next renewal imminent."""
    _discounting(x)
    found = _sbg_estimate(x)
    return x.margin * _over_book(x, lambda n: float(formulas.sbg_derl(n + 1, found.alpha, found.beta, x.discount_rate)))


def _discounting(x: Inputs) -> None:
    if x.discount_rate_annual <= 0:
        text = "the sBG lifetime without discounting is infinite unless alpha > 1; give a discount rate."
        raise AssumptionError(text)


def _sbg_survival(t: Floats, x: Inputs) -> Floats:
    found = _sbg_estimate(x)
    return np.asarray(formulas.sbg_survival(t, found.alpha, found.beta))


NAIVE = register_method(
    Method(
        name="cohort curve, naive",
        practised=lambda x: _dcf(x, _naive(x)),
        survival=lambda t, x: carried_on(_naive(x), t),
        residual=lambda x: _dcf_residual(x, _naive(x)),
        convention=_AT_ONCE,
        residual_convention=_IMMINENT,
        needs=_NEEDS,
        by_tenure=True,
        censored=False,
        assumptions="accounts too young to have reached a tenure count as lost before it; nobody else ever acquired "
        "differs; flat revenue",
        conditions="nobody entered late; last retention < 1 + discount rate",
        source="active at each age over all ever acquired, a dashboard's retention curve",
    )
)
register_method(
    Method(
        name="cohort curve",
        practised=lambda x: _dcf(x, _curve(x)),
        survival=lambda t, x: carried_on(_curve(x), t),
        residual=lambda x: _dcf_residual(x, _curve(x)),
        convention=_AT_ONCE,
        residual_convention=_IMMINENT,
        needs=_NEEDS,
        by_tenure=True,
        assumptions="retention by tenure is what it was on average over everything observed; the last is carried on; "
        "flat revenue",
        conditions="last retention < 1 + discount rate",
        source="the life table; formulas.derl(continued=True)",
    )
)
register_method(
    Method(
        name="sBG point estimate",
        practised=_sbg,
        survival=_sbg_survival,
        residual=_sbg_residual,
        convention=_AT_ONCE,
        residual_convention=_IMMINENT,
        needs=_NEEDS,
        by_tenure=True,
        assumptions="each account has its own constant churn, Beta distributed; no calendar; flat revenue",
        conditions="a discount rate above 0",
        source="Fader & Hardie (2007, 2010), maximum likelihood; formulas.sbg_del, formulas.sbg_derl",
    )
)
