"""Economics: what turns recurring revenue into money, with its timing and its own uncertainty."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from lifeworth.errors import DefinitionError

type Timing = Literal["end", "start"]


@runtime_checkable
class Distribution(Protocol):
    """A frozen scipy distribution, or anything else with `rvs` and `support`."""

    def rvs(self, *, size: int, random_state: Any) -> Any:
        """Random values."""

    def support(self) -> tuple[float, float]:
        """Lowest and highest possible value."""


type Uncertain = float | Distribution | Mapping[Hashable, float | Distribution]
"""A number, a frozen scipy distribution, or either of them by segment."""

_BOUNDS = {
    "gross_margin": (-np.inf, 1.0),
    "cac": (0.0, np.inf),
    "service_cost_annual": (0.0, np.inf),
    "price_increase_annual": (-1.0, np.inf),
    "arpa": (0.0, np.inf),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Economics:
    """Margin, costs, discounting and horizon of a valuation.

    Parameters
    ----------
    gross_margin : float, frozen scipy distribution, or mapping of segment to either
        Share of revenue that is left after the cost of serving it. A mapping names the values of one of the
        table's `by` columns, or tuples of all of them. A distribution is drawn once per posterior draw.
    discount_rate_annual : float
        Money t years away is worth (1 + discount_rate_annual)^-t.
    horizon_years : float
        Payments later than this, counted from acquisition or from as_of, are not valued.
    timing : {"end", "start"}
        When the payment of a period falls. "end": at its end, earned with the survival at its start. "start":
        at its start; the first one is certain and undiscounted.
    cac : like gross_margin, optional
        Cost of acquiring one account. None is unknown: no ratio and no payback is given.
    service_cost_annual : like gross_margin
        Cost of serving one account for a year, beside the margin.
    price_increase_annual : float
        A scenario on top of the ledger's own expansion: all amounts grow by this a year after as_of.
    currency : str, optional
        Of every amount here; must be the ledger's where both are known.
    arpa : like gross_margin, optional
        Recurring revenue of an account per the table's `amount_per`, for tables without money.

    Examples
    --------
    >>> terms = Economics(gross_margin=0.8, discount_rate_annual=0.12, horizon_years=5, cac=14_000)
    >>> terms.years_to_payments(12).tolist()
    [1.0, 2.0, 3.0, 4.0, 5.0]
    """

    gross_margin: Uncertain
    discount_rate_annual: float
    horizon_years: float
    timing: Timing = "end"
    cac: Uncertain | None = None
    service_cost_annual: Uncertain = 0.0
    price_increase_annual: float = 0.0
    currency: str | None = None
    arpa: Uncertain | None = None

    def __post_init__(self) -> None:
        if not self.discount_rate_annual > -1:
            raise DefinitionError(f"discount_rate_annual is {self.discount_rate_annual}: it must be above -1.")
        if not 0 < self.horizon_years <= 100:
            raise DefinitionError(f"horizon_years is {self.horizon_years}: give years above 0, at most 100.")
        if self.timing not in ("end", "start"):
            raise DefinitionError(f"timing is {self.timing!r}: use 'end' or 'start'.")
        for name in _BOUNDS:
            for value in _values(getattr(self, name)):
                _check(name, value)

    def years_to_payments(self, months_per_period: int) -> NDArray[np.float64]:
        """Years from acquisition to each payment within the horizon."""
        step = months_per_period / 12
        last = int(np.floor(self.horizon_years / step + 1e-9))
        return np.asarray((np.arange(last) + (1 if self.timing == "end" else 0)) * step, dtype=np.float64)

    def by_segment(
        self, name: str, segments: tuple[tuple[str, ...], ...], rng: np.random.Generator, draws: int
    ) -> NDArray[np.float64]:
        """Values of one input for each segment, drawn where they are uncertain.

        Returns
        -------
        array (draws, segments)
        """
        given = getattr(self, name)
        if not isinstance(given, Mapping):
            return np.repeat(_draw(given, rng, draws)[:, None], len(segments), axis=1)
        return np.stack([_draw(given[_key(name, given, labels)], rng, draws) for labels in segments], axis=1)

    @property
    def uncertain(self) -> tuple[str, ...]:
        """Names of the inputs given as distributions."""
        return tuple(n for n in _BOUNDS if any(isinstance(v, Distribution) for v in _values(getattr(self, n))))


def _values(given: object) -> tuple[object, ...]:
    return tuple(given.values()) if isinstance(given, Mapping) else (given,)


def _check(name: str, value: Any) -> None:
    low, high = _BOUNDS[name]
    if value is None:
        return
    ends = value.support() if isinstance(value, Distribution) else (value, value)
    try:
        inside = low <= float(ends[0]) and float(ends[1]) <= high
    except (TypeError, ValueError):
        raise DefinitionError(f"{name} is {value!r}: give a number or a frozen scipy distribution.") from None
    if not inside:
        raise DefinitionError(f"{name} is {value!r}: it must lie between {low} and {high}.")


def _key(name: str, given: Mapping[Any, Any], labels: tuple[str, ...]) -> Hashable:
    """The one key of a mapping that stands for a segment: its tuple, or one of its labels."""
    found = [key for key in (labels, *labels) if key in given]
    if len(found) == 1:
        return found[0]
    what = "no value" if not found else f"{len(found)} values ({', '.join(map(str, found))})"
    raise DefinitionError(
        f"{name} gives {what} for segment {' / '.join(labels) or '(all)'}: its keys are "
        f"{', '.join(map(str, list(given)[:5]))}. Give each segment one value, by one column or by all."
    )


def _draw(value: Any, rng: np.random.Generator, draws: int) -> NDArray[np.float64]:
    if isinstance(value, Distribution):
        return np.asarray(value.rvs(size=draws, random_state=rng), dtype=float)
    return np.full(draws, float(value))
