"""What a search shows while it runs: a line for each trial that has ended, a bar for each other."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn

from tfdpzoo.cli.console import say
from tfdpzoo.cli.duration import clock
from tfdpzoo.tuning.progress import ended_trials, running_trials
from tfdpzoo.tuning.recipe_tuner import RecipeTuner
from tfdpzoo.tuning.trial_row import TrialRow

_SECONDS_BETWEEN_LOOKS = 0.5
_HEAD = ("trial", "score", "best", "time")
_SCORES = "Scores are noised shares of right answers on held-out examples."
_PRIVATE = "All of this is private to the search: only the best model is released."
_COVERED = "They and the models of all trials are covered by the guarantee; all else is private."


class SearchDisplay:
    """Shows a search on a console, in a `with` block around it.

    How far trials are it sees in the folder of the search, whichever process runs them.

    Args:
        console: Where to print.
        tuner: Whose search has begun.
    """

    def __init__(self, console: Console, tuner: RecipeTuner) -> None:
        self._console = console
        self._tuner = tuner
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look_again_and_again, daemon=True)
        self._shown: list[TrialRow] = []
        self._tasks: dict[str, TaskID] = {}
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.completed:,}/{task.total:,} updates"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> SearchDisplay:
        released = _COVERED if self._tuner.keep_trials else _PRIVATE
        say(self._console, f"{_SCORES} {released}", style="dim")
        say(self._console, _line(_HEAD) + "  settings", style="bold")
        self._tuner.on_trial_ended = self.show_trial  # type: ignore[method-assign]
        self._progress.start()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()
        self._progress.stop()

    def show_trial(self, name: str) -> None:
        """Prints the line of a trial that has ended.

        Args:
            name: Of the trial.
        """
        rows = {row.trial: row for row in ended_trials(self._tuner.folder)}
        self._shown.append(rows[name])
        self._show(rows[name])

    def _look_again_and_again(self) -> None:
        while not self._over.wait(_SECONDS_BETWEEN_LOOKS):
            self._move_bars()

    def _show(self, row: TrialRow) -> None:
        scores = [each.score for each in self._shown if each.score is not None]
        cells = (
            f"{len(self._shown)}/{self._tuner.state.trials}",
            "crashed" if row.score is None else f"{row.score:.2%}",
            f"{max(scores):.2%}" if scores else "-",
            clock(row.seconds),
        )
        said = row.reason or _settings(row.settings)
        style = "yellow" if row.score is None else None
        say(self._console, f"{_line(cells)}  {said}", style=style)

    def _move_bars(self) -> None:
        running = {each.trial: each.updates for each in running_trials(self._tuner.folder)}
        for trial in self._tasks.keys() - running.keys():
            self._progress.remove_task(self._tasks.pop(trial))
        for trial, updates in running.items():
            if trial not in self._tasks:
                total = self._tuner.state.plan.updates
                self._tasks[trial] = self._progress.add_task(f"trial {int(trial) + 1}", total=total)
            self._progress.update(self._tasks[trial], completed=updates)


def _settings(settings: Mapping[str, Any]) -> str:
    return "  ".join(f"{key} = {setting_in_words(value)}" for key, value in settings.items())


def setting_in_words(value: Any) -> str:
    """Writes a setting's value for people, numbers with four digits.

    Example:
        >>> setting_in_words(30.232257552980588), setting_in_words("selu")
        ('30.23', 'selu')
    """
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _line(cells: tuple[str, ...]) -> str:
    return "  ".join(cell.rjust(7) for cell in cells)
