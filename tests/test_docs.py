"""What is written beside the code: docstrings, their examples, the help of the commands, the README."""

import ast
import doctest
import importlib
import inspect
import pkgutil
import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer

import lifeworth as lw
from lifeworth.cli import app
from lifeworth.config import Job

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
# Modules that load the sampler are documented, but their examples would be minutes of sampling.
MODULES = [
    module.name
    for module in pkgutil.walk_packages(lw.__path__, "lifeworth.")
    if not module.name.startswith("lifeworth.bayes") and not module.name.endswith("__main__")
]
NOT_MADE_BY_HAND = {"Diagnostics", "Ledger"}
COMMANDS = {name: command for name, command in typer.main.get_command(app).commands.items()}  # type: ignore[attr-defined]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.S)


# --- Docstrings ---


@pytest.mark.parametrize("name", [n for n in lw.__all__ if callable(getattr(lw, n))])
def test_public_callable_has_parameters_or_examples(name: str) -> None:
    found = getattr(lw, name)
    doc = inspect.getdoc(found) or ""
    takes_nothing = inspect.isclass(found) and not inspect.signature(found).parameters
    assert len(doc.splitlines()[0]) > 12
    assert takes_nothing or name in NOT_MADE_BY_HAND or re.search(r"^(Parameters|Examples|Attributes)\n-+$", doc, re.M)


@pytest.mark.parametrize("name", [n for n in lw.__all__ if inspect.ismodule(getattr(lw, n))])
def test_public_module_says_what_it_is_for(name: str) -> None:
    assert getattr(lw, name).__doc__


@pytest.mark.parametrize("name", MODULES)
def test_examples_hold(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


# --- Commands ---


@pytest.mark.parametrize("name", COMMANDS)
def test_command_and_every_option_have_help(name: str) -> None:
    command = COMMANDS[name]
    assert command.help
    assert [option.name for option in command.params if not getattr(option, "help", None)] == []


@pytest.mark.parametrize("name", [n for n in COMMANDS if n != "demo"])
def test_options_are_those_of_the_config(name: str) -> None:
    known = {
        field
        for section in Job.model_fields.values()
        for field in section.annotation.model_fields  # type: ignore
    }
    assert {option.name for option in COMMANDS[name].params} <= known | {"config", "out", "fit", "json", "help"}


# --- README ---


def test_readme_toml_is_a_job(tmp_path: Path) -> None:
    (toml,) = blocks("toml")
    (tmp_path / "job.toml").write_text(toml, encoding="utf-8")
    job = Job.read(tmp_path / "job.toml", {})
    assert job.ledger.source == str(tmp_path / "subscriptions.parquet")
    assert set(tomllib.loads(toml)) <= set(Job.model_fields)


def test_readme_commands_have_options_that_exist() -> None:
    lines = [line.split("#")[0].split() for block in blocks("sh") for line in block.splitlines()]
    lines = [line for line in lines if line and line[0] == "lifeworth"]
    assert {line[1] for line in lines} == set(COMMANDS) - {"demo"}
    for line in lines:
        options = {flag for option in COMMANDS[line[1]].params for flag in option.opts}
        assert {word for word in line if word.startswith("--")} <= options


@pytest.mark.parametrize("block", [0, 1])
def test_readme_example_calls_what_exists(block: int) -> None:
    example = ast.parse(blocks("python")[block])
    kinds: dict[str, Any] = {"ledger": lw.Ledger, "table": lw.CohortTable, "fit": lw.Fit, "value": lw.Valuation}
    calls = [node for node in ast.walk(example) if isinstance(node, ast.Call)]
    assert len(calls) >= 8
    for call in calls:
        if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Call):
            continue  # a method of a result, such as compare(value).summary()
        path = ast.unparse(call.func).split(".")
        target = lw if path[0] == "lw" else kinds[path[0]]
        assert path[0] != "lw" or path[1] in lw.__all__
        for name in path[1:]:
            target = getattr(target, name)
        bound = {keyword.arg: None for keyword in call.keywords}
        itself = [None] if path[0] != "lw" else []
        inspect.signature(target).bind(*itself, *call.args, **bound)


def test_readme_curve_is_a_curve() -> None:
    namespace: dict[str, Any] = {"__name__": __name__}
    exec(compile(blocks("python")[3], "README.md", "exec"), namespace)
    from lifeworth.churn import CURVES

    curve = CURVES.pop("PowerOfTenure")()  # and out of the registry, which the other tests read
    assert [p.name for p in curve.parameters] == ["first_churn", "shape"]
    survival = curve.survival(np.arange(3.0), {"first_churn": 0.1, "shape": 1.0})
    assert survival.tolist() == pytest.approx([1.0, 0.9, 0.81])


def test_readme_way_from_a_spreadsheet_runs(constant_fit: Any) -> None:
    from lifeworth.comparison import METHODS

    terms = lw.Economics(gross_margin=0.8, discount_rate_annual=0.1, horizon_years=4)
    namespace: dict[str, Any] = {"lw": lw, "value": lw.value(constant_fit(), terms)}
    known = set(METHODS)
    try:
        exec(compile(blocks("python")[2], "README.md", "exec"), namespace)
        gap = namespace["gap"]
        assert gap.start == pytest.approx(500 * 0.8 / (0.20 - 0.08))
        assert gap.table()["change"].sum() == pytest.approx(gap.end - gap.start)
        assert set(METHODS) - known == {"three years of margin"}
    finally:
        for name in set(METHODS) - known:
            del METHODS[name]
