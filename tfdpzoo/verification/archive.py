"""Zip archives of a model's folder, from anywhere: unpacked safely, or refused.

A zip may try to write outside of the folder that it is unpacked into, to fill the disk, or to be
one thing to one program and something else to another. Whatever an honest archive of a SavedModel
has no need of is refused with its reason before anything is written.
"""

from __future__ import annotations

import contextlib
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tfdpzoo.errors import InputError
from tfdpzoo.version_folder import GRAPH_FILE, PRIVACY_FILE, find_version

_ENCRYPTED = 0x1
_BYTES_AT_ONCE = 1 << 20
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)
"""What Python's reader raises for archives that are damaged."""


@dataclass(frozen=True)
class ArchiveLimits:
    """How much an archive may hold.

    Attributes:
        entries: Files and folders.
        unpacked_bytes: Of all files together, unpacked.
    """

    entries: int = 10_000
    unpacked_bytes: int = 8 << 30


@contextlib.contextmanager
def unpacked(path: str | Path, limits: ArchiveLimits = ArchiveLimits()) -> Iterator[Path]:
    """Unpacks a zip into a temporary folder, which goes when the `with` block ends.

    Args:
        path: The archive: of a version's folder, of a model's folder, or of what lies in one.
        limits: How much it may hold.

    Yields:
        The version's folder; the newest one of a model's folder.

    Raises:
        InputError: The file is not a whole zip archive, one of its entries is refused, it holds too
            much or no SavedModel, or the disk is full.
    """
    path = Path(path)
    with tempfile.TemporaryDirectory(prefix="tfdpzoo-") as temporary:
        folder = Path(temporary)
        try:
            with zipfile.ZipFile(path) as archive:
                _require_harmless(path, archive.infolist(), limits)
                _extract(archive, folder, limits)
        except InputError:
            raise
        except OSError as error:
            raise InputError(f"{path} cannot be unpacked: {error.strerror or error}.") from error
        except _UNREADABLE as error:
            raise InputError(
                f"{path} is not a zip archive that can be read: it is of another kind, damaged or "
                "only a part of one."
            ) from error
        try:
            version = find_version(_model_folder(folder))
        except InputError as error:
            raise InputError(
                f"{path} holds neither a SavedModel ({GRAPH_FILE}) nor numbered versions of one."
            ) from error
        yield version


def _require_harmless(path: Path, entries: list[zipfile.ZipInfo], limits: ArchiveLimits) -> None:
    if len(entries) > limits.entries:
        raise InputError(
            f"{path} holds {len(entries):,} entries; at most {limits.entries:,} are unpacked."
        )
    total = sum(entry.file_size for entry in entries)
    if total > limits.unpacked_bytes:
        raise _too_large(path, limits)
    seen: set[str] = set()
    for entry in entries:
        reason = _harm(entry)
        name = entry.orig_filename.rstrip("/")
        if reason is None and name in seen:
            reason = "comes twice"
        if reason is not None:
            raise InputError(f"{path} is refused: its entry {_shown(entry)} {reason}.")
        seen.add(name)


def _harm(entry: zipfile.ZipInfo) -> str | None:
    """Says why an entry is not unpacked; None for one that is."""
    name = entry.orig_filename
    parts = name.removesuffix("/").split("/")
    if "\\" in name or "\0" in name:
        return "has a character in its name that no file of a model has"
    if name.startswith("/"):
        return "has an absolute path"
    if ".." in parts:
        return "leads out of the archive with '..'"
    if "" in parts or "." in parts:
        return "has no plain path"
    if entry.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "is compressed by a method other than deflate"
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or something else that is neither file nor folder"
    return None


def _extract(archive: zipfile.ZipFile, folder: Path, limits: ArchiveLimits) -> None:
    """Writes the entries, which are harmless; their sizes are counted and not believed."""
    left = limits.unpacked_bytes
    for entry in archive.infolist():
        destination = folder / entry.filename
        if entry.is_dir():
            destination.mkdir(parents=True, exist_ok=True)
            continue
        destination.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(entry) as stream, open(destination, "xb") as file:
            while block := stream.read(_BYTES_AT_ONCE):
                left -= len(block)
                if left < 0:
                    raise _too_large(Path(str(archive.filename)), limits)
                file.write(block)


def _model_folder(folder: Path) -> Path:
    """Passes over folders that hold nothing but one folder that is no version."""
    while not any((folder / name).exists() for name in (GRAPH_FILE, PRIVACY_FILE)):
        inner = list(folder.iterdir())
        if len(inner) != 1 or not inner[0].is_dir() or inner[0].name.isdecimal():
            break
        folder = inner[0]
    return folder


def _too_large(path: Path, limits: ArchiveLimits) -> InputError:
    return InputError(
        f"{path} is refused: unpacked it would take more than {limits.unpacked_bytes:,} bytes."
    )


def _shown(entry: zipfile.ZipInfo) -> str:
    name = entry.orig_filename
    return repr(name if len(name) <= 80 else name[:77] + "...")
