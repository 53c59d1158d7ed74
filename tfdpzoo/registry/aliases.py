"""Aliases: names that a model's versions go by, such as `champion`.

Each is a file of its own, `NAME/.aliases/ALIAS`, that holds the version's number, so that setting
one is atomic and never touches another. It is done under the model's lock, so that a version is not
removed in the moment in which it gets an alias. TensorFlow Serving passes over the folder.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from tfdpzoo.durable_file import replace_among_others
from tfdpzoo.errors import InputError, unknown_name
from tfdpzoo.registry.reference import is_name, require_name
from tfdpzoo.version_number import versions
from tfdpzoo.version_writing import model_locked

_FOLDER = ".aliases"


def read_aliases(model: Path) -> Mapping[str, int]:
    """Returns the aliases of a model and their versions, in alphabetical order.

    Args:
        model: The model's folder.

    Raises:
        InputError: An alias is damaged or cannot be read.
    """
    return {each.name: _read(each) for each in _files(model)}


def aliases_of(model: Path, version: int) -> tuple[str, ...]:
    """Returns the aliases of one version, in alphabetical order.

    Args:
        model: The model's folder.
        version: The version's number.

    Raises:
        InputError: An alias is damaged or cannot be read.
    """
    return tuple(alias for alias, number in read_aliases(model).items() if number == version)


def aliased_version(model: Path, alias: str) -> int:
    """Returns the version that an alias stands for.

    Args:
        model: The model's folder.
        alias: The alias.

    Raises:
        InputError: The model has no such alias, or it is damaged.
    """
    return _read(_existing(model, alias))


def set_alias(model: Path, alias: str, version: int) -> None:
    """Lets an alias stand for a version, from now on and whatever it stood for before.

    Args:
        model: The model's folder.
        alias: The alias.
        version: A version that the model has.

    Raises:
        InputError: There is no such version, or the alias cannot be a name or be written.
    """
    require_name("alias", alias)
    _require_version(model, version)
    try:
        with model_locked(model):
            _require_version(model, version)
            folder = model / _FOLDER
            folder.mkdir(exist_ok=True)
            _sweep(folder)
            replace_among_others(folder / alias, f"{version}\n".encode())
    except OSError as error:
        raise InputError(f"The alias {alias} cannot be written: {error.strerror}.") from error


def remove_alias(model: Path, alias: str) -> int:
    """Removes an alias; the version that it stood for stays.

    Args:
        model: The model's folder.
        alias: The alias; a damaged one can be removed as well.

    Returns:
        The version that it stood for, 0 if it was damaged.

    Raises:
        InputError: The model has no such alias, or it cannot be removed.
    """
    _existing(model, alias)
    try:
        with model_locked(model):
            file = _existing(model, alias)
            version = 0
            with contextlib.suppress(InputError):
                version = _read(file)
            file.unlink()
            _sweep(file.parent)
            with contextlib.suppress(OSError):
                file.parent.rmdir()
    except OSError as error:
        raise InputError(f"The alias {alias} cannot be removed: {error.strerror}.") from error
    return version


def _files(model: Path) -> Iterator[Path]:
    folder = model / _FOLDER
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return (each for each in found if is_name(each.name) and not each.is_dir())


def _existing(model: Path, alias: str) -> Path:
    files = {each.name: each for each in _files(model)}
    if alias in files:
        return files[alias]
    if not files:
        raise InputError(f"The model {model.name} has no aliases, so none named {alias!r}.")
    raise unknown_name(f"alias of {model.name}", alias, files)


def _require_version(model: Path, version: int) -> None:
    if version not in versions(model):
        raise InputError(f"The model {model.name} has no version {version}.")


def _sweep(folder: Path) -> None:
    """Removes hidden files, which a crash has left: who writes one holds the model's lock."""
    for each in folder.glob(".*"):
        each.unlink()


def _read(file: Path) -> int:
    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The alias {file} cannot be read; set it again.") from error
    if not text.isdecimal():
        raise InputError(f"The alias {file} is damaged; set it again.")
    return int(text)
