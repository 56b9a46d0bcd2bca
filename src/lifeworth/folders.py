"""A folder that holds a record and arrays: `fit.json` and the groups of `draws.nc`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr


def written(folder: Path, record: Mapping[str, Any], groups: Mapping[str, xr.Dataset]) -> None:
    """Write a record and groups of arrays to a folder, each file in one step."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = folder / f".draws.{os.getpid()}.nc"
    for i, (name, dataset) in enumerate(groups.items()):
        dataset.to_netcdf(arrays, group=name, mode="a" if i else "w", engine="h5netcdf")
    text = folder / f".fit.{os.getpid()}.json"
    text.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    arrays.replace(folder / "draws.nc")
    text.replace(folder / "fit.json")


def to_dataset(frame: pd.DataFrame) -> xr.Dataset:
    """The columns of a frame, as they are stored."""
    columns = {name: ("row", _plain(frame[name])) for name in frame.columns}
    return xr.Dataset(columns, attrs={"columns": list(frame.columns)})


def _plain(column: pd.Series) -> Any:
    values = column.to_numpy()
    return values if values.dtype.kind in "iufb" else values.astype(str).astype(object)


def from_dataset(dataset: xr.Dataset) -> pd.DataFrame:
    """The frame that `to_dataset` was given."""
    frame = pd.DataFrame({str(name): dataset[name].to_numpy() for name in dataset.attrs["columns"]})
    text = [str(name) for name in dataset.attrs["columns"] if dataset[name].dtype.kind not in "iufb"]
    return frame.astype(dict.fromkeys(text, "str"))


def read_group(folder: Path, group: str) -> xr.Dataset:
    """One group of arrays of a folder."""
    with xr.open_dataset(folder / "draws.nc", group=group, engine="h5netcdf") as dataset:
        return dataset.load()
