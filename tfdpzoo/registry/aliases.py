"""Aliases: names that a model's versions go by, such as `champion`.

Each is a file of its own, `NAME/.aliases/ALIAS`, that holds the version's number, so that setting
one is atomic and never touches another. TensorFlow Serving passes over the folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tfdpzoo.durable_file import replace_durably
from tfdpzoo.errors import InputError, unknown_name
from tfdpzoo.registry.reference import require_name

_FOLDER = ".aliases"


def read_aliases(model: Path) -> Mapping[str, int]:
    """Returns the aliases of a model and their versions, in alphabetical order.

    Args:
        model: The model's folder.

    Raises:
        InputError: An alias is damaged or cannot be read.
    """
    folder = model / _FOLDER
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    return {each.name: _read(each) for each in files if not each.name.startswith(".")}


def aliased_version(model: Path, alias: str) -> int:
    """Returns the version that an alias stands for.

    Args:
        model: The model's folder.
        alias: The alias.

    Raises:
        InputError: The model has no such alias.
    """
    aliases = read_aliases(model)
    if alias not in aliases:
        if not aliases:
            raise InputError(f"The model {model.name} has no aliases.")
        raise unknown_name(f"alias of {model.name}", alias, aliases)
    return aliases[alias]


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
    if not (model / str(version)).is_dir():
        raise InputError(f"The model {model.name} has no version {version}.")
    try:
        (model / _FOLDER).mkdir(exist_ok=True)
        replace_durably(model / _FOLDER / alias, f"{version}\n".encode())
    except OSError as error:
        raise InputError(f"The alias {alias} cannot be written: {error.strerror}.") from error


def remove_alias(model: Path, alias: str) -> None:
    """Removes an alias; the version that it stood for stays.

    Args:
        model: The model's folder.
        alias: The alias.

    Raises:
        InputError: The model has no such alias, or it cannot be removed.
    """
    aliased_version(model, alias)
    try:
        (model / _FOLDER / alias).unlink()
    except OSError as error:
        raise InputError(f"The alias {alias} cannot be removed: {error.strerror}.") from error


def _read(file: Path) -> int:
    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The alias {file} cannot be read; set it again.") from error
    if not text.isdecimal():
        raise InputError(f"The alias {file} is damaged; set it again.")
    return int(text)
