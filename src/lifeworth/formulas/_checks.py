"""What every formula checks: arguments in range, undefined results refused or marked as nan."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lifeworth._ops import Array
from lifeworth.errors import AssumptionError, DefinitionError

Floats = NDArray[np.float64]
OnUndefined = Literal["raise", "nan"]


def some(values: Floats) -> str:
    """Name the first five values, then how many more there are."""
    flat = np.unique(values)
    named = ", ".join(f"{value:.6g}" for value in flat[:5])
    return named if flat.size <= 5 else f"{named}, +{flat.size - 5} more"


def number(
    name: str,
    value: ArrayLike | None,
    low: float = -np.inf,
    high: float = np.inf,
    *,
    above: bool = False,
    on_undefined: OnUndefined = "raise",
) -> Floats:
    """Return finite floats in [low, high], or (low, high] if `above`; nan passes only for columns."""
    one_of("on_undefined", on_undefined, ("raise", "nan"))
    array = np.asarray(value, dtype=np.float64)
    missing = np.isnan(array)
    if missing.any() and on_undefined == "raise":
        raise AssumptionError(f"{name} is missing (nan) in {missing.sum()} of {array.size} values.")
    wrong = ~missing & ~(np.isfinite(array) & (array <= high) & ((array > low) if above else (array >= low)))
    if wrong.any():
        interval = f"{'(' if above or low == -np.inf else '['}{low:g}, {high:g}{')' if high == np.inf else ']'}"
        raise AssumptionError(f"{name} must lie in {interval}; got {some(array[wrong])}.")
    return array


def share(name: str, value: ArrayLike, on_undefined: OnUndefined = "raise") -> Floats:
    """Return a fraction in [0, 1]."""
    return number(name, value, 0.0, 1.0, on_undefined=on_undefined)


def one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Refuse an option that is not among those on offer."""
    if value not in allowed:
        raise DefinitionError(f"{name} must be one of {', '.join(map(repr, allowed))}; got {value!r}.")


def plain(values: Array) -> Array:
    """Return a Python float for a single number, an array otherwise."""
    array = np.asarray(values)
    return float(array) if array.ndim == 0 else array


def where_defined(values: Array, defined: Array, reason: str, on_undefined: OnUndefined) -> Array:
    """Return the result where it is defined; elsewhere raise the reason or, for columns, give nan."""
    values, defined = np.broadcast_arrays(values, defined)
    if on_undefined == "raise" and not defined.all():
        count = "" if defined.ndim == 0 else f" ({np.sum(~defined)} of {defined.size} values)"
        raise AssumptionError(f"{reason}{count}.")
    return plain(np.where(defined, values, np.nan))


def quotient(numerator: Array, denominator: Array, reason: str, on_undefined: OnUndefined) -> Array:
    """Divide where the denominator is positive; elsewhere the ratio is undefined."""
    numerator, denominator = np.broadcast_arrays(numerator, denominator)
    defined = denominator > 0
    ratio = np.divide(numerator, denominator, out=np.full(defined.shape, np.nan), where=defined)
    return where_defined(ratio, defined | np.isnan(denominator), reason, on_undefined)
