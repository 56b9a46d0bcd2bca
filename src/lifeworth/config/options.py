"""What a section is, and how its options are written on the command line and in a file."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict

from lifeworth.errors import DefinitionError

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


type Names = Annotated[tuple[str, ...], BeforeValidator(_names)]
type Pairs = Annotated[dict[str, str], BeforeValidator(_pairs)]
type Numbers = Annotated[dict[str, float], BeforeValidator(_pairs)]
type Intervals = Annotated[dict[str, tuple[float, float]], BeforeValidator(_intervals)]
type Amounts = Annotated[float | dict[str, float] | None, BeforeValidator(_amounts)]

NAMES = OnTheLine(repeated=False, metavar="COLUMN,...")
AMOUNTS = OnTheLine(repeated=False, metavar="NUMBER|LABEL=NUMBER,...")


def written(metavar: str) -> OnTheLine:
    """An option that is given once for each value."""
    return OnTheLine(repeated=True, metavar=metavar)


class Section(BaseModel):
    """One group of options; a field's description is its help text."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def nearest(name: str, known: Sequence[str]) -> str:
    """A hint at the nearest known name, or all of them where none is near.

    Examples
    --------
    >>> nearest("as_off", ["as_of", "kind"])
    "Did you mean 'as_of'?"
    """
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known)}."


def registered[T](what: str, name: str, known: Mapping[str, type[T]]) -> type[T]:
    """The class of a name, read without regard to case, hyphens and underscores."""

    def plain(text: str) -> str:
        return text.lower().replace("-", "").replace("_", "")

    found = [kind for known_name, kind in known.items() if plain(known_name) == plain(name)]
    if not found:
        raise DefinitionError(f"{what} {name!r} is not known. {nearest(name, list(known))}")
    return found[0]


def flag(name: str) -> str:
    """The option of a field on the line."""
    return f"--{name.replace('_', '-')}"


def required(section: str, **given: object) -> None:
    """Refuse a section that lacks one of these."""
    missing = [name for name, value in given.items() if value is None]
    if missing:
        names = ", ".join(flag(name) if name != "source" else "LEDGER" for name in missing)
        raise DefinitionError(f"{names} is missing: give it on the line, or in [{section}] of --config job.toml.")
