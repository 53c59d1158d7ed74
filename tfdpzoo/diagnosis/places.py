"""Checks of the folders that runs and models go to."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from tfdpzoo.diagnosis.finding import Finding, Status
from tfdpzoo.memory import memory_in_words

_NETWORK = ("nfs", "cifs", "smb", "9p", "v9fs", "drvfs", "fuse.sshfs", "vboxsf", "afs", "fuseblk")
_PROBLEM_BYTES = 500 * 10**6
_NOTE_BYTES = 5 * 10**9


def check_space(name: str, folder: Path, free: float) -> Finding:
    """Tells whether there is room for runs or models.

    Args:
        name: What goes there.
        folder: Where.
        free: Bytes.
    """
    text = f"{memory_in_words(free)} free for {folder}"
    if free < _PROBLEM_BYTES:
        return Finding(
            f"Space of {name}", Status.PROBLEM, text, "remove old runs, or give another folder"
        )
    if free < _NOTE_BYTES:
        return Finding(
            f"Space of {name}",
            Status.NOTE,
            f"{text}; a checkpoint of a large model takes 150 MB",
            "remove old runs, or give another folder",
        )
    return Finding(f"Space of {name}", Status.OK, text)


def check_file_system(name: str, folder: Path, kind: str | None) -> Finding:
    """Tells of file systems on which locks and flushes may not be kept.

    Args:
        name: What lies there.
        folder: Where.
        kind: The type of the file system; None where it is not known.
    """
    if kind is not None and kind.lower().startswith(_NETWORK):
        return Finding(
            f"File system of {name}",
            Status.NOTE,
            f"{folder} is on {kind}, which may lose what a run has flushed and let two processes "
            "into one run",
            "keep runs and models on a local disk; in WSL below ~ and not below /mnt",
        )
    return Finding(f"File system of {name}", Status.OK, kind or "not known")


def check_writing(name: str, folder: Path, failure: str | None) -> Finding:
    """Tells whether a folder can be written, flushed and locked.

    Args:
        name: What lies there.
        folder: Where.
        failure: What went wrong when that was tried; None if nothing did.
    """
    if failure is None:
        return Finding(f"Writing {name}", Status.OK, f"{folder} can be written, flushed and locked")
    return Finding(
        f"Writing {name}",
        Status.PROBLEM,
        f"{folder} cannot be used: {failure}",
        "give another folder, or take ownership of this one: sudo chown -R $USER FOLDER",
    )


def existing(folder: Path) -> Path:
    """Returns the folder, or the one in which it would be made."""
    path = folder.expanduser().absolute()
    return next(each for each in (path, *path.parents) if each.exists())


def try_writing(folder: Path) -> str | None:
    """Writes, flushes, locks and removes a small file; returns what went wrong, or None.

    Args:
        folder: A folder that exists.
    """
    import fcntl

    file = folder / f".tfdpzoo-doctor-{secrets.token_hex(8)}"
    try:
        with open(file, "xb") as stream:
            stream.write(b"tfdpzoo")
            stream.flush()
            os.fsync(stream.fileno())
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.strerror or str(error)
    finally:
        file.unlink(missing_ok=True)
    return None


def file_system_of(folder: Path, mounts: Iterable[tuple[str, str]]) -> str | None:
    """Returns the type of the file system that a folder lies on.

    Args:
        folder: A folder that exists.
        mounts: Where file systems are mounted, and their types.

    Example:
        >>> file_system_of(Path("/mnt/c/x"), [("/", "ext4"), ("/mnt/c", "9p")])
        '9p'
    """
    path = folder.resolve()
    above = {str(each) for each in (path, *path.parents)}
    found = [(len(mount), kind) for mount, kind in mounts if mount in above]
    # What was mounted last is on top.
    return max(enumerate(found), key=lambda each: (each[1][0], each[0]))[1][1] if found else None
