"""One trial as the result files of a search show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TrialRow:
    """What came of a trial, with the settings that it had.

    Attributes:
        trial: Its name.
        status: `completed` or `crashed`.
        score: The noised share of right answers on the held-out examples; None after a crash.
        seconds: Wall time of its training.
        epsilon: Of its trainings alone; None where it crashed before they were planned.
        settings: The values that were searched, by name.
        reason: Why it crashed, a sentence; None if it did not.
    """

    trial: str
    status: str
    score: float | None
    seconds: float
    epsilon: float | None
    settings: Mapping[str, Any]
    reason: str | None = None
