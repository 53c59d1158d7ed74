"""How a version is written: in a hidden folder, and then it appears as a whole or not at all.

A model's folder may be used by many processes, which may die at any moment:

    NAME/.versions/lock                     held for the moment in which numbers are given or taken
    NAME/.versions/unfinished/RANDOM/       what a process is writing
    NAME/.versions/unfinished/RANDOM.lock   held by that process as long as it lives
    NAME/.versions/removed/NUMBER           see `tfdpzoo.version_number`

The locks are the operating system's (`flock`), which a dying process gives back. Whoever comes next
removes what belongs to no living process. What is empty is removed, so that a model at rest has no
hidden folder unless versions of it were removed.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from tfdpzoo.durable_file import flush_folder
from tfdpzoo.version_number import HIDDEN, VersionTakenError, next_version, was_removed

_LOCK = "lock"
_UNFINISHED = "unfinished"
_LOCK_ENDING = ".lock"
_MOST_ATTEMPTS = 1_000

_AT_WORKING_FOLDER = -100
_NO_REPLACE = 1
_RENAME_IS_UNKNOWN = (errno.ENOSYS, errno.EINVAL)


@contextlib.contextmanager
def model_locked(model: Path) -> Iterator[None]:
    """Holds the lock of a model inside the `with` block, after waiting for it.

    One thread must not hold it twice: it would wait for itself.

    Args:
        model: The model's folder; made if it is missing.

    Raises:
        OSError: The folder cannot be made or written to.
    """
    hidden = model / HIDDEN
    descriptor = _acquired(hidden)
    try:
        yield
    finally:
        _tidy(hidden)
        os.close(descriptor)


@contextlib.contextmanager
def staged(model: Path) -> Iterator[Path]:
    """Gives a new hidden folder in a model's folder, which is gone when the `with` block ends.

    `publish` makes a version of it before that. Leftovers of processes that died are removed.

    Args:
        model: The model's folder; made if it is missing, and removed if it stays empty.

    Raises:
        OSError: The folder cannot be made or written to.
    """
    model = model.absolute()
    created = [each for each in (model, *model.parents) if not each.exists()]
    folder = model / HIDDEN / _UNFINISHED / secrets.token_hex(8)
    try:
        with _kept_from_others(folder):
            yield folder
    finally:
        for each in created:
            with contextlib.suppress(OSError):
                each.rmdir()


def publish(folder: Path, path: Path) -> None:
    """Turns a finished folder into a version, durably and at once.

    Args:
        folder: From `staged` of the same model, with all its files.
        path: The version's folder, which must not exist and must never have existed.

    Raises:
        VersionTakenError: The number is taken; the folder is as it was.
        OSError: The disk is full, or the folder cannot be written to.
    """
    _flush_all(folder)
    with model_locked(path.parent):
        if was_removed(path):
            raise _taken(path)
        try:
            rename_without_replacing(folder, path)
        except FileExistsError as error:
            raise _taken(path) from error
        _flush_place(path)


def publish_next(folder: Path, model: Path) -> Path:
    """Turns a finished folder into the next version of a model, durably and at once.

    Args:
        folder: From `staged` of the same model, with all its files.
        model: The model's folder.

    Returns:
        The version's folder.

    Raises:
        OSError: The disk is full, or the folder cannot be written to.
    """
    _flush_all(folder)
    with model_locked(model):
        for _ in range(_MOST_ATTEMPTS):
            path = model / str(next_version(model))
            # Only what does not know the lock can take the number now.
            with contextlib.suppress(FileExistsError):
                rename_without_replacing(folder, path)
                _flush_place(path)
                return path
    raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(model))


def rename_without_replacing(source: Path, target: Path) -> None:
    """Renames a folder to a name that must be free; `os.rename` would replace an empty folder.

    On a file system that cannot do this at once, a folder that somebody makes in the very moment
    between looking and renaming, and leaves empty, is replaced.

    Raises:
        FileExistsError: The name is taken.
        OSError: The folder cannot be renamed.
    """
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is not None:
        names = os.fsencode(source), os.fsencode(target)
        if not renameat2(_AT_WORKING_FOLDER, names[0], _AT_WORKING_FOLDER, names[1], _NO_REPLACE):
            return
        number = ctypes.get_errno()
        if number not in _RENAME_IS_UNKNOWN:
            raise OSError(number, os.strerror(number), str(source), None, str(target))
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    os.rename(source, target)


def _acquired(hidden: Path) -> int:
    """Waits for the lock; the file may be tidied away meanwhile and another take its place."""
    path = hidden / _LOCK
    for _ in range(_MOST_ATTEMPTS):
        try:
            hidden.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except (FileNotFoundError, FileExistsError):
            # It was tidied away in between; unless something else is in its place.
            if os.path.lexists(hidden) and not hidden.is_dir():
                raise
            continue
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                return descriptor
        os.close(descriptor)
    raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(hidden))


def _tidy(hidden: Path) -> None:
    """Removes what is empty, the lock itself last; the model's lock must be held."""
    with contextlib.suppress(OSError):
        (hidden / _UNFINISHED).rmdir()
    if os.listdir(hidden) == [_LOCK]:
        (hidden / _LOCK).unlink()
        # Another process may have put its own lock there in this moment.
        with contextlib.suppress(OSError):
            hidden.rmdir()


@contextlib.contextmanager
def _kept_from_others(folder: Path) -> Iterator[None]:
    """Makes a folder that nobody sweeps away as long as this process lives, and removes it."""
    model = folder.parents[2]
    lock = folder.with_name(folder.name + _LOCK_ENDING)
    with contextlib.ExitStack() as stack:
        with model_locked(model):
            folder.parent.mkdir(exist_ok=True)
            _sweep(folder.parent)
            # The lock before the folder: a folder without one belongs to nobody.
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            stack.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            stack.callback(_discard, model, folder, lock)
            folder.mkdir()
        yield


def _discard(model: Path, folder: Path, lock: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    with model_locked(model):
        lock.unlink(missing_ok=True)


def _sweep(unfinished: Path) -> None:
    """Removes what belongs to no living process; the model's lock must be held."""
    for name in {each.name.removesuffix(_LOCK_ENDING) for each in unfinished.iterdir()}:
        lock = unfinished / (name + _LOCK_ENDING)
        if not _held(lock):
            shutil.rmtree(unfinished / name, ignore_errors=True)
            lock.unlink(missing_ok=True)


def _held(lock: Path) -> bool:
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _flush_all(folder: Path) -> None:
    for where, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(where, name), "rb") as stream:
                os.fsync(stream.fileno())
        flush_folder(Path(where))


def _flush_place(path: Path) -> None:
    """The name of the version, and that of its model, which may be new."""
    flush_folder(path.parent)
    # Folders further up may belong to somebody else, who lets nobody read them.
    with contextlib.suppress(PermissionError):
        flush_folder(path.absolute().parent.parent)


def _taken(path: Path) -> VersionTakenError:
    return VersionTakenError(
        f"{path} exists already or was removed, and a version is never replaced; the next free "
        f"version is {next_version(path.parent)}."
    )
