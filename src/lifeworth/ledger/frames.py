"""Adding up small frames of cells."""

from __future__ import annotations

import pandas as pd


def sum_by(frame: pd.DataFrame, keys: list[str], columns: list[str] | None = None) -> pd.DataFrame:
    """Sum columns over keys, in their order; no rows in, no rows out (pandas 3 fails on no text)."""
    values = [c for c in frame.columns if c not in keys] if columns is None else columns
    if frame.empty:
        return frame[[*keys, *values]].reset_index(drop=True)
    return frame.groupby(keys, sort=True, as_index=False)[values].sum()
