"""How fast a run goes, and when it will end."""

from __future__ import annotations

import time
from collections.abc import Callable

_ENOUGH_UPDATES = 10
_ENOUGH_SECONDS = 5.0
_LONG_SECONDS = 10.0


class Pace:
    """Times updates, and extrapolates from the later half of them.

    The first updates are slower: they wait for graphs to be traced.

    Args:
        updates: How many the run has.
        read_clock: Gives seconds.
    """

    def __init__(self, updates: int, read_clock: Callable[[], float] = time.monotonic) -> None:
        self.updates = updates
        self._read_clock = read_clock
        self._began = read_clock()
        self._ends: list[float] = []

    def count(self) -> None:
        """Counts an update that has just ended."""
        self._ends.append(self._read_clock())

    @property
    def done(self) -> int:
        """How many updates were counted."""
        return len(self._ends)

    @property
    def seconds_per_update(self) -> float | None:
        """Mean time from one update's end to the next, tests included; None before the second."""
        if self.done < 2:
            return None
        later = (self.done - 1) // 2
        return (self._ends[-1] - self._ends[later]) / (self.done - 1 - later)

    @property
    def remaining_seconds(self) -> float | None:
        """Until the last update, or None as long as the speed is not known."""
        by_update = self.seconds_per_update
        return None if by_update is None else by_update * (self.updates - self.done)

    @property
    def total_seconds(self) -> float | None:
        """Of the whole run, once enough updates were timed to say it; None before."""
        remaining = self.remaining_seconds
        if remaining is None:
            return None
        timed = self._ends[-1] - self._ends[0]
        enough = self.done >= _ENOUGH_UPDATES and timed >= _ENOUGH_SECONDS
        if not (enough or timed >= _LONG_SECONDS):
            return None
        return self._ends[-1] - self._began + remaining
