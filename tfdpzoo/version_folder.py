"""The folder of one exported version: where it may be written, what lies in it, what binds it.

The layout is TensorFlow Serving's, `NAME/VERSION/`, with VERSION a whole number:

    saved_model.pb, fingerprint.pb, variables/    the SavedModel
    assets.extra/privacy.json                     the privacy record and the digest of every file
    assets.extra/classes.json                     the class names, where they are known
    assets.extra/model.json                       the network and its training, for people
    assets.extra/privacy.sig.json                 a signature of privacy.json, where it was signed

Digests bind the record to the model. The record itself (in `privacy.json` and in the graph) holds
the digest of the released weights; `privacy.json` adds a block `files` with the SHA-256 digest of
every other file, which the graph cannot hold because it is one of them. Digests find alterations;
they do not tell who wrote a record. A signature does, and is made of privacy.json afterwards: so it
has no digest there.

This module imports no TensorFlow.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tfdpzoo.errors import InputError, require_utf8
from tfdpzoo.privacy import strict_json
from tfdpzoo.privacy.guarantee import PrivacyGuarantee
from tfdpzoo.version_number import (
    VersionTakenError,
    free_version,
    next_version,
    versions,
    was_removed,
)

GRAPH_FILE = "saved_model.pb"
VARIABLES = "variables/variables"
PRIVACY_FILE = "assets.extra/privacy.json"
SIGNATURE_FILE = "assets.extra/privacy.sig.json"
CLASSES_FILE = "assets.extra/classes.json"

_READ_BYTES = 1 << 20

__all__ = [
    "CLASSES_FILE",
    "GRAPH_FILE",
    "PRIVACY_FILE",
    "SIGNATURE_FILE",
    "VARIABLES",
    "PrivacyFile",
    "check_destination",
    "file_digests",
    "find_version",
    "free_version",
    "next_version",
    "privacy_file_text",
    "read_privacy_file",
    "weights_digest",
    "write_privacy_file",
]


def check_destination(path: str | Path) -> None:
    """Checks that a version can be written to `path`, before the work that leads to it.

    Raises:
        InputError: The path exists or is no UTF-8, or its folder cannot be made or written to.
    """
    path = Path(path)
    require_utf8("The path to write to", str(path))
    advice = "choose another path"
    if path.name.isdecimal():
        advice = f"the next free version is {next_version(path.parent)}"
    if os.path.lexists(path):
        raise VersionTakenError(f"{path} exists already and is never overwritten; {advice}.")
    if was_removed(path):
        raise VersionTakenError(f"{path} was removed and its number is not used again; {advice}.")
    existing = next(parent for parent in path.absolute().parents if os.path.lexists(parent))
    probe = existing / f".{secrets.token_hex(8)}.part"
    try:
        probe.mkdir()
        probe.rmdir()
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: the folder {existing} refuses it ({error.strerror})."
        ) from error


def find_version(path: str | Path) -> Path:
    """Returns the version's folder that `path` means: itself, or a model's newest version.

    Raises:
        InputError: There is no SavedModel of tfdpzoo at `path`.
    """
    path = Path(path)
    if not os.path.isdir(path):
        raise InputError(
            f"There is no folder {path}; give a model's folder or one of its versions."
        )
    if any((path / name).exists() for name in (GRAPH_FILE, PRIVACY_FILE)):
        return path
    found = versions(path)
    if not found:
        raise InputError(
            f"{path} holds neither a SavedModel ({GRAPH_FILE}) nor numbered versions of one."
        )
    return found[max(found)]


def weights_digest(weights: Iterable[tuple[str, np.ndarray]]) -> str:
    """Returns the SHA-256 digest of named arrays, in order.

    For every array the digest takes in one line of JSON, `[name, type, shape]`, a line feed, and
    the values in little-endian row-major order.

    Example:
        >>> weights_digest([("kernel", np.zeros([2], np.float32))])[:12]
        '1087afb114be'
    """
    digest = hashlib.sha256()
    for name, values in weights:
        header = json.dumps([name, str(values.dtype), list(values.shape)])
        digest.update(header.encode() + b"\n")
        digest.update(_little_endian(values).tobytes())
    return digest.hexdigest()


def file_digests(folder: Path) -> dict[str, str]:
    """Returns the SHA-256 digest of every file below `folder`, by its path.

    But of privacy.json, which is to hold them, and of its signature.

    Raises:
        OSError: A file cannot be read, or something is neither a file nor a folder.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name in (PRIVACY_FILE, SIGNATURE_FILE) or (path.is_dir() and not path.is_symlink()):
            continue
        if not path.is_file():
            raise OSError(errno.EINVAL, "it is not a regular file", name)
        found[name] = _file_digest(path)
    return found


def write_privacy_file(folder: Path, guarantee: PrivacyGuarantee) -> None:
    """Writes privacy.json; every other file must be in the folder already."""
    path = folder / PRIVACY_FILE
    path.parent.mkdir(exist_ok=True)
    path.write_text(privacy_file_text(guarantee, file_digests(folder)))


@dataclass(frozen=True)
class PrivacyFile:
    """What privacy.json holds.

    Attributes:
        guarantee: The record.
        fields: The same as it is written, with the sentence as it is written.
        files: The digest of every file by its path.
        content: The bytes of the file, which a signature is made of.
        canonical: Whether the text is, byte for byte, what `write_privacy_file` writes for these.
    """

    guarantee: PrivacyGuarantee
    fields: Mapping[str, Any]
    files: Mapping[str, str]
    content: bytes
    canonical: bool


def read_privacy_file(folder: Path) -> PrivacyFile:
    """Reads privacy.json, which may have been altered in any way.

    Raises:
        InputError: The file is missing, or its fields are not those of a privacy record.
    """
    path = folder / PRIVACY_FILE
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(
            f"There is no {PRIVACY_FILE}: this SavedModel was not written by tfdpzoo, or its "
            "privacy record was taken away, so that nothing is claimed for it."
        ) from error
    except OSError as error:
        raise InputError(f"{PRIVACY_FILE} cannot be read: {error.strerror}.") from error
    fields = strict_json.from_text(content)
    files = fields.pop("files", None) if isinstance(fields, dict) else None
    if not isinstance(files, dict) or not all(isinstance(each, str) for each in files.values()):
        raise InputError(f"{PRIVACY_FILE} lacks the digests of the model's files.")
    guarantee = PrivacyGuarantee.from_fields(fields)
    canonical = privacy_file_text(guarantee, files).encode() == content
    return PrivacyFile(guarantee, fields, files, content, canonical)


def privacy_file_text(guarantee: PrivacyGuarantee, files: Mapping[str, str]) -> str:
    """Returns the text of privacy.json."""
    fields = {**guarantee.to_fields(), "files": {name: files[name] for name in sorted(files)}}
    return strict_json.to_text(fields) + "\n"


def _little_endian(values: np.ndarray) -> np.ndarray:
    swapped = values.dtype.byteorder == ">"
    return np.ascontiguousarray(values.byteswap() if swapped else values)


def _file_digest(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(_READ_BYTES):
            digest.update(block)
    return digest.hexdigest()
