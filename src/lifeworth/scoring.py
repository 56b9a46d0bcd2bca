"""Scoring: the residual value and the chance of staying of every account in force, written by the engine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import narwhals.stable.v2 as nw
import pandas as pd

from lifeworth.errors import ComparisonError
from lifeworth.ledger import Ledger
from lifeworth.valuation import Valuation
from lifeworth.valuing import unit_values


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """One row per account in force, or customer, still in the engine: `frame` is a narwhals LazyFrame."""

    frame: nw.LazyFrame  # type: ignore[type-arg]
    accounts: int

    def to_parquet(self, path: str | Path) -> None:
        """Write every row to a Parquet file, from the engine."""
        self.frame.sink_parquet(str(path))

    def head(self, n: int = 10) -> pd.DataFrame:
        """The first rows by customer_id."""
        return self.frame.sort("customer_id").head(n).collect().to_pandas()


def score(value: Valuation, ledger: Ledger) -> Scores:
    """Residual value and twelve-month retention of every account in force.

    The values are looked up by cohort, segment, tenure and elapsed part, and joined in the engine; residual is the
    account's amount times its cell's value of one unit of money, less its cost to serve.

    Parameters
    ----------
    value : Valuation
    ledger : Ledger
        The ledger that the fit's table was built from.

    Returns
    -------
    Scores
        Columns customer_id, cohort, the `by` columns, tenure, elapsed, amount, residual (expected present value at
        as_of, in the ledger's currency) and retained_12_months (probability that the account is still there in twelve
        months).

    Raises
    ------
    ComparisonError
        The ledger is not the one that was fitted: another as_of, or other accounts in force.

    Notes
    -----
    The residuals of all accounts add up to the mean of `total_residual`.
    """
    table = value.fit.table
    if ledger.as_of != table.as_of:
        raise ComparisonError(f"the ledger stands at {ledger.as_of}, the fit at {table.as_of}. Score the same date.")
    accounts = ledger.accounts_in_force(period=table.period, cohort=table.cohort_by, by=table.by)
    keys = ["cohort", *table.by, "tenure", "elapsed"]
    worth = unit_values(value)
    found = accounts.join(ledger.beside(worth), on=keys, how="left")
    scored = found.with_columns(residual=nw.col("amount") * nw.col("per_unit") - nw.col("per_account")).drop(
        "per_unit", "per_account"
    )
    have = accounts.select(n=nw.len()).collect().item()
    expected = int(table.in_force["accounts"].sum())
    if have != expected:
        raise ComparisonError(f"the ledger has {have:,} accounts in force, the fit's table {expected:,}.")
    return Scores(scored.select("customer_id", *keys, "amount", "residual", "retained_12_months"), int(have))
