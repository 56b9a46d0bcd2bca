"""What a fit foretells of the buckets after its own table: shares of the cells at risk, and the rest of its book."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lifeworth.backtesting.closed_book import ClosedBook
from lifeworth.backtesting.scores import MEASURES, Draws
from lifeworth.errors import DataError, DefinitionError
from lifeworth.forecasting.forecaster import Forecaster
from lifeworth.forecasting.groups import Groups
from lifeworth.ledger import CohortTable
from lifeworth.results import Fit


def cuts(table: CohortTable, holdout: int, origins: int) -> range:
    """How many buckets before as_of each origin lies, the earliest first; the last one `holdout` buckets before.

    Raises
    ------
    DefinitionError
        holdout or origins is below 1.
    DataError
        The table is too short for so many buckets.
    """
    if holdout < 1 or origins < 1:
        raise DefinitionError(f"holdout={holdout}, origins={origins}: both are whole numbers from 1.")
    last = table.frame["bucket"].min() if table.has_calendar and len(table.frame) else 0
    if holdout + origins - 1 > -last:
        raise DataError(
            f"the table has {1 - int(last)} calendar buckets: {origins} origins with {holdout} held out need at least "
            f"{holdout + origins}. Hold out less, or use finer buckets."
        )
    return range(holdout + origins - 1, holdout - 1, -1)


def held_out_cells(table_frame: pd.DataFrame, cut: int, holdout: int) -> pd.DataFrame:
    """The cells of the `holdout` buckets after a cut, with `ahead`, the bucket counted from the cut.

    Raises
    ------
    DataError
        There is none.
    """
    ahead = table_frame["bucket"] + cut
    held = table_frame.assign(ahead=ahead)[(ahead > 0) & (ahead <= holdout)].reset_index(drop=True)
    if held.empty:
        raise DataError(
            f"no account was at risk in the {holdout} buckets that follow {cut} before as_of. Hold out more."
        )
    return held


def cell_groups(fit: Fit, held: pd.DataFrame) -> Groups:
    """Held-out cells as groups, each to decide once in its own bucket."""
    names = {"accounts": "at_risk", "amount": "opening", "amount_sq": "opening_sq"}
    months = held["ahead"].to_numpy(dtype=np.int64) * fit.index.shape.months_per_bucket
    return _groups(fit, held, {name: held[column] for name, column in names.items()}, months)


def book_groups(fit: Fit, book: ClosedBook) -> Groups:
    """A closed book as groups."""
    columns = {name: book.groups[name] for name in ("accounts", "amount", "amount_sq")}
    return _groups(fit, book.groups, columns, book.groups["left"].to_numpy(dtype=np.int64))


def _groups(fit: Fit, cells: pd.DataFrame, columns: dict[str, pd.Series], months: np.ndarray) -> Groups:
    shape = fit.index.shape
    at = fit.index.positions(cells.drop(columns="bucket", errors="ignore"), fit.table.by)
    amounts = {name: column.to_numpy(dtype=float) for name, column in columns.items()}
    return Groups(
        segment=np.where(at["segment"] < 0, shape.segments, at["segment"]).astype(np.int64),
        cohort=np.where(at["cohort"] < 0, shape.cohorts, at["cohort"]).astype(np.int64),
        tenure=at["tenure"].to_numpy(dtype=np.int64),
        months=months,
        **amounts,
    )


def forecaster(fit: Fit, *groups: tuple[Groups, int], draws: int) -> Forecaster:
    """A forecaster that reaches as far as each of the groups goes in so many steps."""
    period, bucket = fit.index.shape.months_per_period, fit.index.shape.months_per_bucket
    months = [int(g.months.max(initial=1)) + max(steps - 1, 0) * period for g, steps in groups]
    sizes = fit.draws["logo"].sizes
    return Forecaster(
        fit=fit,
        thin=max(1, sizes["chain"] * sizes["draw"] // draws),
        seed=fit.seed,
        buckets_ahead=-(-max(months) // bucket),
        tenures=max(int(g.tenure.max(initial=0)) + steps for g, steps in groups),
    )


def posterior_ahead(fit: Fit, held: pd.DataFrame, book: ClosedBook, draws: int) -> tuple[Draws, Draws]:
    """Predictive draws of each held-out cell's shares, and of what is left of the book; of one future calendar.

    Returns
    -------
    (shares (draws, cells) by measure, rest (buckets, draws, labels) by measure)
    """
    cells, in_force = cell_groups(fit, held), book_groups(fit, book)
    ahead = forecaster(fit, (cells, 1), (in_force, max(book.steps, 1)), draws=draws)
    _, after = ahead.walk(cells, 1, predictive=True, stream=2)
    shares = {"logo_retention": after.logo}
    if fit.table.has_money:
        shares |= {"revenue_retained": after.kept, "nrr": after.money}
    rest = book.remaining(ahead.walk(in_force, book.steps, predictive=True, stream=3))
    return {name: shares[name] for name in MEASURES if name in shares}, rest
