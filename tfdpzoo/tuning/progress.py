"""How far a search is, as its folder shows it to whoever looks."""

from __future__ import annotations

from dataclasses import dataclass

from tfdpzoo.errors import InputError
from tfdpzoo.privacy.ledger import Ledger
from tfdpzoo.tuning.search_folder import SearchFolder, TrialFolder
from tfdpzoo.tuning.trial_result import TrialResult
from tfdpzoo.tuning.trial_row import TrialRow
from tfdpzoo.tuning.trials import TrialOrder


@dataclass(frozen=True)
class RunningTrial:
    """A trial that has begun and not ended.

    Attributes:
        trial: Its name.
        updates: How many it has executed.
    """

    trial: str
    updates: int


def ended_trials(folder: SearchFolder) -> list[TrialRow]:
    """Returns the trials that have ended, in order.

    Args:
        folder: Of the search.
    """
    found = ((trial, TrialResult.read(trial)) for trial in folder.all_trials())
    return [_row(trial, result) for trial, result in found if result is not None]


def running_trials(folder: SearchFolder) -> list[RunningTrial]:
    """Returns the trials that have begun and not ended, in order.

    Args:
        folder: Of the search.
    """
    return [
        RunningTrial(trial.name, _updates(trial))
        for trial in folder.all_trials()
        if trial.order.exists() and not trial.result.exists()
    ]


def _row(trial: TrialFolder, result: TrialResult) -> TrialRow:
    return TrialRow(
        trial=trial.name,
        status=result.outcome,
        score=result.score,
        seconds=result.seconds,
        epsilon=result.epsilon,
        settings=TrialOrder.read(trial).overrides,
        reason=result.reason,
    )


def _updates(trial: TrialFolder) -> int:
    try:
        return Ledger.load(trial.ledger).updates
    except InputError:
        return 0
