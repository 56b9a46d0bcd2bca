"""Triangles: cohorts down, tenures across, blank where nobody has been observed."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from lifeworth.errors import DataError, DefinitionError

Triangle = Literal["retention", "revenue", "cumulative", "nrr"]


def triangle(
    cells: pd.DataFrame, kind: Triangle, *, complete: pd.Series | None, payments_per_period: float
) -> pd.DataFrame:
    """Lay out cells as a triangle; `complete` counts the tenures observed for a whole cohort."""
    if cells.empty:
        raise DataError("no tenure has been completed yet, so there is no triangle. Move as_of.")
    flows = ["at_risk", "churned", "opening", "closing"]
    total = cells.groupby(["cohort", "tenure"], sort=True)[flows].sum()
    if kind != "retention" and complete is None:
        raise DataError(f"triangle({kind!r}) needs money and this table holds counts. Use 'retention'.")
    if kind in {"retention", "nrr"}:
        kept = total["at_risk"] - total["churned"] if kind == "retention" else total["closing"]
        base = total["at_risk"] if kind == "retention" else total["opening"]
        return _chained(kept / base.where(base > 0))
    assert complete is not None
    opening = total["opening"].unstack("tenure")
    opening = opening.reindex(index=complete.index, columns=range(int(complete.max())), fill_value=np.nan)
    seen = np.arange(opening.shape[1])[None, :] < complete.to_numpy()[:, None]
    seen &= opening.notna().cummax(axis=1).to_numpy()
    opening = opening.fillna(0.0).where(seen)
    return _named(opening if kind == "revenue" else (opening * payments_per_period).cumsum(axis=1, skipna=False))


def _chained(ratio: pd.Series) -> pd.DataFrame:
    """Multiply ratios from tenure 0 on: column k is what is left after k tenures."""
    wide = ratio.unstack("tenure")
    wide = wide.reindex(columns=range(int(wide.columns.max()) + 1))
    left = wide.cumprod(axis=1, skipna=False)
    left.columns = pd.RangeIndex(1, left.shape[1] + 1)
    left.insert(0, 0, np.where(wide[0].notna(), 1.0, np.nan))
    return _named(left)


def _named(wide: pd.DataFrame) -> pd.DataFrame:
    wide.columns = pd.Index([int(c) for c in wide.columns], name="tenure")
    wide.index.name = "cohort"
    return wide


def known(kind: str) -> None:
    """Refuse a kind of triangle that does not exist."""
    kinds = ("retention", "revenue", "cumulative", "nrr")
    if kind not in kinds:
        raise DefinitionError(f"triangle({kind!r}) is not a kind. Use one of: {', '.join(kinds)}.")
