"""Every way in ends in the same table."""

import narwhals.stable.v2 as nw
import polars as pl
import pytest

from lifeworth.errors import ColumnError, DataError
from lifeworth.ledger import Ledger

FRAME = pl.DataFrame(
    {
        "customer_id": ["a", "b", "b"],
        "start": ["2025-01-31", "2024-02-29", "2025-01-31"],
        "end": ["2025-03-31", "2025-01-31", None],
        "amount": [10.25, 3.0, 4.0],
    }
).with_columns(pl.col("start", "end").str.to_date())


def fingerprint(source) -> str:
    return Ledger.from_spells(source, as_of="2025-06-30").cohort_table().fingerprint


def test_files_and_frames_agree(tmp_path):
    FRAME.write_parquet(tmp_path / "book.parquet")
    FRAME.write_csv(tmp_path / "book.csv")
    FRAME[:1].write_parquet(tmp_path / "part1.parquet")
    FRAME[1:].write_parquet(tmp_path / "part2.parquet")
    paths = [tmp_path / "book.parquet", str(tmp_path / "book.csv"), f"{tmp_path}/part*.parquet"]
    frames = [FRAME, FRAME.to_pandas(), FRAME.to_arrow(), FRAME.lazy(), nw.from_native(FRAME)]
    assert len({fingerprint(source) for source in [*paths, *frames]}) == 1


def test_a_path_is_never_read_as_sql(tmp_path):
    path = tmp_path / "it's; drop.parquet"
    FRAME.write_parquet(path)
    assert fingerprint(path) == fingerprint(FRAME)


def test_what_cannot_be_read(tmp_path):
    (tmp_path / "bad.parquet").write_text("not parquet")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        fingerprint(tmp_path / "bad.parquet")
    with pytest.raises(DataError, match="cannot be read as CSV"):
        fingerprint(tmp_path / "absent.csv")
    with pytest.raises(DataError, match="a dict is not a source"):
        fingerprint({"customer_id": [1]})
    mixed = FRAME.to_pandas().astype({"customer_id": object})
    mixed.loc[0, "customer_id"] = 7
    with pytest.raises(DataError, match="mixed types"):
        fingerprint(mixed)


def test_a_column_that_is_not_there_is_named_with_its_neighbour():
    with pytest.raises(ColumnError, match=r"source: no column 'amount'. Did you mean 'amounts'\?"):
        fingerprint(FRAME.rename({"amount": "amounts"}))
