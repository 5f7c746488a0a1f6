"""The notebooks of docs/tutorials run from top to bottom, and are kept without results."""

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from programs.running import python_path

NOTEBOOKS = sorted((Path(__file__).parents[2] / "docs" / "tutorials").glob("*.ipynb"))


def opened(path: Path) -> Any:
    reader: Any = nbformat
    return reader.read(path, 4)


def test_notebooks_are_kept_without_results() -> None:
    assert len(NOTEBOOKS) == 4
    for path in NOTEBOOKS:
        cells = [cell for cell in opened(path).cells if cell.cell_type == "code"]
        assert [cell.id for cell in cells if cell.outputs or cell.execution_count is not None] == []


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", python_path())
    for name in ("EPICS_CA_ADDR_LIST", "EPICS_PVA_ADDR_LIST"):  # gnomon sets them to its server alone
        monkeypatch.delenv(name, raising=False)
    notebook = opened(path)
    NotebookClient(notebook, timeout=400, kernel_name="python3", resources={"metadata": {"path": tmp_path}}).execute()
    shown = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert any("text/html" in output.get("data", {}) for output in shown)
