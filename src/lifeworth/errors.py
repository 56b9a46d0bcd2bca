"""Everything lifeworth raises or warns about, in one place."""

from __future__ import annotations

import warnings


class LifeworthError(Exception):
    """Base of every error raised on purpose by this package."""


class DataError(LifeworthError, ValueError):
    """The data handed in break a rule; the message says what, how many, which and how to fix it."""


class ColumnError(DataError, KeyError):
    """A column was asked for that the source does not have."""

    __str__ = Exception.__str__


class DefinitionError(LifeworthError, ValueError):
    """A model, prior, economics or option was stated in a way that cannot be used."""


class AssumptionError(LifeworthError, ValueError):
    """A closed form was asked for outside the conditions under which it is finite."""


class ComparisonError(LifeworthError, ValueError):
    """Two things were to be compared that do not describe the same data, economics or horizon."""


class FitError(LifeworthError, RuntimeError):
    """A model could not be fitted to a table."""


class StoreError(LifeworthError, OSError):
    """A stored result cannot be read back: damaged, foreign, or of another version."""


class LifeworthWarning(UserWarning):
    """Base of every warning; each subclass has one meaning, so that it can be filtered by name."""


class DataWarning(LifeworthWarning):
    """The ledger holds something the rules had to settle; the message says how."""


class ShortHistoryWarning(LifeworthWarning):
    """Fewer than eight calendar buckets: the width of the band is mostly prior."""


class TrendWarning(LifeworthWarning):
    """Churn moved in one direction over the last buckets; that it goes on for long is not in the band's centre."""


class NoRenewalWarning(LifeworthWarning):
    """No account has reached its renewal: what was seen so far is not its risk."""


class MoneyChurnWarning(LifeworthWarning):
    """Money churn differs from logo churn: large and small accounts leave at different rates."""


class TenureWarning(LifeworthWarning):
    """The curve is refused by its tenure check: it cannot take the shape of the churn observed over tenure."""


class CalendarWarning(LifeworthWarning):
    """Churn moved over calendar time, and the model has no term for it: its bands will not hold."""


class SeasonWarning(LifeworthWarning):
    """Purchases follow the season, or too little was seen to know; the models have no term for it."""


class SpendWarning(LifeworthWarning):
    """Customers who buy more often spend more or less per purchase: the models take both as independent."""


class TimingWarning(LifeworthWarning):
    """Purchases come more regularly than at random: the models take the times between them as exponential."""


class DiagnosticsWarning(LifeworthWarning):
    """The sampler's diagnostics do not support the posterior as it stands."""


class ExtrapolationWarning(LifeworthWarning):
    """Much of the value lies beyond the tenure that anyone has been observed at."""


class ImmatureCostWarning(LifeworthWarning):
    """Recent terms show a margin that their costs, not all of which are in, do not support."""


class PriceIncreaseWarning(LifeworthWarning):
    """A price increase scenario was put on top of growth that the ledger already shows."""


def warned(kind: type[Warning], text: str, *, stacklevel: int) -> str:
    """Warn, and give the line that a fit keeps of it in its notes."""
    warnings.warn(text, kind, stacklevel=stacklevel)
    return f"{kind.__name__}: {text}"
