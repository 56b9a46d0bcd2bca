"""Whether two valuations describe the same data, economics and horizon, and may be compared."""

from __future__ import annotations

from lifeworth.errors import ComparisonError
from lifeworth.valuation import Valuation

_ECONOMICS = (
    "gross_margin",
    "discount_rate_annual",
    "horizon_years",
    "timing",
    "cac",
    "service_cost_annual",
    "price_increase_annual",
    "currency",
    "arpa",
)
_TABLE = ("as_of", "period", "by", "amount_per", "currency")


def differences(one: Valuation, other: Valuation) -> list[str]:
    """What differs between two valuations, in words; the models and their draws may.

    Margins and costs given as distributions are alike when they are the same object or have the same settings.
    """
    found = [
        f"{name} is {a!r} and {b!r}"
        for name in _ECONOMICS
        if not _same(a := getattr(one.economics, name), b := getattr(other.economics, name))
    ]
    here, there = one.fit.table, other.fit.table
    of_table = [
        f"{n} of the table is {a!r} and {b!r}" for n in _TABLE if (a := getattr(here, n)) != (b := getattr(there, n))
    ]
    if not of_table and here.fingerprint != there.fingerprint:
        of_table = ["the cells of the tables differ (their fingerprints do)"]
    return found + of_table


def check_alike(one: Valuation, other: Valuation) -> None:
    """Raise ComparisonError with the list of what differs.

    Raises
    ------
    ComparisonError
        Data, economics or horizon differ.
    """
    found = differences(one, other)
    if found:
        raise ComparisonError(f"these do not describe the same: {'; '.join(found)}. Value both alike, then compare.")


def _same(one: object, other: object) -> bool:
    if one is other:
        return True
    mine, theirs = _settings(one), _settings(other)
    return mine == theirs


def _settings(given: object) -> object:
    """A number as it is, a frozen scipy distribution by its law and arguments, a mapping by its values."""
    if isinstance(given, dict):
        return {key: _settings(value) for key, value in given.items()}
    law = getattr(getattr(given, "dist", None), "name", None)
    return given if law is None else (law, getattr(given, "args", ()), getattr(given, "kwds", {}))
