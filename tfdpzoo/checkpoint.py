"""Checkpoints: everything that a run needs to go on as if it had never stopped.

A checkpoint is one file, named after the update that comes next: a line with a digest of all that
follows, a line of JSON, and the arrays in NumPy's `.npz` format. It is written as a whole or not at
all, and no byte of it is looked at before the digest is checked. Nothing in it is released: weights
alone have a guarantee, and optimizers keep more than weights.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tfdpzoo.durable_file import UNFINISHED, replace_durably
from tfdpzoo.errors import InputError

_FORMAT = "tfdpzoo checkpoint 1"
_ENDING = ".checkpoint"


class DamagedCheckpointError(InputError):
    """A file is not the checkpoint that was written."""


@dataclasses.dataclass(frozen=True)
class Facts:
    """What is known of a checkpoint beside its arrays.

    Attributes:
        run: Which run it is of.
        update: The number of the update that comes next.
        seconds: How long the run had trained.
        chunk: How many examples were differentiated at once.
        jit_compile: Whether XLA compiled the gradients.
    """

    run: str
    update: int
    seconds: float
    chunk: int
    jit_compile: bool


@dataclasses.dataclass(frozen=True, eq=False)
class Checkpoint:
    """The state of a run between two updates.

    Attributes:
        facts: What is known of it.
        state: The variables of model and optimizer, by name.
    """

    facts: Facts
    state: Mapping[str, np.ndarray]


class CheckpointFolder:
    """The last checkpoints of one run.

    Args:
        path: The folder, made when the first checkpoint is written.
        run: The run's identity; checkpoints of another are refused.
        kept: How many stay when a newer one is written, at least 1.

    Raises:
        InputError: `kept` is not a whole number above 0.

    Example:
        >>> import tempfile
        >>> folder = CheckpointFolder(tempfile.mkdtemp(), run="a", kept=1)
        >>> for update in (10, 20):
        ...     facts = Facts("a", update, 1.0, chunk=64, jit_compile=False)
        ...     path = folder.write(Checkpoint(facts, {"kernel": np.ones(2)}))
        >>> folder.updates(), folder.read(20).state["kernel"]
        ([20], array([1., 1.]))
    """

    def __init__(self, path: str | Path, run: str, kept: int = 2) -> None:
        if isinstance(kept, bool) or not isinstance(kept, int) or kept < 1:
            raise InputError(f"{kept!r} checkpoints cannot be kept; keep at least 1.")
        self.path = Path(path)
        self.run = run
        self.kept = kept

    def updates(self) -> list[int]:
        """Returns the numbers of the updates that come after the checkpoints, the newest last."""
        names = [each.stem for each in self.path.glob(f"*{_ENDING}")]
        return sorted(int(name) for name in names if name.isdecimal())

    def write(self, checkpoint: Checkpoint) -> Path:
        """Writes a checkpoint, which is on the disk when this returns, and removes the oldest.

        Returns:
            Its file.

        Raises:
            InputError: It cannot be written; those that were there before still are.
        """
        path = self._file(checkpoint.facts.update)
        try:
            self.path.mkdir(mode=0o700, exist_ok=True)
            replace_durably(path, _serialize(checkpoint))
        except OSError as error:
            raise InputError(self._not_written(error)) from error
        self._remove_oldest()
        return path

    def read(self, update: int) -> Checkpoint:
        """Reads the checkpoint before an update.

        Raises:
            DamagedCheckpointError: The file is not what was written.
            InputError: It is of another run.
        """
        path = self._file(update)
        checkpoint = _read(path)
        if checkpoint.facts.run != self.run:
            raise InputError(
                f"The checkpoint {path} is of another run; put back the files of this one."
            )
        return checkpoint

    def remove_all_but_the_newest(self) -> None:
        """Leaves the last checkpoint alone, for a run that has ended."""
        self._remove(self.updates()[:-1])

    def _file(self, update: int) -> Path:
        return self.path / f"{update:09d}{_ENDING}"

    def _remove_oldest(self) -> None:
        self._remove(self.updates()[: -self.kept])

    def _remove(self, updates: list[int]) -> None:
        for unfinished in self.path.glob(f"*{UNFINISHED}"):
            unfinished.unlink(missing_ok=True)
        for update in updates:
            self._file(update).unlink(missing_ok=True)

    def _not_written(self, error: OSError) -> str:
        there = self.updates() if self.path.is_dir() else []
        kept = f"the one of update {there[-1]} is still there" if there else "there is none yet"
        return (
            f"No checkpoint can be written to {self.path} ({error.strerror}); {kept}. Make room, "
            "then go on with --resume."
        )


def _serialize(checkpoint: Checkpoint) -> bytes:
    content = io.BytesIO()
    content.write(json.dumps(dataclasses.asdict(checkpoint.facts)).encode() + b"\n")
    np.savez(content, **checkpoint.state)
    return _first_line(content.getvalue()) + content.getvalue()


def _first_line(content: bytes) -> bytes:
    return f"{_FORMAT} {hashlib.sha256(content).hexdigest()}\n".encode()


def _read(path: Path) -> Checkpoint:
    try:
        with open(path, "rb") as file:
            first_line, content = file.readline(), file.read()
    except OSError as error:
        raise InputError(f"The checkpoint {path} cannot be read: {error.strerror}.") from error
    if first_line != _first_line(content):
        raise DamagedCheckpointError(f"The checkpoint {path} is damaged or was altered.")
    facts, _, arrays = content.partition(b"\n")
    with np.load(io.BytesIO(arrays), allow_pickle=False) as archive:
        return Checkpoint(Facts(**json.loads(facts)), dict(archive))
