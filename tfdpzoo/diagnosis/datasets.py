"""Checks of the data sets that TensorFlow Datasets has prepared."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tfdpzoo.data.published import SIZES
from tfdpzoo.diagnosis.finding import Finding, Status

NAMES = tuple(sorted(SIZES.keys() - {"digits"}))
"""The data sets that `--dataset` takes from TensorFlow Datasets."""


def check_datasets(folder: Path, found: Iterable[str], given: bool) -> Finding:
    """Tells which data sets can be used without a network.

    Args:
        folder: Where they lie.
        found: The names of those that are prepared.
        given: Whether the folder was asked for.
    """
    names = sorted(found)
    if names:
        return Finding("Data", Status.OK, f"{', '.join(names)} in {folder}; digits are embedded")
    if given and not folder.is_dir():
        return Finding(
            "Data", Status.PROBLEM, f"there is no folder {folder}", "give another --data-dir"
        )
    return Finding(
        "Data",
        Status.NOTE,
        f"nothing that is known is prepared in {folder}; digits are embedded",
        "`tfdpzoo train ... --dataset cifar10` downloads it, or give --data-dir FOLDER",
    )


def prepared_datasets(folder: Path) -> list[str]:
    """Returns the data sets that are prepared in a folder of TensorFlow Datasets.

    Args:
        folder: The folder; it need not exist.
    """
    return [name for name in NAMES if any((folder / name).glob("**/dataset_info.json"))]
