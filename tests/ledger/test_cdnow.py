"""CDNOW as published: counts of the whole file and of its sample."""

import importlib.metadata

import pandas as pd
import pytest

from lifeworth.errors import DataError
from lifeworth.ledger import datasets


def test_the_whole_file():
    rows = datasets.cdnow().transactions
    assert list(rows.columns) == ["customer_id", "date", "discs", "amount"]
    assert rows["customer_id"].nunique() == 23_570
    assert len(rows) == 69_659
    assert (rows["amount"] == 0).sum() == 80
    assert rows["amount"].min() == 0
    assert rows.groupby("customer_id")["date"].min().max() < pd.Timestamp("1997-04-01")


def test_the_sample_is_a_tenth_of_it():
    book, whole = datasets.cdnow(sample=True), datasets.cdnow().transactions
    rows = book.transactions
    assert rows["customer_id"].nunique() == 2357
    assert len(rows) == 6919
    assert rows["date"].max().date() == book.as_of
    same = whole[whole["customer_id"].isin(rows["customer_id"])]
    assert same["amount"].sum() == pytest.approx(rows["amount"].sum())
    assert rows.loc[0].tolist() == ["00004", pd.Timestamp("1997-01-01"), 2, 29.33]


def test_says_what_to_install(monkeypatch):
    def absent(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr("lifeworth.ledger.cdnow.distribution", absent)
    with pytest.raises(DataError, match="Install lifetimes"):
        datasets.cdnow()
