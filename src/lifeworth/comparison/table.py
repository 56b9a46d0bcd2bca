"""Comparison: every closed-form formula against the posterior, on the same data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from lifeworth.comparison.alike import check_alike
from lifeworth.comparison.decisions import Point, decided
from lifeworth.comparison.gap import Gap, gap
from lifeworth.comparison.inputs import NUMBERS, Inputs
from lifeworth.comparison.registry import METHODS, Method, find_method, practised
from lifeworth.comparison.revaluation import ALIGNED, Revaluation
from lifeworth.comparison.sheets import Sheet, read_sheet
from lifeworth.comparison.subject import MEASURES, Label, Measure
from lifeworth.comparison.words import verdict
from lifeworth.comparison.workbook import CellRange
from lifeworth.errors import DefinitionError, LifeworthError
from lifeworth.valuation import KINDS, Valuation

type Basis = Literal["as practised", "aligned"]
BASES: tuple[Basis, Basis] = ("as practised", "aligned")

FEW_ACCOUNTS, FEW_LOSSES = 100, 10
"""Below either, in the trailing twelve months, a row is a SMALL-SAMPLE: ten losses are known to a third."""
MUCH_BEYOND = 0.25
"""Share of the value at tenures nobody was observed at above which a row is an EXTRAPOLATION, as `value` warns."""


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Point formulas beside the posterior of an account acquired at as_of, or of the book in force.

    Parameters
    ----------
    value : Valuation
        What the formulas are held against.
    frame : DataFrame
        See `table`.
    inputs : DataFrame
        The numbers that went into the formulas, by cohort, segment and basis.
    measure : {"cltv", "residual", "total_residual"}
    sheet : Inputs, optional
        The numbers of somebody's spreadsheet, completed by the table's own.
    revaluation : Revaluation
        What values the rows again, for the gap.
    points : list of Point
        The formulas' numbers per account, for the decisions.
    """

    value: Valuation
    frame: pd.DataFrame
    inputs: pd.DataFrame
    measure: Measure = "cltv"
    sheet: Inputs | None = None
    revaluation: Revaluation = field(repr=False, kw_only=True)
    points: list[Point] = field(repr=False, kw_only=True)

    def table(self) -> pd.DataFrame:
        """Each formula in both readings, per row and in total.

        Returns
        -------
        DataFrame
            cohort ("new" for cltv, "all" for the book in force, and the cohorts if asked for), the `by` columns
            ("all" is the total), method, basis ("as practised": as people use it, mostly undiscounted and without
            end, on trailing-twelve-month inputs or the sheet's; "aligned": the same assumptions about churn and
            growth with the posterior's horizon, discounting, timing and cost), estimate (nan where undefined), reason,
            kind, mean, p10, p50, p90 (of the posterior), percentile (share of the posterior below the estimate),
            verdict, measure, difference and ratio (estimate to mean), beyond (share of the row's value at tenures
            nobody was observed at), flag: SMALL-SAMPLE (fewer than 100 accounts at risk or 10 losses in the trailing
            twelve months), EXTRAPOLATION (beyond above a quarter).
        """
        return self.frame

    def summary(self) -> pd.DataFrame:
        """The total row of every formula against the posterior of the expected value, in words."""
        rows = self.frame[(self.frame["kind"] == "parameter") & self.frame["cohort"].isin(["new", "all"])]
        for name in self.value.by:
            rows = rows[rows[name] == "all"]
        shown = ["method", "basis", "estimate", "mean", "p10", "p90", "percentile", "verdict"]
        return rows[shown].rename(columns={"mean": "posterior mean"}).reset_index(drop=True)

    def decisions(self) -> pd.DataFrame:
        """What would be decided on each formula, and how probable it is that this is wrong.

        Returns
        -------
        DataFrame
            cohort, the `by` columns, method, basis, kind, decision ("CLTV:CAC": above 3; "payback": within 12 months;
            "target CAC": a third of CLTV may be paid), formula (its ratio, months or money), formula_says, posterior
            (mean; the median of payback), posterior_yes (share of draws that say yes; for target CAC, in which an
            account is worth three times what the formula lets one pay), wrong (probability that the formula's decision
            is), flips (wrong above a half). Empty but for the target where CAC is unknown, and for a residual value.
        """
        columns = ["method", "basis", "kind", "decision", "formula", "formula_says", "posterior", "posterior_yes"]
        columns = ["cohort", *self.value.by, *columns, "wrong", "flips"]
        if self.measure != "cltv":
            return pd.DataFrame(columns=columns)
        found = decided(self.points, self.revaluation)
        rows = [{**row, **dict(zip(self.value.by, row["segment"], strict=True))} for row in found]  # type: ignore[call-overload]
        return pd.DataFrame(rows, columns=columns)

    def gap(
        self,
        method: str | None = None,
        *,
        basis: Basis = "as practised",
        reverse: bool = False,
        cohort: str | None = None,
        segment: Mapping[str, str] | None = None,
    ) -> Gap:
        """The way from a formula's number to the posterior mean, one assumption at a time.

        Parameters
        ----------
        method : str, optional
            Its name; None is the first of the table.
        basis : {"as practised", "aligned"}
        reverse : bool
            The same steps in the opposite order: how much of a step is due to its place.
        cohort : str, optional
            None is the total: new accounts, or all in force.
        segment : mapping of `by` column to value, optional
            None is all segments.

        Returns
        -------
        Gap

        Raises
        ------
        DefinitionError
            There is no such formula or basis.
        ComparisonError
            There is no such row.
        """
        if basis not in BASES:
            raise DefinitionError(f"basis is {basis!r}: use 'as practised' or 'aligned'.")
        row = self.revaluation.subject.row(cohort, dict(segment or {}))
        chosen = find_method(method if method is not None else str(self.frame["method"].iloc[0]))
        total = row == self.revaluation.subject.row(None, {})
        sheet = self.sheet if total and basis == "as practised" else None
        return gap(self.revaluation, chosen, row, aligned=basis == "aligned", reverse=reverse, sheet=sheet)

    def beside(self, other: Comparison) -> pd.DataFrame:
        """Lay this comparison and another of the same data, economics and horizon side by side.

        Returns
        -------
        DataFrame
            The rows of both tables, with the estimate and mean of each and what they differ by.

        Raises
        ------
        ComparisonError
            They do not describe the same; the message lists what differs.
        """
        check_alike(self.value, other.value)
        keys = ["cohort", *self.value.by, "method", "basis", "kind", "measure"]
        shown = [*keys, "estimate", "mean"]
        both = self.frame[shown].merge(other.frame[shown], on=keys, how="outer", suffixes=("", "_other"), sort=False)
        return both.assign(mean_difference=both["mean_other"] - both["mean"])


def compare(
    value: Valuation,
    *,
    inputs: Mapping[str, object] | pd.DataFrame | str | Path | CellRange | None = None,
    measure: Measure = "cltv",
    cohorts: bool = False,
) -> Comparison:
    """Hold every formula against the posterior of an account acquired at as_of, or of the book in force.

    Parameters
    ----------
    value : Valuation
    inputs : mapping, DataFrame, path of an .xlsx file or CellRange, optional
        The numbers of somebody's spreadsheet: any of arpa, gross_margin, churn (or retention), expansion,
        service_cost, discount_rate, horizon, and cltv, its own result. Labels are forgiving; see
        `lifeworth.comparison.read_sheet`. The total row as practised is then exactly that sheet's result, and it comes
        first; the formula that gives the sheet's cltv comes before the others.
    measure : {"cltv", "residual", "total_residual"}
        What is compared: of an account acquired at as_of, of an account in force, of all accounts in force.
    cohorts : bool
        Whether every cohort has rows of its own, too.

    Returns
    -------
    Comparison

    Raises
    ------
    DefinitionError
        `inputs` has a number that no formula takes, one given twice, or one out of range.
    ComparisonError
        There are no accounts of that kind, or the sheet is in another currency.
    """
    if measure not in MEASURES:
        raise DefinitionError(f"measure is {measure!r}: use one of {', '.join(map(repr, MEASURES))}.")
    revaluation = Revaluation(value, measure)
    rows, sheet = revaluation.subject.rows(cohorts), None
    given = None
    if inputs is not None:
        given = read_sheet(inputs, value.fit.table.period, value.economics.currency or value.fit.table.currency)
        sheet = _completed(given, revaluation, rows[0])
    points, used, frame = [], [], []
    for row in rows:
        own = revaluation.subject.inputs(row)
        for basis in BASES:
            x = sheet if sheet is not None and row == rows[0] and basis == "as practised" else own
            if isinstance(x, Inputs):
                used.append(_numbers(x, revaluation, row, basis))
            estimates = list(_estimates(revaluation, row, basis, x, given if x is sheet else None))
            points += [Point(row, m, basis, e, x) for m, e, _ in estimates if isinstance(x, Inputs) and np.isfinite(e)]
            frame += [(row, basis, *estimate) for estimate in estimates]
    table = pd.DataFrame(_rows(revaluation, frame))
    return Comparison(value, table, pd.DataFrame(used), measure, sheet, revaluation=revaluation, points=points)


def _completed(given: Sheet, revaluation: Revaluation, row: Label) -> Inputs:
    """The sheet's numbers, and where it gives none the table's own."""
    own = revaluation.subject.inputs(row)
    base = own if isinstance(own, Inputs) else revaluation.subject.base(row)
    return replace(base, **given.numbers)  # type: ignore[arg-type]


def _estimates(
    revaluation: Revaluation, row: Label, basis: Basis, x: Inputs | str, sheet: Sheet | None
) -> Iterator[tuple[Method, float, str]]:
    """Every formula's number per account in one row and reading, or nan and the reason."""
    found = []
    for method in METHODS.values():
        if isinstance(x, str):
            found.append((method, np.nan, x))
        elif basis == "as practised":
            found.append((method, *practised(method, x, residual=revaluation.subject.residual)))
        else:
            found.append((method, *_aligned(revaluation, method, row, x)))
    if sheet is not None and sheet.result is not None:
        found.sort(key=lambda each: not sheet.gives(each[1]))
    yield from found


def _aligned(revaluation: Revaluation, method: Method, row: Label, x: Inputs) -> tuple[float, str]:
    if reason := method.missing(x):
        return np.nan, reason
    try:
        return revaluation.worth(method, ALIGNED, row), ""
    except LifeworthError as error:
        return np.nan, str(error)


def _rows(
    revaluation: Revaluation, found: list[tuple[Label, Basis, Method, float, str]]
) -> Iterator[dict[str, object]]:
    subject, described = revaluation.subject, {}
    for row in dict.fromkeys(each[0] for each in found):
        draws = {kind: subject.draws(subject.measure, row, kind) for kind in KINDS}
        bands = {kind: (d.mean(), *np.quantile(d, [0.1, 0.5, 0.9])) for kind, d in draws.items()}
        described[row] = draws, bands, _flags(revaluation, row)
    for row, basis, method, each, reason in found:
        draws, bands, flags = described[row]
        estimate = each * subject.scale(row)
        for kind in KINDS:
            mean, low, middle, high = bands[kind]
            yield {
                "cohort": row[0],
                **subject.named(row),
                "method": method.name,
                "basis": basis,
                "estimate": estimate,
                "reason": reason,
                "kind": kind,
                "mean": mean,
                "p10": low,
                "p50": middle,
                "p90": high,
                "percentile": np.nan if reason else float((draws[kind] < estimate).mean()),
                "verdict": verdict(estimate, reason, mean, low, high),
                "measure": subject.measure,
                "difference": estimate - mean,
                "ratio": estimate / mean if mean > 0 else np.nan,
                **flags,
            }


def _flags(revaluation: Revaluation, row: Label) -> dict[str, object]:
    """Share of the value beyond what was observed, and the flags of a row."""
    x, beyond = revaluation.subject.inputs(row), revaluation.beyond(row)
    few = isinstance(x, str) or x.recent_at_risk.sum() < FEW_ACCOUNTS or x.recent_churned.sum() < FEW_LOSSES
    raised = [name for name, up in (("SMALL-SAMPLE", few), ("EXTRAPOLATION", beyond > MUCH_BEYOND)) if up]
    return {"beyond": beyond, "flag": ", ".join(raised)}


def _numbers(x: Inputs, revaluation: Revaluation, row: Label, basis: Basis) -> dict[str, object]:
    of_row = {"cohort": row[0], **revaluation.subject.named(row), "basis": basis}
    return {**of_row, **{name: getattr(x, name) for name in NUMBERS}}
