"""Scoring customers without a contract: who is active, what each will buy and bring, written by the engine."""

from __future__ import annotations

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from lifeworth._ops import Array
from lifeworth.errors import ComparisonError
from lifeworth.ledger.transactions import TransactionLedger
from lifeworth.purchases import Spend
from lifeworth.scoring import Scores
from lifeworth.transactional.ahead import active_ahead, columns, known_customers
from lifeworth.transactional.value import Job, PurchaseValuation


def score_purchases(value: PurchaseValuation, ledger: TransactionLedger) -> Scores:
    """Probability of being active, purchases to come and residual value of every customer.

    Looked up by cohort, segment, frequency, recency and age, and joined in the engine; a residual is linear in the
    customer's own mean spend. They are expectations over the posterior: of one customer, far more uncertain than the
    mean of many.

    Parameters
    ----------
    value : PurchaseValuation
    ledger : TransactionLedger
        The ledger that the fit's table was built from; it may go on after the table's as_of.

    Returns
    -------
    Scores
        Columns customer_id, cohort, the `by` columns, frequency, recency, age (steps of the table's grid), spend (mean
        net spend per repeat purchase, 0 without), p_alive, purchases_12_months and residual (expected present value
        at as_of of the margin of later purchases).

    Raises
    ------
    ComparisonError
        The ledger is not the one that was fitted: other customers, other histories, other money.
    DataError, DefinitionError
        It ends before the table's as_of, or lacks one of its segment columns.

    Notes
    -----
    The residuals of all customers add up to the mean of `total_residual`.
    """
    table = value.fit.table
    people = ledger.customers(grid=table.grid, cohort=table.cohort_by, by=table.by, as_of=table.as_of)
    keys = ["cohort", *table.by, "frequency", "recency", "age"]
    found = people.join(ledger.beside(_history_values(value)), on=keys, how="left")
    spent = (nw.col("spend") * nw.col("frequency").cast(nw.Float64)).sum()
    counts = found.select(n=nw.len(), known=nw.col("p_alive").count(), spent=spent)
    counted = counts.collect().to_arrow().to_pylist()[0]
    expected, money = int(table.customers.sum()), float(table.frame["spend"].sum())
    if (counted["n"], counted["known"]) != (expected, expected) or abs(counted["spent"] - money) > _CENT + 1e-9 * money:
        raise ComparisonError(
            f"of {counted['n']:,} customers of the ledger at {table.as_of}, {counted['known']:,} have a history of the "
            f"fit's table, which has {expected:,} customers; their repeats paid {counted['spent']:,.2f}, the table's "
            f"{money:,.2f}. Score the ledger that was fitted."
        )
    known = nw.col("lw_paying") + nw.col("lw_slope") * nw.col("spend")
    residual = nw.when(nw.col("spend") > 0).then(known).otherwise(nw.col("lw_unknown"))
    scored = found.with_columns(residual=residual)
    return Scores(
        scored.select("customer_id", *keys, "spend", "p_alive", "purchases_12_months", "residual"), int(counted["n"])
    )


def _history_values(value: PurchaseValuation) -> pd.DataFrame:
    """Posterior means by distinct history.

    Residual value is `lw_unknown` for customers without a paid repeat, else `lw_paying` + `lw_slope` x mean spend.
    """
    job, table = Job(value.fit, value.economics, value.thin, value.seed), value.fit.table
    law, theta, who = value.fit.spend_law, job.theta(), known_customers(value.fit)
    frequency, nothing = table.frame["frequency"].to_numpy(dtype=float), np.zeros(len(table.frame))
    at, weight = who.unit % len(job.segments), job.weights()
    total = {name: np.zeros(len(table.frame)) for name in _VALUES}
    for part, alive, steps, _, to_key in active_ahead(value.fit, who, theta["purchases"], job.clock):
        spend = columns(theta["spend"], part, who.unit)
        year, worth = (_by_row(x, to_key) for x in (steps[job.year].sum(axis=0), np.tensordot(weight, steps, axes=1)))
        worth = worth * alive * job.margin[part][:, at]
        level = law.expected_spend(Spend(frequency, nothing), spend)
        slope = law.expected_spend(Spend(frequency, nothing + 1), spend) - level
        each = (
            alive,
            alive * year,
            worth * who.paying * law.expected_spend(Spend(nothing, nothing), spend),
            worth * level,
        )
        for name, x in zip(_VALUES, (*each, worth * slope), strict=True):
            total[name] += x.sum(axis=0)
    keys = ["cohort", *table.by, "frequency", "recency", "age"]
    return table.frame[keys].assign(**{name: x / job.draws for name, x in total.items()})


_VALUES = ("p_alive", "purchases_12_months", "lw_unknown", "lw_paying", "lw_slope")
_CENT = 0.01


def _by_row(by_key: Array, to_key: Array) -> Array:
    """Values of each row's key, (draws, rows)."""
    return by_key @ to_key.T
