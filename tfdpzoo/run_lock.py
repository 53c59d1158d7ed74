"""The lock of a run: one process at a time trains in it."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tfdpzoo.errors import InputError


@contextmanager
def locked(path: str | Path) -> Iterator[None]:
    """Holds a run's lock inside the `with` block; a process that dies gives it back.

    Args:
        path: The file that stands for the lock; it is made, and stays.

    Raises:
        InputError: Another process holds it.
    """
    path = Path(path)
    with open(path, "ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(
                f"Another process is training in {path.parent}; wait until it has ended, or stop "
                "it."
            ) from error
        yield
