"""The models of the gallery: every version in the registry, also those that cannot be shown."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tfdpzoo.cards.context import Card, NotesOf, read_card
from tfdpzoo.errors import InputError
from tfdpzoo.foreign_text import printable

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_VERSION = re.compile(r"[0-9]+")
_DIGEST_DIGITS = 8


@dataclass(frozen=True)
class RegisteredVersion:
    """A version in the registry.

    Attributes:
        folder: Where it lies, `NAME/VERSION`.
    """

    folder: Path

    @property
    def name(self) -> str:
        """The model's name, which may hold any characters."""
        return printable(self.folder.parent.name)

    @property
    def version(self) -> int:
        """The number of the version."""
        return int(self.folder.name)

    @property
    def page(self) -> str:
        """The name of its page: only letters, digits, dots, hyphens and underscores.

        Example:
            >>> RegisteredVersion(Path("digits/1")).page
            'digits-1.html'
        """
        name = self.folder.parent.name
        safe = _UNSAFE.sub("_", name)
        if safe != name:
            digest = hashlib.sha256(os.fsencode(name)).hexdigest()
            safe = f"{safe}.{digest[:_DIGEST_DIGITS]}"
        return f"{safe}-{self.folder.name}.html"


@dataclass(frozen=True)
class GalleryModel:
    """A version as the gallery shows it.

    Attributes:
        registered: Which version.
        card: Its facts; None where they cannot be read or were altered.
        problem: Why there is no card; empty where there is one.
    """

    registered: RegisteredVersion
    card: Card | None
    problem: str = ""


def registered_versions(models: Path) -> Iterator[RegisteredVersion]:
    """Walks the registry: `NAME/VERSION` with VERSION a whole number, in order.

    Args:
        models: The registry's folder.

    Raises:
        InputError: There is no such folder.
    """
    if not models.is_dir():
        raise InputError(f"There is no folder {models}; give --models the folder of the models.")
    try:
        yield from map(RegisteredVersion, _version_folders(models))
    except OSError as error:
        raise InputError(f"{error.filename} cannot be read: {error.strerror}.") from error


def _version_folders(models: Path) -> Iterator[Path]:
    for model in sorted(each for each in models.iterdir() if each.is_dir()):
        if model.name.startswith("."):
            continue
        versions = [
            each for each in model.iterdir() if _VERSION.fullmatch(each.name) and each.is_dir()
        ]
        yield from sorted(versions, key=lambda each: (int(each.name), each.name))


def read_model(registered: RegisteredVersion, notes_of: NotesOf | None) -> GalleryModel:
    """Reads and verifies a version; what is wrong with it is kept and not raised.

    Args:
        registered: The version.
        notes_of: Finds what is written of an architecture.
    """
    try:
        return GalleryModel(registered, read_card(registered.folder, notes_of))
    except InputError as error:
        return GalleryModel(registered, None, _without_folders(str(error), registered))


def _without_folders(problem: str, registered: RegisteredVersion) -> str:
    """The site may be published; where the models lie on a disk is nobody's business."""
    title = f"{registered.folder.parent.name}:{registered.version}"
    problem = problem.replace(str(registered.folder), title)
    return printable(problem.replace(f"{registered.folder.parent.parent}{os.sep}", ""))
