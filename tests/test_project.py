"""The files around the source agree: the lock, the README's commands, the changelog, what is tracked."""

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parents[1]
MEBIBYTE = 2**20

type Requirements = dict[str, SpecifierSet]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads(read("pyproject.toml"))


@pytest.fixture(scope="module")
def locked() -> dict[str, Any]:
    """What uv.lock says of this package itself."""
    return next(p for p in tomllib.loads(read("uv.lock"))["package"] if p["name"] == "lifeworth")


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip("not a git checkout, so nothing is tracked")
    return [path for name in done.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def declared(requirements: list[str]) -> Requirements:
    return {(parsed := Requirement(text)).name: parsed.specifier for text in requirements}


def recorded(requirements: list[dict[str, str]]) -> Requirements:
    return {entry["name"]: SpecifierSet(entry.get("specifier", "")) for entry in requirements}


# --- The lock ---


def test_lock_has_the_requirements_of_the_project(project: dict[str, Any], locked: dict[str, Any]) -> None:
    assert locked["version"] == project["project"]["version"]
    assert recorded(locked["metadata"]["requires-dist"]) == declared(project["project"]["dependencies"])
    groups = {name: recorded(entries) for name, entries in locked["metadata"]["requires-dev"].items()}
    assert groups == {name: declared(entries) for name, entries in project["dependency-groups"].items()}


def test_pinned_python_is_one_the_project_supports(project: dict[str, Any]) -> None:
    pinned = read(".python-version").strip()
    assert pinned in SpecifierSet(project["project"]["requires-python"])
    assert f"Programming Language :: Python :: {pinned}" in project["project"]["classifiers"]


# --- The documents ---


def test_readme_commands_are_makefile_targets() -> None:
    in_code = re.findall(r"```.*?```|`[^`\n]+`", read("README.md"), re.S)
    commands = {target for code in in_code for target in re.findall(r"\bmake ([a-z]+)", code)}
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), re.M))
    assert {"demo", "test"} <= commands
    assert commands <= targets


def test_makefile_targets_are_phony_and_explained() -> None:
    makefile = read("Makefile")
    targets = re.findall(r"^([a-z]+):", makefile, re.M)
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.M)
    assert phony is not None
    assert phony[1].split() == targets
    assert re.findall(r"^([a-z]+):.*## \S", makefile, re.M) == targets


def test_changelog_has_an_entry_for_this_version(project: dict[str, Any]) -> None:
    version = re.escape(project["project"]["version"])
    assert re.search(rf"^## .*(?<![\d.]){version}(?![\d.])", read("CHANGELOG.md"), re.M)


# --- What is tracked ---


def test_no_tracked_file_is_large(tracked: list[Path]) -> None:
    assert [str(path.relative_to(ROOT)) for path in tracked if path.stat().st_size > MEBIBYTE] == []


@pytest.mark.parametrize("needle", ["/".join(["", "work", ""]), "-".join(["farm", ""])])
def test_nothing_tracked_names_the_machine_it_was_written_on(tracked: list[Path], needle: str) -> None:
    naming = [str(path.relative_to(ROOT)) for path in tracked if needle.encode() in path.read_bytes()]
    assert naming == []
