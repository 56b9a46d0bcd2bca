"""What a person or a log sees while a command runs: steps, notes, errors, and the exit code."""

from __future__ import annotations

import json
import logging
import math
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from typing import Any

import rich.console
import typer
from rich.table import Table

from lifeworth.cli.environment import prepare
from lifeworth.errors import DataError, DiagnosticsWarning, FitError, LifeworthError, LifeworthWarning, StoreError

USAGE, REJECTED, UNRELIABLE = 2, 3, 4
"""Exit codes: what was asked for is wrong; the data are; there is no posterior to rely on."""

_NARROW = 100
_log = logging.getLogger("lifeworth.cli")


class Console:
    """Standard output for results, standard error for everything else."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._err = rich.console.Console(stderr=True, highlight=False, soft_wrap=True)
        width = None if sys.stdout.isatty() else _NARROW
        self._out = rich.console.Console(highlight=False, width=width)
        self._notes: list[str] = []

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Say what is being done, and how long it took."""
        begun = time.perf_counter()
        if self._err.is_terminal:
            with self._err.status(f"{text} ..."):
                yield
            self._err.print(f"[dim]{text}: {time.perf_counter() - begun:.0f} s[/dim]")
            return
        _log.info("%s ...", text)
        yield
        _log.info("%s: %.1f s", text, time.perf_counter() - begun)

    def note(self, text: str) -> None:
        """One line that the reader must know, once."""
        if text in self._notes:
            return
        self._notes.append(text)
        self.say(f"note: {text}")

    def say(self, text: str) -> None:
        """One line on standard error; logs get a time with it."""
        if self._err.is_terminal:
            self._err.print(text, markup=False)
        else:
            _log.info("%s", text)

    def show(self, *parts: Table | str) -> None:
        """Tables and text on standard output, unless that is for JSON."""
        if not self.as_json:
            for part in parts:
                if isinstance(part, str):
                    self._out.print(part, markup=False, soft_wrap=True)
                else:
                    self._out.print(part, "")

    def gate(self, verdict: str) -> None:
        """Leave with a code of its own where the draws are not to be relied on; results are written by then."""
        if verdict == "FAIL":
            self.say("the diagnostics fail: do not use these numbers. Exit code 4.")
            raise typer.Exit(UNRELIABLE)

    def give(self, result: Mapping[str, Any]) -> None:
        """The result on standard output as one JSON object with the notes, if JSON was asked for."""
        if self.as_json:
            typer.echo(json.dumps(_jsonable({**result, "notes": self._notes}), indent=2))


@contextmanager
def session(*, as_json: bool) -> Iterator[Console]:
    """A console around a command: warnings become notes, the package's errors one message and an exit code."""
    prepare()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    _log.addHandler(handler)
    _log.setLevel(logging.INFO)
    _log.propagate = False
    console = Console(as_json=as_json)
    try:
        with _noted(console):
            yield console
    except LifeworthError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(_code(error)) from None
    finally:
        _log.removeHandler(handler)


def _code(error: LifeworthError) -> int:
    if isinstance(error, FitError):
        return UNRELIABLE
    return REJECTED if isinstance(error, DataError | StoreError) else USAGE


@contextmanager
def _noted(console: Console) -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("always", LifeworthWarning)
        shown = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *rest: Any, **more: Any) -> None:
            if issubclass(category, LifeworthWarning):
                label = "diagnostics: " if issubclass(category, DiagnosticsWarning) else ""
                console.note(f"{label}{message}")
            else:
                shown(message, category, *rest, **more)

        warnings.showwarning = show
        yield


def _jsonable(value: Any) -> Any:
    """Plain values: JSON has no nan (null here) and no infinity ("inf")."""
    if isinstance(value, Mapping):
        return {str(k): _jsonable(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(v) for v in value]
    if isinstance(value, date):
        return value.isoformat()
    if hasattr(value, "item"):
        return _jsonable(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else f"{value}"
    return value if isinstance(value, str | int | float | bool | None) else str(value)
