"""The notebooks run, and what is committed is what the scripts beside them say."""

import os
from pathlib import Path

import jupytext
import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
SCRIPTS = sorted(NOTEBOOKS.glob("*.py"))


def code(notebook: nbformat.NotebookNode) -> list[str]:
    return [cell["source"].strip() for cell in notebook.cells if cell["cell_type"] == "code"]


@pytest.fixture(params=SCRIPTS, ids=lambda path: path.stem)
def script(request: pytest.FixtureRequest) -> Path:
    return request.param


def committed(script: Path) -> nbformat.NotebookNode:
    return nbformat.read(script.with_suffix(".ipynb"), as_version=4)


def test_committed_cells_are_those_of_the_script(script: Path) -> None:
    assert code(committed(script)) == code(jupytext.read(script))


def test_committed_notebook_has_clean_outputs(script: Path) -> None:
    cells = [cell for cell in committed(script).cells if cell["cell_type"] == "code"]
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert all(cell["execution_count"] for cell in cells)
    assert {output["output_type"] for output in outputs} <= {"execute_result", "display_data", "stream"}
    assert not [output for output in outputs if output.get("name") == "stderr"]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    text = script.with_suffix(".ipynb").read_text(encoding="utf-8")
    assert str(Path.home()) + "/" not in text
    assert str(NOTEBOOKS.parent.parent) not in text


# Kernels talk over sockets whose loop warns when it is closed late; that is not what is tested here.
@pytest.mark.filterwarnings("default")
@pytest.mark.mcmc
def test_notebook_runs(script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(NOTEBOOKS.parent / "src"), os.environ.get("PYTHONPATH", "")]))
    notebook = jupytext.read(script)
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources=resources).execute()
    assert all(cell["execution_count"] for cell in notebook.cells if cell["cell_type"] == "code")
