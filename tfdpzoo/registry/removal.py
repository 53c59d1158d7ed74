"""Removal of a version: it is gone at once, and its number is never used again."""

from __future__ import annotations

from pathlib import Path

from tfdpzoo.durable_file import flush_folder
from tfdpzoo.errors import InputError
from tfdpzoo.registry.aliases import aliases_of
from tfdpzoo.version_number import remember_removed, versions
from tfdpzoo.version_writing import model_locked, rename_without_replacing, staged


def remove_version(model: Path, version: int) -> None:
    """Removes a version of a model with all its files. This cannot be undone.

    The version disappears at once; if the process dies while files are deleted, the next
    registration deletes the rest.

    Args:
        model: The model's folder.
        version: The version's number.

    Raises:
        InputError: There is no such version, an alias stands for it, or it cannot be removed.
    """
    require_removable(model, version)
    try:
        with staged(model) as folder:
            with model_locked(model):
                path = require_removable(model, version)
                remember_removed(model, version)
                rename_without_replacing(path, folder / "removed")
                flush_folder(model)
            if (folder / "removed").is_symlink():
                (folder / "removed").unlink()
    except OSError as error:
        raise InputError(
            f"Version {version} of {model.name} cannot be removed: {error.strerror}."
        ) from error


def require_removable(model: Path, version: int) -> Path:
    """Returns the folder of a version that may be removed.

    Args:
        model: The model's folder.
        version: The version's number.

    Raises:
        InputError: There is no such version, or an alias stands for it.
    """
    found = versions(model)
    if version not in found:
        raise InputError(f"The model {model.name} has no version {version}.")
    aliases = aliases_of(model, version)
    if aliases:
        raise InputError(
            f"Version {version} of {model.name} is {' and '.join(aliases)}; let the alias stand "
            "for another version first, or remove the alias."
        )
    return found[version]
