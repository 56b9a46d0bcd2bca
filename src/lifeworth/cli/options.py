"""Options of the commands, made from the sections of job.toml, so that both always have the same names."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAliasType, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from lifeworth.cli.console import Console, session
from lifeworth.config import Job, OnTheLine, Section

FIT = "folder of a fit: read where it exists, written where not"


@dataclass(frozen=True, slots=True)
class Run:
    """What a command is given: the job, where results go, and the console."""

    job: Job
    console: Console
    out: Path | None = None
    fit: Path | None = None


def command(app: typer.Typer, *sections: str, fit: str = "") -> Callable[[Callable[[Run], None]], Callable[..., None]]:
    """Register a command whose options are those of the sections named, beside --config, --out and --json.

    Parameters
    ----------
    app : Typer
    sections : str
        Names of sections of Job.
    fit : str
        Help of --fit; empty for a command without it.
    """

    def register(work: Callable[[Run], None]) -> Callable[..., None]:
        def run(**given: Any) -> None:
            with session(as_json=given["json"]) as console:
                job = Job.read(given["config"], _by_section(given, sections))
                work(Run(job, console, given["out"], given.get("fit")))

        parameters = [p for name in sections for p in _options(name)] + list(_common(fit))
        described: Any = run
        described.__doc__ = work.__doc__
        described.__signature__ = inspect.Signature(parameters, return_annotation=None)
        described.__annotations__ = {p.name: p.annotation for p in parameters}
        app.command(name=work.__name__)(run)
        return run

    return register


def _by_section(given: dict[str, Any], sections: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """The options that were given, by section; an option that was not is None or empty."""
    return {
        section: {name: given[name] for name in _fields(section) if given[name] not in (None, [], ())}
        for section in sections
    }


def _fields(section: str) -> dict[str, FieldInfo]:
    kind = Job.model_fields[section].annotation
    assert isinstance(kind, type)
    assert issubclass(kind, Section)
    return kind.model_fields


def _options(section: str) -> Iterator[inspect.Parameter]:
    for name, field in _fields(section).items():
        if name == "source":
            yield _parameter(name, str | None, typer.Argument(metavar="[LEDGER]", help=field.description))
            continue
        marks = [mark for mark in field.metadata if isinstance(mark, OnTheLine)]
        kind: Any = _plain(field.annotation)
        if marks:
            kind = list[str] if marks[0].repeated else str
        flag = f"--{name.replace('_', '-')}"
        option = typer.Option(
            f"{flag}/--no-{flag[2:]}" if kind is bool else flag,
            help=f"{field.description}{_default(field)}",
            metavar=marks[0].metavar if marks else None,
            rich_help_panel=section.capitalize(),
            show_default=False,
        )
        yield _parameter(name, kind | None, option)


def _common(fit: str) -> Iterator[inspect.Parameter]:
    yield _parameter("config", Path | None, typer.Option("--config", help="TOML file with the same options."))
    yield _parameter("out", Path | None, typer.Option("--out", help="Folder for tables (CSV) and pictures (PNG)."))
    if fit:
        yield _parameter("fit", Path | None, typer.Option("--fit", help=f"{fit[0].upper()}{fit[1:]}."))
    as_json = typer.Option("--json", help="Results as JSON on standard output, and nothing else there.")
    yield _parameter("json", bool, as_json, default=False)


def _parameter(name: str, kind: Any, option: Any, default: object = None) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option])


def _plain(kind: Any) -> Any:
    """The type of one value: without None, aliases resolved."""
    if isinstance(kind, TypeAliasType):
        return _plain(kind.__value__)
    if get_origin(kind) is Literal:
        return kind
    inner = [part for part in get_args(kind) if part is not type(None)]
    return _plain(inner[0]) if inner else kind


def _default(field: FieldInfo) -> str:
    return f" (default: {field.default})" if field.default not in (None, (), {}) else ""
