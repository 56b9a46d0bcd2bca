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
        The ledger is not the one that was fitted: other customers, or other histories.

    Notes
    -----
    The residuals of all customers add up to the mean of `total_residual`.
    """
    table = value.fit.table
    people = ledger.customers(grid=table.grid, cohort=table.cohort_by, by=table.by, as_of=table.as_of)
    keys = ["cohort", *table.by, "frequency", "recency", "age"]
    found = people.join(ledger.beside(_history_values(value)), on=keys, how="left")
    counted = found.select(n=nw.len(), known=nw.col("p_alive").count()).collect().to_arrow().to_pylist()[0]
    expected = int(table.customers.sum())
    if (counted["n"], counted["known"]) != (expected, expected):
        raise ComparisonError(
            f"of {counted['n']:,} customers of the ledger at {table.as_of}, {counted['known']:,} have a history of the "
            f"fit's table, which has {expected:,} customers. Score the ledger that was fitted."
        )
    paid = nw.col("spend") > 0
    residual = nw.when(paid).then(nw.col("paying") + nw.col("per_spend") * nw.col("spend")).otherwise(nw.col("unpaid"))
    scored = found.with_columns(residual=residual)
    return Scores(
        scored.select("customer_id", *keys, "spend", "p_alive", "purchases_12_months", "residual"), int(counted["n"])
    )


def _history_values(value: PurchaseValuation) -> pd.DataFrame:
    """Posterior means by distinct history.

    Residual value is `unpaid` for customers without a paid repeat, else `paying` + `per_spend` x mean spend.
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
        each = (alive, alive * year, worth * law.expected_spend(Spend(nothing, nothing), spend), worth * level)
        for name, x in zip(_VALUES, (*each, worth * slope), strict=True):
            total[name] += x.sum(axis=0)
    keys = ["cohort", *table.by, "frequency", "recency", "age"]
    return table.frame[keys].assign(**{name: x / job.draws for name, x in total.items()})


_VALUES = ("p_alive", "purchases_12_months", "unpaid", "paying", "per_spend")


def _by_row(by_key: Array, to_key: Array) -> Array:
    """Values of each row's key, (draws, rows)."""
    return by_key @ to_key.T
