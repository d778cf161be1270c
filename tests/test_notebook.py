"""The tour runs from top to bottom and its outputs are not committed."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

TOUR = Path(__file__).parents[1] / "notebooks" / "tour.ipynb"


def test_outputs_are_stripped() -> None:
    cells = nbformat.read(TOUR, as_version=4).cells
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)


@pytest.mark.slow
@pytest.mark.usefixtures("demo_extraction")  # the cache is full, as it is for someone who runs the tour again
def test_the_tour_runs(workplace: Path) -> None:
    notebook = nbformat.read(TOUR, as_version=4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": workplace}}).execute()
    shown = notebook.cells[-2]["outputs"][-1]["data"]["text/html"]
    assert "transformer" in shown
    assert "majority" in shown
