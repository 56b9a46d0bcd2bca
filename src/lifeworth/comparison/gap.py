"""The gap between a formula and the posterior mean, in steps that each change one thing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from lifeworth.comparison.inputs import NUMBERS, Inputs
from lifeworth.comparison.registry import Method, practised
from lifeworth.comparison.revaluation import ALIGNED, ON_FITTED, PRACTISED, STEPS, Revaluation, Setting
from lifeworth.comparison.subject import Label, Measure
from lifeworth.errors import LifeworthError

OF_SHEET = {
    "arpa": "the table's ARPA instead of the sheet's",
    "gross_margin": "the gross margin of the Economics instead of the sheet's",
    "churn": "the table's churn instead of the sheet's",
    "expansion": "the table's expansion instead of the sheet's",
    "service_cost": "the service cost of the Economics instead of the sheet's",
    "discount_rate_annual": "the discount rate of the Economics instead of the sheet's",
    "horizon_years": "the horizon of the Economics instead of the sheet's",
}
"""The first steps where a sheet was given: one for each number that differs."""


@dataclass(frozen=True, slots=True)
class Step:
    """One change on the way: what it is, and the value before and after it."""

    names: tuple[str, ...]
    about: str
    before: float
    after: float

    @property
    def change(self) -> float:
        """Value after less value before."""
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class Gap:
    """The way from a formula's number to the posterior mean.

    Each value on the way is a valuation of its own with one thing changed, so that the changes add up. Where a value
    is infinite or undefined its step is one with the next that has a value, and bears both names. A formula that is
    itself undefined starts at the first value there is.

    Parameters
    ----------
    method, basis, measure : str
    cohort : str
    segment : mapping of `by` column to value
    start, end : float
        The formula's number (nan where undefined), and the posterior mean.
    steps : tuple of Step
        In the order taken.
    reason : str
        Why the formula is undefined, if it is.
    """

    method: str
    basis: str
    measure: Measure
    cohort: str
    segment: dict[str, str]
    start: float
    end: float
    steps: tuple[Step, ...]
    reason: str = ""
    currency: str | None = None
    reverse: bool = False

    @property
    def total(self) -> float:
        """Posterior mean less the formula's number, or less the first value there is."""
        return float(sum(step.change for step in self.steps if np.isfinite(step.change)))

    def table(self) -> pd.DataFrame:
        """The steps in the order taken.

        Returns
        -------
        DataFrame
            step (its name; several are joined by " + "), about, value_before, change, value_after; money per account,
            or of all accounts in force for total_residual. The changes add up to `total`.
        """
        rows = [(" + ".join(s.names), s.about, s.before, s.change, s.after) for s in self.steps]
        return pd.DataFrame(rows, columns=["step", "about", "value_before", "change", "value_after"])


def gap(
    revaluation: Revaluation,
    method: Method,
    row: Label,
    *,
    aligned: bool = False,
    reverse: bool = False,
    sheet: Inputs | None = None,
) -> Gap:
    """The way from a formula to the posterior mean of one row.

    Parameters
    ----------
    revaluation : Revaluation
    method : Method
    row : (cohort, segment)
    aligned : bool
        Begin at the aligned reading.
    reverse : bool
        Switch the last step first.
    sheet : Inputs, optional
        Somebody's numbers, to begin with.

    Returns
    -------
    Gap
    """
    subject = revaluation.subject
    found = _way(revaluation, method, row, aligned, reverse, sheet)
    way = [(name, about, value * subject.scale(row)) for name, about, value in found]
    start = way[0][2]
    e = subject.value.economics
    return Gap(
        method=method.name,
        basis="aligned" if aligned else "as practised",
        measure=subject.measure,
        cohort=row[0],
        segment=subject.named(row),
        start=start,
        end=way[-1][2],
        steps=tuple(_merged(way)),
        reason="" if np.isfinite(start) else way[0][1],
        currency=e.currency or subject.value.fit.table.currency,
        reverse=reverse,
    )


type Waypoint = tuple[str, str, float]
"""Name of the step that leads here (empty for the start), in words, and the value; nan where undefined."""


def _way(
    revaluation: Revaluation, method: Method, row: Label, aligned: bool, reverse: bool, sheet: Inputs | None
) -> Iterator[Waypoint]:
    setting = ALIGNED if aligned else PRACTISED
    if sheet is not None and not aligned:
        yield from _of_sheet(revaluation, method, row, sheet)
    else:
        yield "", *_value(revaluation, method, setting, row)
    for name in reversed(STEPS) if reverse else STEPS:
        setting = replace(setting, **{name: True})
        waits = " (acts with the fitted hazard)" if name in ON_FITTED and not setting.fitted else ""
        yield name, STEPS[name] + waits, _value(revaluation, method, setting, row)[1]


def _of_sheet(revaluation: Revaluation, method: Method, row: Label, sheet: Inputs) -> Iterator[Waypoint]:
    """From the sheet's own result to the table's numbers, one number after the other."""
    residual, own = revaluation.subject.residual, revaluation.subject.inputs(row)
    value, reason = practised(method, sheet, residual=residual)
    yield "", reason, value
    if isinstance(own, str):
        return
    x = sheet
    for name in NUMBERS:
        theirs, ours = getattr(x, name), getattr(own, name)
        if theirs == ours or (np.isnan(theirs) and np.isnan(ours)):
            continue
        x = replace(x, **{name: ours})
        yield f"sheet: {name}", OF_SHEET[name], practised(method, x, residual=residual)[0]


def _value(revaluation: Revaluation, method: Method, setting: Setting, row: Label) -> tuple[str, float]:
    """The value, or nan and the reason why there is none."""
    try:
        return "", revaluation.worth(method, setting, row)
    except LifeworthError as error:
        return str(error), np.nan


def _merged(way: list[Waypoint]) -> Iterator[Step]:
    """Steps between the values there are; what leads to none is one with the next."""
    before = way[0][2]
    names: list[str] = []
    abouts: list[str] = []
    for name, about, value in way[1:]:
        names.append(name)
        abouts.append(about)
        if np.isfinite(value):
            yield Step(tuple(names), "; ".join(abouts), before, value)
            before, names, abouts = value, [], []
