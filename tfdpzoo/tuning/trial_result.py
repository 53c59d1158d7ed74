"""What came of a trial."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tfdpzoo.durable_file import replace_durably
from tfdpzoo.errors import InputError
from tfdpzoo.privacy import strict_json
from tfdpzoo.tuning.search_folder import SearchFolder, TrialFolder

Outcome = Literal["completed", "crashed"]


@dataclass(frozen=True)
class TrialResult:
    """What came of a trial, written once and never changed.

    Attributes:
        outcome: Whether it came to its end.
        score: The noised share of right answers on the held-out examples; null after a crash.
        seconds: Wall time of its training.
        updates: How many its ledger counts.
        epsilon: Of its trainings alone, by PLD; null where none was planned before it crashed.
        reason: Why it crashed, a sentence; null if it did not.
    """

    outcome: Outcome
    score: float | None
    seconds: float
    updates: int
    epsilon: float | None
    reason: str | None = None

    def write(self, folder: TrialFolder) -> None:
        """Writes the result; it is on the disk when this returns."""
        replace_durably(folder.result, strict_json.to_text(strict_json.encode(self)).encode())

    @classmethod
    def read(cls, folder: TrialFolder) -> TrialResult | None:
        """Reads the result of a trial that has ended; None for one that has not.

        Raises:
            InputError: The file is damaged.
        """
        try:
            return strict_json.decode(cls, strict_json.from_text(folder.result.read_bytes()))
        except FileNotFoundError:
            return None
        except (OSError, InputError) as error:
            raise InputError(
                f"The file {folder.result} is damaged or was altered; put back what tfdpzoo wrote."
            ) from error


def best_trials(folder: SearchFolder) -> list[tuple[TrialFolder, float]]:
    """Returns the trials that came to their end and their scores, the best first.

    Args:
        folder: Of the search.
    """
    ended = [(trial, TrialResult.read(trial)) for trial in folder.all_trials()]
    scored = [
        (trial, result.score)
        for trial, result in ended
        if result is not None and result.score is not None
    ]
    # Sorting keeps the order of equal scores. Trials are independent and alike, so that the first
    # of equal ones is as good as one that is drawn among them.
    return sorted(scored, key=lambda each: each[1], reverse=True)
