from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TrialRow:
    trial: str
    status: str
    score: float | None
    seconds: float
    epsilon: float | None
    settings: Any
    reason: str | None


def write_results(folder, space, rows):
    pass
