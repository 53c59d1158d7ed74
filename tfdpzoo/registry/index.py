"""The index: the facts of every registered version, derived from the folders.

The folders are the truth. So that a thousand versions are listed in about a second, their facts are
kept in the file `index.json` of the registry. It is a cache: facts are taken from it only while the
files that they were read from have the size and the times of then, and without it nothing is lost
but time. `show`, `compare` and `verify` never look into it.

The file is a JSON object with `format`, `about` and `versions`, which maps `NAME/VERSION` to

    stamp    size, time of change and time of status change, in nanoseconds, of the version's
             privacy.json and model.json; null for a file that is not there
    facts    the fields of `tfdpzoo.registry.version_facts.VersionFacts`

Versions that cannot be read are not in it.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfdpzoo.durable_file import replace_among_others
from tfdpzoo.errors import InputError
from tfdpzoo.foreign_text import printable
from tfdpzoo.privacy import strict_json
from tfdpzoo.registry.aliases import read_aliases
from tfdpzoo.registry.location import SAVED_MODELS, model_names
from tfdpzoo.registry.version_facts import VersionFacts
from tfdpzoo.version_number import versions

INDEX_FILE = "index.json"

_FORMAT = "tfdpzoo index 1"
_ABOUT = "A cache of what the versions' own files say; tfdpzoo writes it anew where it is missing."
_READ_FILES = ("assets.extra/privacy.json", "assets.extra/model.json")


@dataclass(frozen=True)
class RegisteredVersion:
    """A version in the registry.

    Attributes:
        name: The model's name.
        version: The version's number.
        path: The version's folder.
        aliases: The names that the version goes by.
        facts: What its files say; None where they cannot be read.
        problem: Why they cannot be read; None where they can.
    """

    name: str
    version: int
    path: Path
    aliases: tuple[str, ...]
    facts: VersionFacts | None
    problem: str | None

    @property
    def reference(self) -> str:
        """How the version is named: `NAME:VERSION`."""
        return f"{self.name}:{self.version}"


def registered_versions(models: Path = SAVED_MODELS) -> list[RegisteredVersion]:
    """Returns all versions in a registry, by name and number.

    A version that cannot be read is there with the reason and hides no other.

    Args:
        models: The registry's folder; it need not exist.
    """
    cached = _read_cache(models / INDEX_FILE)
    kept: dict[str, _Entry] = {}
    found = []
    for name in model_names(models):
        aliases, problem = _aliases(models / name)
        for number, path in sorted(versions(models / name).items()):
            entry = _entry(path, cached.get(f"{name}/{number}"))
            if entry.facts is not None:
                kept[f"{name}/{number}"] = entry
            found.append(
                RegisteredVersion(
                    name=name,
                    version=number,
                    path=path,
                    aliases=tuple(sorted(each for each, its in aliases.items() if its == number)),
                    facts=entry.facts,
                    problem=entry.problem or problem,
                )
            )
    if kept != cached:
        _write_cache(models / INDEX_FILE, kept)
    return found


def registered_version(path: Path) -> RegisteredVersion:
    """Returns one version, read anew from its own files.

    Args:
        path: The version's folder, in a registry or elsewhere.

    Raises:
        InputError: Its files or its model's aliases cannot be read.
    """
    facts = VersionFacts.read(path)
    place = path.absolute()
    version = int(place.name) if place.name.isdecimal() else 0
    aliases = read_aliases(place.parent) if version else {}
    mine = tuple(alias for alias, number in aliases.items() if number == version)
    return RegisteredVersion(place.parent.name, version, path, mine, facts, None)


@dataclass(frozen=True)
class _Entry:
    """What is known of a version, and the stamp of the files that it was read from."""

    stamp: list[Any]
    facts: VersionFacts | None
    problem: str | None = None


def _entry(path: Path, cached: _Entry | None) -> _Entry:
    stamp = [_stamp(path / name) for name in _READ_FILES]
    if cached is not None and cached.stamp == stamp:
        return cached
    try:
        return _Entry(stamp, VersionFacts.read(path))
    except InputError as error:
        return _Entry(stamp, None, printable(str(error)))


def _stamp(file: Path) -> list[int] | None:
    try:
        found = os.stat(file)
    except OSError:
        return None
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns]


def _aliases(model: Path) -> tuple[Mapping[str, int], str | None]:
    try:
        return read_aliases(model), None
    except InputError as error:
        return {}, str(error)


def _read_cache(file: Path) -> dict[str, _Entry]:
    """Whatever is wrong with the file: it is as if it were not there."""
    try:
        content = json.loads(file.read_bytes())
        if content["format"] != _FORMAT:
            return {}
        return dict(_entries(content["versions"]))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return {}


def _entries(table: Mapping[str, Any]) -> Iterator[tuple[str, _Entry]]:
    for name, each in table.items():
        yield name, _Entry(each["stamp"], strict_json.decode(VersionFacts, each["facts"]))


def _write_cache(file: Path, entries: Mapping[str, _Entry]) -> None:
    table = {
        name: {"stamp": entry.stamp, "facts": strict_json.encode(entry.facts)}
        for name, entry in entries.items()
    }
    text = json.dumps({"format": _FORMAT, "about": _ABOUT, "versions": table}, indent=1)
    # A registry that may only be read is listed all the same, more slowly.
    with contextlib.suppress(OSError):
        replace_among_others(file, f"{text}\n".encode())
