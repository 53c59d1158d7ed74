"""The ledger: which private updates were executed, on disk before the weights they produced are.

Epsilon is computed from the ledger and never from what was planned. The order at every update is:
record it here, wait until the record is durable, then apply the update to the weights. A process
that is killed in between has counted an update that was not applied, which overstates epsilon; the
other order could understate it.

The file is small (equal neighbours are one segment) and is replaced as a whole: after a power
failure it holds either the record before the update or the one after it.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import dp_accounting

from tfdpzoo.durable_file import replace_durably
from tfdpzoo.errors import InputError
from tfdpzoo.privacy.accounting import poisson_gaussian_event

_FORMAT = "tfdpzoo ledger 1"


@dataclass(frozen=True)
class Segment:
    """Consecutive updates that were made with the same noise and the same sampling.

    Args:
        noise_multiplier: Sigma, the noise's standard deviation divided by the clipping norm; 0 or
            more, where 0 stands for an update without noise, whose epsilon is infinite.
        sampling_rate: q, the probability with which each example took part; above 0, at most 1.
        updates: How many updates, at least 1.

    Raises:
        InputError: A number is outside its range.
    """

    noise_multiplier: float
    sampling_rate: float
    updates: int

    def __post_init__(self) -> None:
        if not (_is_real(self.noise_multiplier) and 0 <= self.noise_multiplier < math.inf):
            raise InputError(
                f"A noise multiplier must be a finite number of 0 or more, "
                f"not {self.noise_multiplier!r}."
            )
        if not (_is_real(self.sampling_rate) and 0 < self.sampling_rate <= 1):
            raise InputError(
                f"A sampling rate must be above 0 and at most 1, not {self.sampling_rate!r}."
            )
        if isinstance(self.updates, bool) or not isinstance(self.updates, int) or self.updates < 1:
            raise InputError(
                f"A number of updates must be a whole number of at least 1, not {self.updates!r}."
            )


class Ledger:
    """The executed updates of one training run.

    Args:
        path: The file that holds the ledger; it is created at once, so that a folder that cannot
            be written to is found before training. None keeps the ledger in memory only.

    Raises:
        InputError: The file exists already (open it with `Ledger.load`), or cannot be written.

    Example:
        >>> ledger = Ledger()
        >>> ledger.record(0.845, 0.02048, updates=3)
        >>> ledger.record(0.845, 0.02048)
        >>> ledger.segments
        (Segment(noise_multiplier=0.845, sampling_rate=0.02048, updates=4),)
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self._path = None if path is None else Path(path)
        self._segments: list[Segment] = []
        self._written: tuple[int, int, int] | None = None
        if self._path is None:
            return
        if self._path.exists():
            raise InputError(
                f"The ledger {self._path} exists already; resume that run or choose another folder."
            )
        self._write(self._segments)

    @classmethod
    def load(cls, path: str | Path) -> Ledger:
        """Opens the ledger of an earlier run, to go on recording in it.

        Raises:
            InputError: The file is missing, cannot be read, is not a ledger or was altered.
        """
        ledger = cls()
        ledger._path = Path(path)
        ledger._segments = _read(ledger._path)
        ledger._written = _identity(ledger._path)
        return ledger

    @property
    def path(self) -> Path | None:
        """The file that holds the ledger, or None."""
        return self._path

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The executed updates in order, equal neighbours merged."""
        return tuple(self._segments)

    @property
    def updates(self) -> int:
        """How many updates were executed."""
        return sum(segment.updates for segment in self._segments)

    def record(self, noise_multiplier: float, sampling_rate: float, updates: int = 1) -> None:
        """Counts executed updates; with a path they are on the disk when this returns.

        Call it before the update changes the weights. If it raises, nothing was counted and the
        update must not be applied.

        Args:
            noise_multiplier: Sigma of these updates.
            sampling_rate: q of these updates.
            updates: How many, at least 1.

        Raises:
            InputError: A number is outside its range, the file cannot be written, or another
                process wrote to it since this ledger did.
        """
        added = Segment(float(noise_multiplier), float(sampling_rate), int(updates))
        segments = list(self._segments)
        last = segments[-1] if segments else None
        if last is not None and _same_mechanism(last, added):
            segments[-1] = Segment(
                last.noise_multiplier, last.sampling_rate, last.updates + added.updates
            )
        else:
            segments.append(added)
        self._write(segments)
        self._segments = segments

    def dp_event(self) -> dp_accounting.DpEvent:
        """Returns the event that accountants understand; without updates it costs nothing."""
        return composed_event(self._segments)

    def _write(self, segments: list[Segment]) -> None:
        if self._path is None:
            return
        if self._written is not None and _identity(self._path) not in (None, self._written):
            raise InputError(
                f"Another process wrote to the ledger {self._path}; stop one of the two runs."
            )
        try:
            replace_durably(self._path, _serialize(segments))
        except OSError as error:
            raise InputError(
                f"The ledger {self._path} cannot be written: {error.strerror}."
            ) from error
        self._written = _identity(self._path)


def composed_event(segments: Iterable[Segment]) -> dp_accounting.DpEvent:
    """Describes the updates of `segments`, in order, as one event for an accountant."""
    return dp_accounting.ComposedDpEvent(
        [
            poisson_gaussian_event(segment.noise_multiplier, segment.sampling_rate, segment.updates)
            for segment in segments
        ]
    )


def _is_real(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _same_mechanism(first: Segment, second: Segment) -> bool:
    return (first.noise_multiplier, first.sampling_rate) == (
        second.noise_multiplier,
        second.sampling_rate,
    )


def _identity(path: Path) -> tuple[int, int, int] | None:
    """Tells one written file from the next: every write makes a new inode."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def _checksum(segments: list[dict[str, Any]]) -> str:
    canonical = json.dumps([_FORMAT, segments], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _serialize(segments: list[Segment]) -> bytes:
    rows = [asdict(segment) for segment in segments]
    content = {"format": _FORMAT, "segments": rows, "sha256": _checksum(rows)}
    return (json.dumps(content, indent=1) + "\n").encode()


def _read(path: Path) -> list[Segment]:
    try:
        text = path.read_bytes()
    except OSError as error:
        raise InputError(f"The ledger {path} cannot be read: {error.strerror}.") from error
    damaged = InputError(
        f"The file {path} is not an intact ledger of tfdpzoo: it was damaged, altered or made by "
        "something else, so the privacy that was spent is not known from it."
    )
    try:
        content = json.loads(text)
        rows = content["segments"]
        intact = content["format"] == _FORMAT and content["sha256"] == _checksum(rows)
        segments = [Segment(**row) for row in rows]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise damaged from error
    if not intact or _serialize(segments) != text:
        raise damaged
    return segments
