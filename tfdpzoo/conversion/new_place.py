"""Files and folders that appear as a whole or not at all, and never in the place of another."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tfdpzoo.errors import InputError
from tfdpzoo.version_folder import check_destination

_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS)


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """Gives a hidden place beside `path` whose file or folder gets that name if all goes well.

    Otherwise nothing is left, not even parents that were missing before.

    Args:
        path: Where it is to appear. Missing parents are made.

    Yields:
        The place to write to, of the same ending.

    Raises:
        InputError: There is something at `path`, or it cannot be written.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "new" / "model.onnx"
        >>> with appearing(path) as place:
        ...     count = place.write_bytes(b"a model")
        >>> path.read_bytes()
        b'a model'
    """
    check_destination(path)
    path = path.absolute()
    created = [parent for parent in path.parents if not parent.exists()]
    place = path.parent / f".{secrets.token_hex(8)}.part{path.suffix}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield place
        _flush(place)
        _give_name(place, path)
    except BaseException as error:
        _remove(place)
        for parent in created:
            with suppress(OSError):
                parent.rmdir()
        if isinstance(error, FileExistsError):
            raise InputError(f"{path} exists already and is never overwritten.") from error
        if isinstance(error, OSError):
            # Libraries that write files raise some without the system's words.
            reason = error.strerror or str(error)
            raise InputError(f"{path} cannot be written: {reason}.") from error
        raise


def _give_name(place: Path, path: Path) -> None:
    """A folder cannot take the place of one that holds something; a file's link takes none."""
    if place.is_dir():
        os.rename(place, path)
        return
    try:
        os.link(place, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # The file system has no links: only a file that appears in this very moment is lost.
        check_destination(path)
        os.rename(place, path)
    else:
        place.unlink()


def _flush(place: Path) -> None:
    files = [each for each in place.rglob("*") if each.is_file()] if place.is_dir() else [place]
    for file in files:
        with open(file, "rb") as stream:
            os.fsync(stream.fileno())


def _remove(place: Path) -> None:
    if place.is_dir():
        shutil.rmtree(place, ignore_errors=True)
    else:
        with suppress(OSError):
            place.unlink()
