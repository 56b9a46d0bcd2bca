"""Fixtures for every room."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    path = Path(__file__).resolve().parents[2] / "shared"
    if not path.is_dir():
        pytest.skip(f"real data are not here: {path}")
    return path
