"""Runs notebooks/*.py (percent format) and writes each beside itself as .ipynb with its outputs."""

import sys
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

HOME = Path(__file__).resolve().parents[1] / "notebooks"


def execute(script: Path) -> Path:
    """Run one script as a notebook; ids and metadata are fixed, so that a rerun changes only outputs."""
    notebook = jupytext.read(script)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"
    NotebookClient(
        notebook, timeout=None, record_timing=False, resources={"metadata": {"path": str(script.parent)}}
    ).execute()
    target = script.with_suffix(".ipynb")
    nbformat.write(notebook, target)
    return target


if __name__ == "__main__":
    for script in [Path(name) for name in sys.argv[1:]] or sorted(HOME.glob("*.py")):
        print(f"{script.name} ...", flush=True)
        print(f"  wrote {execute(script).name}")
