"""How often a run is saved."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tfdpzoo.errors import InputError

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True)
class CheckpointInterval:
    """How often checkpoints are written: after some updates or after some time.

    Args:
        updates: Every so many updates; 0 where time decides.
        seconds: Every so many seconds; 0 where updates decide.

    Example:
        >>> CheckpointInterval.parse("100"), CheckpointInterval.parse("5m")
        (CheckpointInterval(updates=100, seconds=0.0), CheckpointInterval(updates=0, seconds=300.0))
    """

    updates: int = 0
    seconds: float = 0.0

    @classmethod
    def parse(cls, text: str) -> CheckpointInterval:
        """Reads a number of updates, or a time such as `30s`, `5m` or `1h`.

        Raises:
            InputError: It is neither.
        """
        match = re.fullmatch(r"(\d+)|(\d+(?:\.\d+)?)([smh])", text.strip())
        updates = int(match[1] or 0) if match else 0
        seconds = float(match[2]) * _SECONDS[match[3]] if match and match[2] else 0.0
        if not updates and not seconds:
            raise InputError(
                f"{text!r} is no interval between checkpoints; give a number of updates such as "
                "100, or a time such as 30s, 5m or 1h."
            )
        return cls(updates, seconds)

    def is_over(self, updates: int, seconds: float) -> bool:
        """Tells whether a checkpoint is due so many updates and seconds after the last."""
        return updates >= self.updates if self.updates else seconds >= self.seconds


DEFAULT_INTERVAL = CheckpointInterval(seconds=300.0)
