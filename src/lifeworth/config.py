"""What a run is asked to do: the options of the command line and of job.toml, which are the same ones."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from lifeworth.errors import DefinitionError

if TYPE_CHECKING:
    from lifeworth.economics import Economics
    from lifeworth.ledger import CohortTable, Ledger

type Length = Literal["month", "quarter", "year"]


@dataclass(frozen=True, slots=True)
class OnTheLine:
    """How an option that is not one plain value is written on the command line."""

    repeated: bool
    metavar: str


def _pairs(given: object) -> object:
    """`["a=1", "b=2"]`, or `"a=1,b=2"`, as a mapping."""
    items = given.split(",") if isinstance(given, str) else given
    if not isinstance(items, Sequence):
        return given
    found: dict[str, str] = {}
    for item in items:
        name, equals, value = str(item).rpartition("=")
        if not equals or not name.strip() or not value.strip():
            raise ValueError(f"{item!r} is not of the form name=value")
        found[name.strip()] = value.strip()
    return found


def _intervals(given: object) -> object:
    """`{"first_churn": "0.02:0.15"}`, or pairs on the line, as a mapping to (low, high)."""
    pairs = _pairs(given)
    if not isinstance(pairs, Mapping):
        return given
    return {name: value.split(":") if isinstance(value, str) else value for name, value in pairs.items()}


def _amounts(given: object) -> object:
    """`"0.8"` as a number, `"Enterprise=0.85,SMB=0.7"` as a mapping."""
    return _pairs(given) if isinstance(given, str) and "=" in given else given


def _names(given: object) -> object:
    """`"channel,risk"` as names."""
    return [name.strip() for name in given.split(",") if name.strip()] if isinstance(given, str) else given


type _Names = Annotated[tuple[str, ...], BeforeValidator(_names)]
type _Pairs = Annotated[dict[str, str], BeforeValidator(_pairs)]
type _Numbers = Annotated[dict[str, float], BeforeValidator(_pairs)]
type _Intervals = Annotated[dict[str, tuple[float, float]], BeforeValidator(_intervals)]
type _Amounts = Annotated[float | dict[str, float] | None, BeforeValidator(_amounts)]

_NAMES = OnTheLine(repeated=False, metavar="COLUMN,...")
_AMOUNTS = OnTheLine(repeated=False, metavar="NUMBER|LABEL=NUMBER,...")


def _written(metavar: str) -> OnTheLine:
    return OnTheLine(repeated=True, metavar=metavar)


class Section(BaseModel):
    """One group of options; a field's description is its help text."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class LedgerSection(Section):
    """Where the rows are and how to read them."""

    source: str | None = Field(default=None, description="Parquet or CSV file or glob with the ledger.")
    kind: Literal["spells", "snapshots", "movements"] = Field(default="spells", description="What one row is.")
    as_of: str | None = Field(default=None, description="Day the ledger is read at, such as 2026-06-30.")
    amount_per: Length = Field(default="month", description="What the amount is paid for.")
    column: Annotated[_Pairs, _written("OURS=THEIRS")] = Field(
        default={}, description="Name of one of our columns in the source, such as customer_id=account; repeatable."
    )
    acquired: str | None = Field(default=None, description="Column with the true start of the first life.")
    cause: str | None = Field(default=None, description="Column that says why a spell ended.")
    term_months: str | None = Field(default=None, description="Contract length: a column, or a number of months.")
    bridge_gap_days: int = Field(default=0, ge=0, description="A gap of at most this many days does not end a life.")
    currency: str | None = Field(default=None, description="A column, or the three-letter code itself.")
    every: Length = Field(default="month", description="Snapshots only: time from one to the next.")
    strip: Annotated[_Names, OnTheLine(repeated=False, metavar="KIND,...")] = Field(
        default=(), description="Movements only: kinds that are taken out, such as price."
    )

    def read(self) -> Ledger:
        """The ledger, opened and checked.

        Raises
        ------
        DefinitionError
            No source or no as_of is given, or an option is not one of this kind of ledger.
        """
        from lifeworth.ledger import Ledger

        _required("ledger", source=self.source, as_of=self.as_of)
        named: dict[str, Any] = {name: getattr(self, name) for name in _LEDGER_ARGUMENTS[self.kind]}
        idle = sorted((self.model_fields_set & _SPECIFIC) - set(named))
        if idle:
            raise DefinitionError(f"{_flag(idle[0])} is not an option of a ledger of {self.kind}.")
        if (term := named.get("term_months")) and term.isdigit():
            named["term_months"] = int(term)
        make: Callable[..., Ledger] = getattr(Ledger, f"from_{self.kind}")
        shared = {"as_of": self.as_of, "amount_per": self.amount_per, "columns": self.column or None}
        return make(self.source, **shared, **named)


_LEDGER_ARGUMENTS = {
    "spells": ("acquired", "cause", "term_months", "bridge_gap_days", "currency"),
    "snapshots": ("acquired", "bridge_gap_days", "currency", "every"),
    "movements": ("acquired", "cause", "bridge_gap_days", "currency", "strip"),
}
_SPECIFIC = {name for names in _LEDGER_ARGUMENTS.values() for name in names}


class TableSection(Section):
    """How rows are counted into cells."""

    period: Length = Field(default="month", description="Length of a tenure: how often an account may leave.")
    cohort: Length = Field(default="quarter", description="How acquisitions are grouped.")
    calendar: Length = Field(default="quarter", description="Length of a calendar bucket, counted back from as-of.")
    by: Annotated[_Names, _NAMES] = Field(default=(), description="Segment columns.")

    def count(self, ledger: Ledger) -> CohortTable:
        """The ledger's cells."""
        return ledger.cohort_table(period=self.period, cohort=self.cohort, calendar=self.calendar, by=self.by)


class ModelSection(Section):
    """What is fitted and how it is sampled."""

    churn: str = Field(default="Smooth", description="Churn curve: Smooth, Geometric, ShiftedBetaGeometric.")
    expansion: str = Field(
        default="Constant", description="Law of the survivors' growth: Constant, Decaying, Saturating, Flat."
    )
    pooling: Literal["partial", "complete", "none"] = Field(
        default="partial", description="Segments and cohorts share strength, are one, or stand alone."
    )
    seed: int | None = Field(default=None, ge=0, description="The same seed gives the same numbers.")
    draws: int = Field(default=1000, ge=1, description="Draws kept per chain.")
    tune: int = Field(default=500, ge=1, description="Draws spent on tuning per chain.")
    chains: int = Field(default=4, ge=1, description="Independent chains.")
    prior: Annotated[_Intervals, _written("NAME=LOW:HIGH")] = Field(
        default={}, description="90% interval of a parameter in natural units; repeatable."
    )

    def arguments(self) -> dict[str, Any]:
        """The keywords of `lifeworth.fit` and `lifeworth.backtest`."""
        from lifeworth.churn import CURVES
        from lifeworth.expansion.base import EXPANSIONS
        from lifeworth.results import SamplerOptions

        return {
            "churn": _registered("churn", self.churn, CURVES)(),
            "expansion": _registered("expansion", self.expansion, EXPANSIONS)(),
            "pooling": self.pooling,
            "priors": self.prior or None,
            "seed": self.seed,
            "sampler": SamplerOptions(draws=self.draws, tune=self.tune, chains=self.chains),
        }


class EconomicsSection(Section):
    """What turns revenue into money."""

    gross_margin: Annotated[_Amounts, _AMOUNTS] = Field(
        default=None, description="Share of revenue left after serving it."
    )
    discount_rate: float | None = Field(default=None, description="Discount rate a year, such as 0.12.")
    horizon: float | None = Field(default=None, description="Years that are valued.")
    timing: Literal["end", "start"] = Field(default="end", description="When the payment of a period falls.")
    cac: Annotated[_Amounts, _AMOUNTS] = Field(default=None, description="Cost of acquiring an account.")
    service_cost: Annotated[_Amounts, _AMOUNTS] = Field(
        default=0.0, description="Cost of serving an account for a year."
    )
    price_increase: float = Field(
        default=0.0, description="A scenario: prices rise by this a year on top of expansion."
    )
    arpa: Annotated[_Amounts, _AMOUNTS] = Field(default=None, description="Revenue per account, for tables of counts.")

    def terms(self, currency: str | None) -> Economics:
        """The economics of a valuation.

        Raises
        ------
        DefinitionError
            Margin, discount rate or horizon is not given; a value is out of bounds.
        """
        from lifeworth.economics import Economics

        given = {"gross_margin": self.gross_margin, "discount_rate": self.discount_rate, "horizon": self.horizon}
        _required("economics", **given)
        return Economics(
            gross_margin=self.gross_margin,  # type: ignore[arg-type]
            discount_rate_annual=self.discount_rate,  # type: ignore[arg-type]
            horizon_years=self.horizon,  # type: ignore[arg-type]
            timing=self.timing,
            cac=self.cac,  # type: ignore[arg-type]
            service_cost_annual=self.service_cost,  # type: ignore[arg-type]
            price_increase_annual=self.price_increase,
            currency=currency,
            arpa=self.arpa,  # type: ignore[arg-type]
        )


class CompareSection(Section):
    """Somebody's own numbers for the formulas."""

    input: Annotated[_Numbers, _written("NAME=NUMBER")] = Field(
        default={}, description="A number of your own sheet for the formulas, such as churn=0.02; repeatable."
    )


class BacktestSection(Section):
    """What is held out and predicted."""

    holdout: int = Field(default=4, ge=1, description="Calendar buckets that are held out and predicted.")
    origins: int = Field(default=1, ge=1, description="How many dates, a bucket apart, the forecast is made at.")


class Job(Section):
    """Everything a run is told, by section."""

    ledger: LedgerSection = LedgerSection()
    table: TableSection = TableSection()
    model: ModelSection = ModelSection()
    economics: EconomicsSection = EconomicsSection()
    compare: CompareSection = CompareSection()
    backtest: BacktestSection = BacktestSection()

    @classmethod
    def read(cls, path: Path | None, line: Mapping[str, Mapping[str, Any]]) -> Job:
        """The job of a file and of the options on the line, which win.

        Parameters
        ----------
        path : Path, optional
            A TOML file with the sections; a relative `source` in it is relative to the file.
        line : mapping of section to mapping of name to value
            Options given on the line; text is read as it is written there.

        Raises
        ------
        DefinitionError
            The file cannot be read; a section, a name or a value is not a known one.
        """
        merged: dict[str, dict[str, Any]] = {} if path is None else _from_file(path)
        for section, options in line.items():
            merged.setdefault(section, {}).update(options)
        try:
            return cls.model_validate(merged)
        except ValidationError as error:
            raise DefinitionError(_complaint(error)) from None


def _from_file(path: Path) -> dict[str, dict[str, Any]]:
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DefinitionError(f"{path} cannot be read: {error}") from None
    for section, options in found.items():
        _known(f"{path}: section", section, Job.model_fields)
        if not isinstance(options, dict):
            raise DefinitionError(f"{path}: {section} is a section: write [{section}] and its options below it.")
        fields = _section(section).model_fields
        for name in options:
            _known(f"{path}: [{section}]", name, fields)
    source = found.get("ledger", {}).get("source")
    if isinstance(source, str) and "://" not in source:
        found["ledger"]["source"] = str(path.parent / source)
    if (day := found.get("ledger", {}).get("as_of")) is not None:
        found["ledger"]["as_of"] = str(day)
    return found


def _section(name: str) -> type[Section]:
    kind = Job.model_fields[name].annotation
    assert isinstance(kind, type)
    assert issubclass(kind, Section)
    return kind


def nearest(name: str, known: Sequence[str]) -> str:
    """A hint at the nearest known name, or all of them where none is near.

    Examples
    --------
    >>> nearest("as_off", ["as_of", "kind"])
    "Did you mean 'as_of'?"
    """
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known)}."


def _known(where: str, name: str, known: Mapping[str, object]) -> None:
    if name not in known:
        raise DefinitionError(f"{where} {name!r} is not known. {nearest(name, list(known))}")


def _registered[T](what: str, name: str, known: Mapping[str, type[T]]) -> type[T]:
    """The class of a name, read without regard to case, hyphens and underscores."""

    def plain(text: str) -> str:
        return text.lower().replace("-", "").replace("_", "")

    found = [kind for known_name, kind in known.items() if plain(known_name) == plain(name)]
    if not found:
        raise DefinitionError(f"{what} {name!r} is not known. {nearest(name, list(known))}")
    return found[0]


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _required(section: str, **given: object) -> None:
    missing = [name for name, value in given.items() if value is None]
    if missing:
        names = ", ".join(_flag(name) if name != "source" else "LEDGER" for name in missing)
        raise DefinitionError(f"{names} is missing: give it on the line, or in [{section}] of --config job.toml.")


def _complaint(error: ValidationError) -> str:
    """The first complaint of pydantic, by section and option."""
    first, more = error.errors()[0], error.error_count() - 1
    where = [str(part) for part in first["loc"]]
    option = f"[{where[0]}] {where[1]}" if len(where) > 1 else where[0]
    text = first["msg"].removeprefix("Value error, ")
    given = first["input"]
    also = f" (and {more} more)" if more else ""
    return f"{option} is {given!r}: {text[:1].lower()}{text[1:]}{also}."
