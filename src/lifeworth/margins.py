"""The gross margin that costs so far support: measured on terms whose costs are in, with its own uncertainty."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Sequence
from datetime import date

import numpy as np
import pandas as pd
from scipy import stats

from lifeworth.economics import Distribution, Uncertain
from lifeworth.errors import DataError, ImmatureCostWarning
from lifeworth.ledger.columns import as_date
from lifeworth.ledger.months import shift_months

_COLUMNS = ("customer_id", "start", "revenue", "cost")
_APART = 3.0
"""Standard errors from which the margin of recent terms is another one."""


def measured_margin(terms: pd.DataFrame, *, as_of: date | str, mature_months: int, by: Sequence[str] = ()) -> Uncertain:
    """Gross margin of terms that began long enough ago for their costs to be known.

    Costs come after revenue: claims are settled, tickets answered, usage billed. A margin that counts recent terms
    takes costs that are not in yet for profit. Terms that began less than `mature_months` before `as_of` are left out.

    Parameters
    ----------
    terms : DataFrame
        One row for each term (or billed period) of a customer: customer_id, start, revenue, cost, the `by` columns.
    as_of : date
        Up to when costs are booked.
    mature_months : int
        After how many months from its start the costs of a term are in.
    by : sequence of str
        Columns to measure it by.

    Returns
    -------
    distribution, or dict of them by segment
        For `Economics(gross_margin=...)`: 1 - sum of costs / sum of revenue, a Normal cut off at 1, whose standard
        error is that of a ratio of sums over customers (linearised); a plain number where all ratios are the same.
        Keys are labels, or tuples of them for several columns.

    Raises
    ------
    DataError
        A column is missing or has gaps, revenue is not positive in total, or a segment has no term that is mature.

    Warns
    -----
    ImmatureCostWarning
        The terms left out show a higher margin than the others, by more than three standard errors.

    Source: Cochran (1977), Sampling Techniques, section 6.3: the variance of a ratio.

    Examples
    --------
    Two customers paid 100 each and cost 20 and 40; the term of this year is not counted:

    >>> rows = [("a", "2024-01-01", 100, 20), ("b", "2024-01-01", 100, 40), ("c", "2025-06-01", 100, 25)]
    >>> terms = pd.DataFrame(rows, columns=["customer_id", "start", "revenue", "cost"])
    >>> margin = measured_margin(terms, as_of="2025-12-31", mature_months=12)
    >>> round(float(margin.mean()), 3), round(float(margin.std()), 3)
    (0.7, 0.099)
    """
    rows, names = _checked(terms, by), list(by)
    edge = pd.Timestamp(shift_months(as_date(as_of, what="as_of"), -mature_months))
    mature = rows["start"] <= edge
    recent = rows[~mature & (rows["start"] <= pd.Timestamp(as_date(as_of, what="as_of")))]
    if not mature.any():
        raise DataError(
            f"all {len(rows):,} terms began within {mature_months} months of {as_of}: their costs are not in yet. "
            "Wait, or state the margin with a distribution of your own."
        )
    _warn_of_recent(rows[mature], recent, mature_months)
    if not names:
        return _margin(rows[mature])
    own = rows[mature].groupby(names if len(names) > 1 else names[0], sort=True)
    found: dict[Hashable, float | Distribution] = {key: _margin(part) for key, part in own}
    known = {key if isinstance(key, tuple) else (key,) for key in found}
    lacking = sorted(set(rows[names].itertuples(index=False, name=None)) - known)
    if lacking:
        shown = ", ".join(" / ".join(map(str, label)) for label in lacking[:5])
        raise DataError(f"{len(lacking)} segments have no term older than {mature_months} months: {shown}.")
    return found


def _checked(terms: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    missing = [name for name in (*_COLUMNS, *by) if name not in terms]
    if missing:
        raise DataError(f"the terms have no column {', '.join(missing)}; they need {', '.join((*_COLUMNS, *by))}.")
    rows = terms[[*_COLUMNS, *by]].assign(start=pd.to_datetime(terms["start"]))
    gaps = rows.isna().any(axis=1)
    if gaps.any():
        named = ", ".join(str(name) for name in rows.loc[gaps, "customer_id"].head(5))
        raise DataError(f"{int(gaps.sum()):,} terms have an empty field (customers {named}). Fill it, or drop the row.")
    return rows


def _ratio(rows: pd.DataFrame) -> tuple[float, float]:
    """Margin and its standard error, customers being independent."""
    sums = rows.groupby("customer_id")[["revenue", "cost"]].sum()
    revenue = float(sums["revenue"].sum())
    if revenue <= 0:
        raise DataError(f"{len(rows):,} terms have a revenue of {revenue:,.2f} in all: there is no margin on it.")
    share, n = float(sums["cost"].sum()) / revenue, len(sums)
    off = float(((sums["cost"] - share * sums["revenue"]) ** 2).sum())
    return 1 - share, float(np.sqrt(off * n / max(n - 1, 1))) / revenue


def _margin(rows: pd.DataFrame) -> float | Distribution:
    margin, error = _ratio(rows)
    return stats.truncnorm(-np.inf, (1 - margin) / error, loc=margin, scale=error) if error > 0 else margin


def _warn_of_recent(mature: pd.DataFrame, recent: pd.DataFrame, months: int) -> None:
    if recent.empty or recent["revenue"].sum() <= 0:
        return
    (known, error), (shown, other) = _ratio(mature), _ratio(recent)
    if shown - known > _APART * np.hypot(error, other):
        text = (
            f"{len(recent):,} terms begun in the last {months} months show a margin of {shown:.0%}, older ones "
            f"{known:.0%}: not all of their costs are in. They are left out."
        )
        warnings.warn(text, ImmatureCostWarning, stacklevel=3)
