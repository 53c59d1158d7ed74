"""Runs the notebooks and keeps their outputs in them: python tools/documentation/run_notebooks.py.

What libraries write to stderr while they start is left out; paths and times of this machine are
in no output.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

_NOTEBOOKS = Path(__file__).parents[2] / "docs" / "notebooks"
_SECONDS = 300


def run(notebook: nbformat.NotebookNode, folder: Path) -> None:
    """Runs a notebook in a folder; its outputs are in it afterwards.

    Args:
        notebook: The notebook.
        folder: Where its files go.

    Raises:
        CellExecutionError: A cell failed.
    """
    NotebookClient(
        notebook,
        timeout=_SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
    ).execute()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [each for each in cell.outputs if each.get("name") != "stderr"]


def main() -> None:
    """Runs all notebooks."""
    for path in sorted(_NOTEBOOKS.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            run(notebook, Path(folder))
        notebook.metadata.pop("widgets", None)
        notebook.metadata["language_info"] = {"name": "python"}
        nbformat.write(notebook, path)
        print(f"{path.name}: {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
