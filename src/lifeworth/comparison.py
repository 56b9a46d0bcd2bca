"""Comparison: every closed-form formula against the posterior, on the same data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lifeworth.errors import AssumptionError, LifeworthError
from lifeworth.indexing import segment_labels
from lifeworth.ledger.months import months_in
from lifeworth.practice import METHODS, Inputs, sheet, trailing
from lifeworth.valuation import KINDS, Valuation

BASES = ("as practised", "aligned")


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Point formulas beside the posterior CLTV of an account acquired at as_of.

    Parameters
    ----------
    value : Valuation
        What the formulas are held against.
    frame : DataFrame
        See `table`.
    inputs : DataFrame
        The numbers that went into the formulas, by segment and basis.
    """

    value: Valuation
    frame: pd.DataFrame
    inputs: pd.DataFrame

    def table(self) -> pd.DataFrame:
        """Each formula in both readings, per segment and in total.

        Returns
        -------
        DataFrame
            cohort ("new"), the `by` columns ("all" is the total), method, basis ("as practised": undiscounted and
            without end, on trailing-twelve-month inputs or the sheet's; "aligned": the same constant rates with the
            posterior's horizon, discounting, timing and cost), estimate (nan where undefined), reason, kind, mean,
            p10, p50, p90 (of the posterior), percentile (share of the posterior below the estimate), verdict.
        """
        return self.frame

    def summary(self) -> pd.DataFrame:
        """The total row of every formula against the posterior of the expected value, in words."""
        rows = self.frame[self.frame["kind"] == "parameter"]
        for name in self.value.by:
            rows = rows[rows[name] == "all"]
        shown = ["method", "basis", "estimate", "mean", "p10", "p90", "percentile", "verdict"]
        return rows[shown].rename(columns={"mean": "posterior mean"}).reset_index(drop=True)


def compare(value: Valuation, *, inputs: Mapping[str, float] | None = None) -> Comparison:
    """Hold every formula against the posterior CLTV of an account acquired at as_of.

    Parameters
    ----------
    value : Valuation
    inputs : mapping of str to float, optional
        The numbers of somebody's spreadsheet: any of arpa, gross_margin, churn, expansion, service_cost,
        discount_rate_annual, horizon_years; rates and money per period of the table. The total row as practised is
        then exactly that sheet's result, and it comes first.

    Returns
    -------
    Comparison

    Raises
    ------
    DefinitionError
        `inputs` names a number that no formula takes.
    """
    given = dict(inputs or {})
    rows, used = [], []
    every = tuple("all" for _ in value.by)
    for segment in _segments(value):
        own = _inputs(value, segment)
        sheets = dict.fromkeys(BASES, own)
        if given and segment == every:
            base = own if isinstance(own, Inputs) else _base(value, segment)
            sheets["as practised"] = sheet(given, base)
        for basis, numbers in sheets.items():
            if isinstance(numbers, Inputs):
                used.append(_numbers(numbers, segment, basis, value.by))
            rows += list(_rows(value, segment, basis, numbers))
    frame = pd.DataFrame(rows)
    return Comparison(value, frame, pd.DataFrame(used))


def _segments(value: Valuation) -> list[tuple[str, ...]]:
    """The segments with a row for new accounts, the total first."""
    rows = value.rows()
    labels = segment_labels(rows[rows["cohort"] == "new"], value.by)
    return sorted(set(labels), key=lambda label: ([part != "all" for part in label], label))


def _base(value: Valuation, segment: tuple[str, ...]) -> Inputs:
    """Inputs with the economics of a segment, and an ARPA of one unit of the table's money per period."""
    e, table = value.economics, value.fit.table
    segments = value.fit.index.segments
    at = [i for i, label in enumerate(segments) if label == segment or "all" in segment or not segment]
    weights = _new_amounts(value)[at]
    rng = np.random.default_rng([value.fit.seed, 7])
    mean = {n: e.by_segment(n, segments, rng, 2000).mean(axis=0)[at] for n in ("gross_margin", "service_cost_annual")}
    months = table.months_per_period
    return Inputs(
        arpa=months / months_in(table.amount_per, what="amount_per"),
        gross_margin=float(np.average(mean["gross_margin"], weights=weights)),
        churn=np.nan,
        expansion=np.nan,
        service_cost=float(mean["service_cost_annual"].mean()) * months / 12,
        discount_rate_annual=e.discount_rate_annual,
        horizon_years=e.horizon_years,
        timing=e.timing,
        months_per_period=months,
        at_risk=np.array([]),
        churned=np.array([]),
    )


def _new_amounts(value: Valuation) -> np.ndarray:
    """Money in force by segment, the weights of a blended margin."""
    table, segments = value.fit.table, value.fit.index.segments
    if not table.has_money:
        return np.ones(len(segments))
    labels = pd.Series(segment_labels(table.in_force, table.by), index=table.in_force.index, dtype=object)
    by_label = table.in_force.groupby(labels)["amount"].sum()
    return np.array([max(float(by_label.get(label, 0.0)), 1e-12) for label in segments])


def _inputs(value: Valuation, segment: tuple[str, ...]) -> Inputs | str:
    """The table's own numbers for a segment, or the reason why there are none."""
    table, base = value.fit.table, _base(value, segment)
    if not table.has_money:
        return "the table has counts only: no money in force to take ARPA from."
    frame, book = table.frame, table.in_force
    if segment and segment[0] != "all":
        frame, book = (f[[label == segment for label in segment_labels(f, table.by)]] for f in (frame, book))
    try:
        return trailing(frame, book, base, table.months_per_bucket)
    except AssumptionError as error:
        return str(error)


def _rows(value: Valuation, segment: tuple[str, ...], basis: str, numbers: Inputs | str) -> Iterator[dict[str, object]]:
    for method in METHODS:
        estimate, reason = np.nan, numbers if isinstance(numbers, str) else ""
        if isinstance(numbers, Inputs):
            try:
                estimate = float((method.practised if basis == "as practised" else method.aligned)(numbers))
            except LifeworthError as error:
                reason = str(error)
        for kind in KINDS:
            draws = value.sample("cltv", kind, cohort="new", **dict(zip(value.by, segment, strict=True)))
            low, middle, high = np.quantile(draws, [0.1, 0.5, 0.9])
            yield {
                "cohort": "new",
                **dict(zip(value.by, segment, strict=True)),
                "method": method.name,
                "basis": basis,
                "estimate": estimate,
                "reason": reason,
                "kind": kind,
                "mean": draws.mean(),
                "p10": low,
                "p50": middle,
                "p90": high,
                "percentile": np.nan if reason else float((draws < estimate).mean()),
                "verdict": verdict(estimate, reason, draws.mean(), low, high),
            }


def verdict(estimate: float, reason: str, mean: float, low: float, high: float) -> str:
    """A point against a band, in words.

    Examples
    --------
    >>> verdict(131.0, "", 100.0, 90.0, 110.0)
    'above P90: overstates by 31%'
    >>> verdict(98.0, "", 100.0, 90.0, 110.0)
    'inside the band: 2% below the mean'
    """
    if reason:
        return f"undefined: {reason}"
    if mean <= 0:
        side = "above" if estimate > high else "below" if estimate < low else "inside"
        return f"{side} the band; the posterior mean is not positive"
    ratio = estimate / mean
    gap = f"{abs(ratio - 1):.0%}"
    if estimate > high:
        return f"above P90: overstates {f'by {gap}' if ratio < 10 else f'{ratio:,.0f}-fold'}"
    if estimate < low:
        return f"below P10: understates by {gap}"
    return f"inside the band: {gap} {'above' if estimate >= mean else 'below'} the mean"


def _numbers(numbers: Inputs, segment: tuple[str, ...], basis: str, by: tuple[str, ...]) -> dict[str, object]:
    named = ("arpa", "gross_margin", "churn", "expansion", "service_cost", "discount_rate_annual", "horizon_years")
    return {**dict(zip(by, segment, strict=True)), "basis": basis, **{name: getattr(numbers, name) for name in named}}
