"""Files that are replaced as a whole: after a crash there is the old one or the new one."""

from __future__ import annotations

import os
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
    temporary = path.with_name(path.name + UNFINISHED)
    try:
        with open(temporary, "wb", opener=_opened_for_the_owner) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.rename(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    _flush_folder(path.parent)


def replace_durably(path: str | Path, content: bytes) -> None:
    """Writes a whole file as `replacing` does.

    Raises:
        OSError: The disk is full, or the folder cannot be written to.
    """
    with replacing(path) as stream:
        stream.write(content)


def _opened_for_the_owner(path: str, flags: int) -> int:
    return os.open(path, flags, mode=0o600)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
