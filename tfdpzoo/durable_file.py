"""Files that are replaced as a whole: after a crash there is the old one or the new one."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

UNFINISHED = ".new"
"""The ending of a file that is being written; one that is found was left by a crash."""


@contextmanager
def replacing(path: str | Path) -> Iterator[BinaryIO]:
    """Opens a stream whose content takes the place of a file when the `with` block ends.

    The content is on the disk before it gets the name, and the name is on the disk when this
    returns. Where the block or the disk fails, the file stays as it was and nothing is left over.

    Args:
        path: The file; it need not exist. Only its owner may read it.

    Raises:
        OSError: The disk is full, or the folder cannot be written to.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "ledger"
        >>> with replacing(path) as stream:
        ...     count = stream.write(b"one update")
        >>> path.read_bytes()
        b'one update'
    """
    path = Path(path)
    with _replacing(path, path.with_name(path.name + UNFINISHED), mode=0o600) as stream:
        yield stream


def replace_durably(path: str | Path, content: bytes) -> None:
    """Writes a whole file as `replacing` does.

    Raises:
        OSError: The disk is full, or the folder cannot be written to.
    """
    with replacing(path) as stream:
        stream.write(content)


def replace_among_others(path: str | Path, content: bytes) -> None:
    """Writes a whole file that many processes may write at once, and that everybody may read.

    Each of them writes a hidden file of its own, which a crash leaves behind; the last one to end
    has its content in the file. A secret must not be written so.

    Raises:
        OSError: The disk is full, or the folder cannot be written to.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}{UNFINISHED}")
    with _replacing(path, temporary, mode=0o666) as stream:
        stream.write(content)


@contextmanager
def _replacing(path: Path, temporary: Path, mode: int) -> Iterator[BinaryIO]:
    def opened(name: str, flags: int) -> int:
        return os.open(name, flags, mode=mode)

    try:
        with open(temporary, "wb", opener=opened) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.rename(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    flush_folder(path.parent)


def flush_folder(folder: Path) -> None:
    """Makes the names in a folder durable.

    Raises:
        OSError: The folder cannot be read, or the disk fails.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
