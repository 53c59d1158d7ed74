"""The numbers of a model's versions: which are taken, and which comes next.

A number stands for one version for ever. When a version is removed, an empty file of its number
stays in the hidden folder `NAME/.versions/removed`, so that nobody gets another model under a
number that somebody has written down.

This module is light: it imports neither NumPy nor TensorFlow.
"""

from __future__ import annotations

import os
from pathlib import Path

from tfdpzoo.durable_file import flush_folder
from tfdpzoo.errors import InputError

HIDDEN = ".versions"
"""The folder in a model's folder for what is unfinished and what was removed. TensorFlow Serving
passes over it, as over everything that is no number."""

_REMOVED = "removed"


class VersionTakenError(InputError):
    """The number of a version has been taken, perhaps since somebody looked whether it was free."""


def versions(model: str | Path) -> dict[int, Path]:
    """Returns the folders of a model's versions by their numbers, in no particular order.

    Example:
        >>> versions("saved_models/a_model_that_does_not_exist")
        {}
    """
    return {number: path for number, path in _numbered(Path(model)).items() if path.is_dir()}


def next_version(folder: str | Path) -> int:
    """Returns the number after the newest version that a model has or had, 1 in a new one.

    Example:
        >>> next_version("saved_models/a_model_that_does_not_exist")
        1
    """
    # Folders first: a removal notes the number before it takes the folder away.
    present = _numbered(Path(folder))
    return max([*present, *removed_versions(folder)], default=0) + 1


def free_version(path: str | Path) -> Path:
    """Returns `path`, or the next free version of the same model where it is or was taken.

    Example:
        >>> free_version("saved_models/a_model_that_does_not_exist/3").name
        '3'
    """
    path = Path(path)
    if path.name.isdecimal() and (os.path.lexists(path) or was_removed(path)):
        return path.parent / str(next_version(path.parent))
    return path


def removed_versions(model: str | Path) -> set[int]:
    """Returns the numbers of the versions that a model had and has no more."""
    return set(_numbered(Path(model) / HIDDEN / _REMOVED))


def was_removed(path: str | Path) -> bool:
    """Tells whether a version's folder was there and has been removed."""
    path = Path(path)
    return path.name.isdecimal() and int(path.name) in removed_versions(path.parent)


def remember_removed(model: Path, version: int) -> None:
    """Notes durably that a number must not be used again.

    Raises:
        OSError: It cannot be written.
    """
    folder = model / HIDDEN / _REMOVED
    folder.mkdir(parents=True, exist_ok=True)
    (folder / str(version)).touch()
    for each in (folder, folder.parent):
        flush_folder(each)


def _numbered(folder: Path) -> dict[int, Path]:
    """Whatever has a whole number for its name: also a file or a broken link is in the way."""
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return {int(name): folder / name for name in names if name.isdecimal()}
