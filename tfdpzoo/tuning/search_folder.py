"""The folder of a search. It is private as a whole: nothing in it is released."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from tfdpzoo.run_folder import RunFolder


@dataclass(frozen=True)
class TrialFolder(RunFolder):
    """The folder of one trial: that of a run, with what was proposed and what came of it."""

    @property
    def settings(self) -> Path:
        """What the oracle proposed."""
        return self.path / "settings.json"

    @property
    def order(self) -> Path:
        """What the trial's process is to do."""
        return self.path / "order.json"

    @property
    def environment(self) -> Path:
        """What the bits of the last process depended on."""
        return self.path / "environment.txt"

    @property
    def result(self) -> Path:
        """What came of the trial; it is there exactly if the trial has ended."""
        return self.path / "result.json"

    @property
    def messages(self) -> Path:
        """What the trial's process printed."""
        return self.path / "messages.txt"

    @property
    def name(self) -> str:
        """The trial's name: its number, with zeros before it."""
        return self.path.name


@dataclass(frozen=True)
class SearchFolder:
    """Where the files of a search lie.

    Attributes:
        path: The folder.
    """

    path: Path

    @property
    def state(self) -> Path:
        """Plan, secret and progress of the search."""
        return self.path / "search.json"

    @property
    def lock(self) -> Path:
        """Held by the process that leads the search."""
        return self.path / "lock"

    @property
    def winner(self) -> Path:
        """The name of the best trial, from when the search has ended."""
        return self.path / "winner.txt"

    @property
    def released(self) -> Path:
        """Where the best model lies, from when it was exported."""
        return self.path / "released.txt"

    @property
    def models(self) -> Path:
        """The models of all trials, of a search that keeps them."""
        return self.path / "models"

    @property
    def common(self) -> Path:
        """What the processes of all trials have in common."""
        return self.path / "trials.pickle"

    @property
    def trials(self) -> Path:
        """The folders of the trials."""
        return self.path / "trials"

    @property
    def keras_tuner(self) -> Path:
        """KerasTuner's own files, which are written anew by each process and never relied on."""
        return self.path / "keras_tuner"

    def trial(self, name: str) -> TrialFolder:
        """Returns the folder of a trial.

        Args:
            name: Of the trial.
        """
        return TrialFolder(self.trials / name)

    def all_trials(self) -> list[TrialFolder]:
        """Returns the folders of all trials that were begun, in order."""
        return [TrialFolder(path) for path in sorted(self.trials.glob("*")) if path.is_dir()]

    def remove_trials(self, *, but: str | None = None) -> None:
        """Deletes the trials with their weights and scores, and what KerasTuner knows of them.

        Args:
            but: The name of a trial that stays.
        """
        shutil.rmtree(self.keras_tuner, ignore_errors=True)
        for trial in self.all_trials():
            if trial.name != but:
                shutil.rmtree(trial.path)
