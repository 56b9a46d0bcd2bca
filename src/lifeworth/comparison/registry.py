"""The registry of formulas: what a Method states, and how one of the user's own enters it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lifeworth import formulas
from lifeworth.comparison.inputs import Floats, Inputs
from lifeworth.errors import AssumptionError, DefinitionError, LifeworthError

type Formula = Callable[[Inputs], float]
type Path = Callable[[Floats, Inputs], Floats]


@dataclass(frozen=True, slots=True)
class Convention:
    """When a formula's payments fall as it is practised, and whether they are discounted and end.

    Payment k = first, first + 1, ... is made by the accounts there at the opening of period k, (k + lag) periods
    from now: lag 0 is at once, 1 at the period's end, -1 one period before the opening (the renewal is imminent).
    """

    first: int = 0
    lag: int = 0
    discounted: bool = False
    finite: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A formula for the value of an account, and the assumptions that it comes down to.

    As practised it is `practised`. Aligned, its `survival` and `growth` are summed over the payments of the
    posterior's horizon, with its discounting, timing and cost: one engine for all of them.

    Parameters
    ----------
    name : str
        Shown in every table; one of a kind.
    practised : callable
        Inputs to money per new account, as the formula is used. Raises AssumptionError where it is undefined.
    survival : callable
        (t, inputs) to the share of accounts still there at the opening of period t = 0, 1, ... since acquisition.
    growth : callable, optional
        (t, inputs) to the money of an account that is still there, over its first; None is flat.
    residual : callable, optional
        Inputs to money per account in force, as practised; None is `practised`: what is true of a new account is
        true of all.
    convention, residual_convention : Convention
        When the payments of `practised` and of `residual` fall.
    needs : tuple of str
        The inputs it reads: names of `Inputs`, or of what only other books have, such as "frequency" and "recency".
        Without one of them it does not apply, and says so.
    by_tenure : bool
        Whether accounts of different tenures survive differently, so that a book in force is valued tenure by tenure.
    compounds : bool
        Whether growth is that of compounding on the accounts that stay, or there is none.
    censored : bool
        Whether accounts that are still there count as long as they were seen.
    costs : bool
        Whether the service cost is already in `practised`.
    assumptions, conditions, source : str
        In words: what is taken to be true, when the value is finite, where the formula is from.

    Examples
    --------
    Five years of margin, whatever the churn:

    >>> five = Method(
    ...     name="five years of margin",
    ...     practised=lambda x: 5 * x.periods_per_year * x.margin,
    ...     survival=lambda t, x: np.ones(len(t)),
    ...     needs=("arpa", "gross_margin"),
    ...     assumptions="nobody leaves for five years, everybody then",
    ... )
    >>> x = Inputs(10_000, 0.8, 0.2, 0.0, 0.0, 0.1, 5, "start", 12)
    >>> five.practised(x), round(five.aligned(x))  # 8,000 (1 + 1 / 1.1 + ... + 1 / 1.1^4)
    (40000.0, 33359)
    """

    name: str
    practised: Formula
    survival: Path
    growth: Path | None = None
    residual: Formula | None = None
    convention: Convention = Convention()
    residual_convention: Convention | None = None
    needs: tuple[str, ...] = ("arpa", "gross_margin", "churn")
    by_tenure: bool = False
    compounds: bool = True
    censored: bool = True
    costs: bool = False
    assumptions: str = ""
    conditions: str = ""
    source: str = ""

    @property
    def expands(self) -> bool:
        """Whether it takes expansion into account."""
        return self.growth is not None

    def form(self, residual: bool) -> Formula:
        """The formula as practised, of a new account or of one in force."""
        return self.residual if residual and self.residual is not None else self.practised

    def when(self, residual: bool) -> Convention:
        """When the payments of `form` fall."""
        return self.residual_convention if residual and self.residual_convention is not None else self.convention

    def grown(self, t: Floats, inputs: Inputs) -> Floats:
        """Money of an account that is still there, over its first."""
        return np.ones(len(t)) if self.growth is None else self.growth(t, inputs)

    def missing(self, inputs: Inputs) -> str:
        """The reason why it does not apply to these inputs; empty where it does."""
        absent = [name for name in self.needs if np.isnan(getattr(inputs, name, np.nan)).all()]
        return f"it needs {', '.join(absent)}, which is not known here." if absent else ""

    def aligned(self, inputs: Inputs) -> float:
        """Money per new account with the horizon, discounting, timing and cost of the inputs."""
        if reason := self.missing(inputs):
            raise AssumptionError(f"{self.name}: {reason}")
        years = inputs.years_to_payments()
        t = np.arange(len(years), dtype=np.float64)
        there = self.survival(t, inputs)
        flows = inputs.margin * there * self.grown(t, inputs) - inputs.service_cost * there
        return float(np.sum(flows * formulas.discount_factor(years, inputs.discount_rate_annual)))


METHODS: dict[str, Method] = {}
"""Every formula by name, in the order it is shown."""


def register_method(method: Method) -> Method:
    """Enter a formula in the comparison; every `compare` from then on shows it.

    Parameters
    ----------
    method : Method

    Returns
    -------
    Method
        The same.

    Raises
    ------
    DefinitionError
        There is a formula of that name.

    Examples
    --------
    >>> mine = Method(
    ...     name="three years of margin",
    ...     practised=lambda x: 3 * x.periods_per_year * x.margin,
    ...     survival=lambda t, x: (t < 3 * x.periods_per_year).astype(float),
    ... )
    >>> register_method(mine).name in METHODS
    True
    >>> del METHODS["three years of margin"]
    """
    if method.name in METHODS:
        raise DefinitionError(f"there is a formula {method.name!r}: give yours another name.")
    METHODS[method.name] = method
    return method


def find_method(name: str) -> Method:
    """The formula of that name.

    Raises
    ------
    DefinitionError
        There is none.
    """
    if name not in METHODS:
        raise DefinitionError(f"there is no formula {name!r}: there are {', '.join(map(repr, METHODS))}.")
    return METHODS[name]


def practised(method: Method, inputs: Inputs, *, residual: bool = False) -> tuple[float, str]:
    """The formula as practised, or nan and the reason why it is undefined."""
    if reason := method.missing(inputs):
        return np.nan, reason
    try:
        found = float(method.form(residual)(inputs))
    except (LifeworthError, ZeroDivisionError, OverflowError) as error:
        return np.nan, str(error) or type(error).__name__
    return (found, "") if np.isfinite(found) else (np.nan, "the formula has no finite value.")
