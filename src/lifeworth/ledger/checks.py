"""Checks: named rules counted in the engine, their findings, and how they are raised, warned or noted."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import narwhals.stable.v2 as nw

from lifeworth.errors import DataError, DataWarning
from lifeworth.ledger.sources import Lazy

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Check:
    """One rule that fired: what, on how many rows, up to five customers, and what to do about it."""

    name: str
    severity: Severity
    rows: int
    customers: tuple[str, ...]
    message: str
    remedy: str

    def sentence(self) -> str:
        """Say it in one line: what is wrong, who, and the fix."""
        named = f" (customers {', '.join(self.customers)})" if self.customers else ""
        return f"{self.message}{named}. {self.remedy}".rstrip()


@dataclass(frozen=True)
class Rule:
    """A condition on a row that makes it count; `{rows}` in the message is the number of rows."""

    name: str
    severity: Severity
    bad: nw.Expr
    message: str
    remedy: str = ""


def collect(frame: Lazy) -> list[dict[str, Any]]:
    """Bring a small result out of the engine as rows."""
    return frame.collect(backend="pyarrow").to_native().to_pylist()


def count(condition: nw.Expr) -> nw.Expr:
    """Count the rows on which a condition holds; an unknown condition does not hold."""
    return nw.when(condition).then(nw.lit(1)).otherwise(nw.lit(0)).sum().cast(nw.Int64)


def name_customers(frame: Lazy, condition: nw.Expr | None = None) -> tuple[str, ...]:
    """Name up to five customers of the rows on which a condition holds, printable and shortened."""
    hit = frame if condition is None else frame.filter(condition)
    rows = collect(hit.select("lw_id").unique().sort("lw_id").head(5))
    return tuple(_printable(row["lw_id"]) for row in rows)


def _printable(value: object) -> str:
    text = "".join(c if c.isprintable() else "?" for c in str(value))
    return text if len(text) <= 40 else text[:39] + "…"


def run_rules(frame: Lazy, rules: Sequence[Rule]) -> tuple[Check, ...]:
    """Count all rules in one scan; go back only for the names of customers behind those that fired."""
    if not rules:
        return ()
    found = collect(frame.select(**{f"r{i}": count(rule.bad) for i, rule in enumerate(rules)}))[0]
    return tuple(
        Check(
            name=rule.name,
            severity=rule.severity,
            rows=int(found[f"r{i}"]),
            customers=name_customers(frame, rule.bad),
            message=rule.message.format(rows=f"{int(found[f'r{i}']):,}"),
            remedy=rule.remedy,
        )
        for i, rule in enumerate(rules)
        if found[f"r{i}"]
    )


def raise_errors(checks: Iterable[Check]) -> None:
    """Raise one DataError that lists every error found."""
    errors = [check for check in checks if check.severity == "error"]
    if errors:
        raise DataError("\n".join(check.sentence() for check in errors))


def settle(checks: Iterable[Check], *, stacklevel: int = 3) -> tuple[Check, ...]:
    """Raise the errors, warn of the warnings, keep all that is left as a record."""
    kept = tuple(checks)
    raise_errors(kept)
    for check in kept:
        if check.severity == "warning":
            warnings.warn(check.sentence(), DataWarning, stacklevel=stacklevel)
    return kept
