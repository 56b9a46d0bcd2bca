"""What holds of the source as a whole: how it is layered, how large its parts may be, what it never does."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "lifeworth"
MODULES = {path.relative_to(PACKAGE).as_posix(): path for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in MODULES.items()}

HEAVY = {"pymc", "pytensor", "arviz", "nutpie", "matplotlib"}
MAY_LOAD_HEAVY = {
    "bayes",
    "fitting",
    "purchase_fitting",
    "prior",
    "backtesting",
    "fit_table",
    "calibration",
    "jobs",
    "plot",
}
MAY_PRINT = {"cli", "cli.py", "demo.py", "__main__.py"}
UNSAFE_MODULES = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
UNSAFE_CALLS = {("name", "eval"), ("name", "exec"), ("name", "__import__"), ("keyword", "allow_pickle=True")}

MODULE_LINES = 400
BODY_LINES = 40
PUBLIC_METHODS = 12
ARGUMENTS = 12

type Function = ast.FunctionDef | ast.AsyncFunctionDef


def command(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


# --- What is loaded ---


def loaded(*arguments: str) -> set[str]:
    """The top-level packages that a new interpreter loads when it runs these arguments."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    timing = re.compile(r"^import time:.*\|\s*(.+)\n", re.M)
    assert done.returncode == 0, timing.sub("", done.stderr)
    return {name.split(".")[0] for name in timing.findall(done.stderr)}


def test_import_is_light() -> None:
    packages = loaded("-c", "import lifeworth")
    assert "lifeworth" in packages
    assert not packages & HEAVY


def test_help_is_light() -> None:
    packages = loaded(command("lifeworth"), "--help")
    assert "lifeworth" in packages
    assert not packages & HEAVY


def test_results_load_without_the_sampler() -> None:
    rooms = {name.removesuffix(".py").split("/")[0] for name in MODULES} - MAY_LOAD_HEAVY
    light = sorted(f"lifeworth.{room}" for room in rooms if not room.startswith("__"))
    packages = loaded("-c", f"import {', '.join(light)}")
    assert {"lifeworth", "pandas"} <= packages
    assert not packages & HEAVY


def test_import_contracts() -> None:
    done = subprocess.run(
        [command("lint-imports"), "--no-cache"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout


# --- How large ---


def functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def body_lines(function: Function) -> int:
    """The lines of a body from its first statement to its last, without the docstring."""
    body = function.body[1:] if ast.get_docstring(function, clean=False) is not None else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def argument_count(function: Function) -> int:
    names = [a.arg for a in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]
    return len([name for name in names if name not in {"self", "cls"}])


def public_methods(node: ast.ClassDef) -> int:
    """The methods and properties a reader of the class sees; a setter or an overload is not one more."""
    return len({f.name for f in node.body if isinstance(f, ast.FunctionDef) and not f.name.startswith("_")})


def oversizes(name: str) -> Iterator[str]:
    tree = TREES[name]
    sizes = [("the module", "lines", len(MODULES[name].read_text(encoding="utf-8").splitlines()), MODULE_LINES)]
    for function in functions(tree):
        sizes.append((function.name, "lines of body", body_lines(function), BODY_LINES))
        sizes.append((function.name, "arguments", argument_count(function), ARGUMENTS))
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    sizes.extend((node.name, "public methods", public_methods(node), PUBLIC_METHODS) for node in classes)
    return (f"{name}: {what} has {size} {unit} > {most}" for what, unit, size, most in sizes if size > most)


def test_size_budget() -> None:
    assert [line for name in MODULES for line in oversizes(name)] == []


# --- What it never does ---


def imported(tree: ast.AST) -> Iterator[str]:
    """Every imported module by its full name; a relative one begins with its dots."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


def calls(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """The calls of plain names, and the keywords given to any call: (kind, source)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name):
                yield "name", node.func.id
            yield from (("keyword", f"{k.arg}={ast.unparse(k.value)}") for k in node.keywords)


def test_imports_are_absolute() -> None:
    assert [(name, m) for name, tree in TREES.items() for m in imported(tree) if m.startswith(".")] == []


def test_nothing_is_unpickled_or_evaluated() -> None:
    modules = [(name, m) for name, tree in TREES.items() for m in imported(tree)]
    assert [(name, m) for name, m in modules if m.split(".")[0] in UNSAFE_MODULES] == []
    assert [(name, call) for name, tree in TREES.items() for call in calls(tree) if call in UNSAFE_CALLS] == []


def test_nothing_prints() -> None:
    silent = {name: tree for name, tree in TREES.items() if name.split("/")[0] not in MAY_PRINT}
    assert [name for name, tree in silent.items() if ("name", "print") in calls(tree)] == []
