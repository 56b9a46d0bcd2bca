"""Why accounts leave: cause-specific hazards that add up to the hazard, and the value lost to each cause."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lifeworth.books import ALL, Book
from lifeworth.errors import DataError
from lifeworth.forecasting.forecaster import Forecaster
from lifeworth.forecasting.groups import Floats
from lifeworth.indexing import segment_labels
from lifeworth.ledger import CohortTable
from lifeworth.phases import PHASES, phase
from lifeworth.valuation import Valuation
from lifeworth.valuing import Job


def cause_shares(table: CohortTable, draws: int, seed: int) -> Floats:
    """Posterior of the shares of churn by cause, by segment and phase of life.

    Given that an account leaves, the cause is a draw from the shares of its segment in its phase (the first three
    months, the rest of the first year, later). The cause-specific cumulative hazards are these shares of the
    account's cumulative hazard: they add up to it, and the likelihood of the causes is a factor of its own. Its
    Dirichlet prior has the weight of one loss for each cause, spread as over the whole table, so that a thin segment
    is held near the others; the posterior is exact.

    Parameters
    ----------
    table : CohortTable
        With `causes`.
    draws, seed : int

    Returns
    -------
    array (draws, segments, phases, causes)
        Segments in sorted order, and an unseen one as the last.

    Raises
    ------
    DataError
        The table knows no causes.

    Notes
    -----
    Kalbfleisch & Prentice (2002), The Statistical Analysis of Failure Time Data, section 8.2.
    """
    if not table.causes:
        raise DataError("the table knows no causes. Name the column: Ledger.from_spells(..., cause='reason').")
    columns = [f"churned_{cause}" for cause in table.causes]
    labels = segment_labels(table.frame, table.by)
    segments = sorted(set(labels)) or [()]
    counts = np.zeros((len(segments) + 1, PHASES, len(columns)))
    at = np.array([segments.index(label) for label in labels], dtype=int)
    np.add.at(
        counts,
        (at, phase(table.frame["tenure"].to_numpy(), table.months_per_period)),
        table.frame[columns].to_numpy(dtype=float),
    )
    blended = counts.sum(axis=(0, 1)) + 0.5
    shape = counts + len(columns) * blended / blended.sum()
    gammas = np.random.default_rng([seed, 10]).gamma(shape, size=(draws, *shape.shape))
    return gammas / gammas.sum(axis=-1, keepdims=True)


def lost_by_cause(value: Valuation, probability: float = 0.8) -> pd.DataFrame:
    """What the book in force loses within the horizon to each cause of churn.

    Lost is the present value of the gross margin, before cost to serve, that the accounts in force would bring if
    none of them left, less what they are expected to bring. Each loss counts with all that the lost account would
    still have brought, and goes to the cause it leaves for. The causes add up to the whole.

    Parameters
    ----------
    value : Valuation
        Of a table with causes and money.
    probability : float
        Of the central interval, of parameter uncertainty.

    Returns
    -------
    DataFrame
        The `by` columns ("all" is a total), cause ("all" is the sum), lost (mean), low, high, share (of all lost).

    Raises
    ------
    DataError
        The table knows no causes, or has no account in force.
    """
    table, forecaster = value.fit.table, value.forecaster
    shares = cause_shares(table, forecaster.draws, forecaster.seed)
    job = Job(forecaster, value.economics)
    if "in_force" not in job.books:
        raise DataError("no account is in force: there is nothing left to lose.")
    book = job.books["in_force"]
    lost = _lost(job, book, shares)
    rows = [i for i, (cohort, _) in enumerate(book.rows.labels) if cohort == ALL]
    parts = []
    for i in rows:
        draws = np.concatenate([lost[:, :, i], lost[:, :, i].sum(axis=1, keepdims=True)], axis=1)
        low, high = np.quantile(draws, [(1 - probability) / 2, (1 + probability) / 2], axis=0)
        mean = draws.mean(axis=0)
        part = pd.DataFrame({"cause": [*table.causes, ALL], "lost": mean, "low": low, "high": high})
        for k, name in enumerate(table.by):
            part.insert(k, name, book.rows.labels[i][1][k])
        parts.append(part.assign(share=mean / mean[-1] if mean[-1] else np.nan))
    return pd.concat(parts, ignore_index=True)


def _lost(job: Job, book: Book, shares: Floats) -> Floats:
    """Present value lost by cause and row of the book, (draws, causes, rows)."""
    g, steps = book.groups, job.steps()
    stays, grown = _money_kept(job.f, book, steps)
    paid = []
    for step in range(steps + 1):
        years, valued = job.payment(book, step)
        factor = valued * (1 + job.e.discount_rate_annual) ** -years
        paid.append(grown[step] * g.amount * job.payment_per_unit(book, step) * factor)
    ahead = np.cumsum(np.stack(paid)[::-1], axis=0)[::-1]  # what all would bring from a step on
    lost = np.zeros((job.f.draws, shares.shape[-1], book.rows.member.shape[1]))
    for step in range(steps):
        gone = (stays[step] - stays[step + 1]) * ahead[step + 1]
        split = shares[:, g.segment, phase(g.tenure + step, job.table.months_per_period)]
        lost += np.einsum("dg,dgc,gr->dcr", gone, split, book.rows.member)
    return lost


def _money_kept(forecaster: Forecaster, book: Book, steps: int) -> tuple[list[Floats], list[Floats]]:
    """Expected share of the money that has not left, and the growth of what has not, by step."""
    stays = [s.money for s in forecaster.without_growth().walk(book.groups, steps, predictive=False, stream=1)]
    both = [s.money for s in forecaster.walk(book.groups, steps, predictive=False, stream=1)]
    return stays, [np.divide(b, s, out=np.zeros_like(b), where=s > 0) for b, s in zip(both, stays, strict=True)]
