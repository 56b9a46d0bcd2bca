"""What the tables say of the assumptions of the models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def purchase_notes(fit: Any) -> Iterator[Any]:
    """Everything `fit_purchases` warns of."""
    yield from ()
