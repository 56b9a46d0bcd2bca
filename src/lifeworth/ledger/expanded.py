"""Two states of an account, by whether it has expanded: the cells of a tenure are split by the state at its opening."""

from __future__ import annotations

from typing import Final

import narwhals.stable.v2 as nw
import pandas as pd

from lifeworth.ledger.frames import sum_by
from lifeworth.ledger.sources import Lazy

EXPANDED_COLUMN: Final = "has_expanded"
"""The segment column, for `by`, that says whether an account had expanded before a tenure opened."""

NOT_YET: Final = "no"
SINCE: Final = "yes"

FIRST = nw.col("lw_first_up")
"""The tenure in which a life expanded for the first time; null where it never did."""


def first_expansion(steps: Lazy) -> Lazy:
    """Add to each step of a life the tenure of its first expansion."""
    rose = (nw.col("lw_opening") > 0) & (nw.col("lw_closing") > nw.col("lw_opening"))
    rising = steps.with_columns(lw_first_up=nw.when(rose).then(nw.col("lw_tenure")))
    return rising.with_columns(FIRST.min().over("lw_id", "lw_life"))


def state_at(tenure: nw.Expr) -> nw.Expr:
    """Give the state of a life at the opening of a tenure."""
    return nw.when((tenure > FIRST).fill_null(False)).then(nw.lit(SINCE)).otherwise(nw.lit(NOT_YET))


def turned_over(steps: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Book what turned in a tenure out of one state, with a minus, and into the other."""
    turned = [name for name in steps.columns if name.startswith("x_turned_")]
    measures = [name for name in steps.columns if name.startswith("x_")]
    out = steps.assign(**{name: -steps[name] for name in turned})
    into = steps.loc[steps["x_turned_n"] > 0].assign(**{EXPANDED_COLUMN: SINCE})
    into = into.assign(**dict.fromkeys(set(measures) - set(turned), 0))
    into[EXPANDED_COLUMN] = into[EXPANDED_COLUMN].astype(steps[EXPANDED_COLUMN].dtype)
    return sum_by(pd.concat([out, into], ignore_index=True), keys, measures)
