"""What a training run shows while it runs: a progress bar, and a line for each epoch."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

import keras
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from tfdpzoo.cli.console import say
from tfdpzoo.cli.duration import clock, duration_in_words
from tfdpzoo.cli.pace import Pace
from tfdpzoo.metrics_log import EpochRow
from tfdpzoo.privacy.statement import round_up
from tfdpzoo.training_job import TrainingJob

_HEAD = ("epoch", "updates", "epsilon", "test accuracy", "training*", "examples/s", "time")
_NOT_PRIVATE = "* on training examples: not differentially private, not for publication"
# Of the bar's line without the bar, and with room for the ^C that a terminal prints.
_WIDTH_OF_DETAILS = 92
_WIDE_TERMINAL = 100
# The accountant takes a tenth of a second; this leaves nearly all of the time to training.
_ACCOUNTING_SHARE = 0.05
_SECONDS_BETWEEN_LINES = 60.0


class TrainingDisplay(keras.callbacks.Callback):
    """Shows a run on a console, in a `with` block around the training.

    On a terminal a progress bar lives below the lines. Elsewhere there are lines only, one for each
    epoch, and one a minute while an epoch is longer than that.

    Args:
        console: Where to print.
        job: What is run.
        private: Whether privacy is spent.
        done: How many updates earlier processes of the run executed.
        on_estimate: Called once with the seconds of the whole run, when they can be told.
    """

    def __init__(
        self,
        console: Console,
        job: TrainingJob,
        *,
        private: bool,
        done: int = 0,
        on_estimate: Callable[[float], None],
    ) -> None:
        super().__init__()
        self._console = console
        self._job = job
        self._private = private
        self._on_estimate = on_estimate
        self._estimated = False
        self._epsilon = 0.0
        self._accounted_at = 0.0
        self._accounting_seconds = 0.0
        self._line_at = time.monotonic()
        self._done_before = done
        self._pace = Pace(job.plan.updates - done)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=min(40, max(5, console.width - _WIDTH_OF_DETAILS))),
            TextColumn("{task.completed:,}/{task.total:,} updates"),
            TextColumn("{task.fields[details]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task(
            "preparing", total=job.plan.updates, completed=done, details="", start=True
        )

    def __enter__(self) -> TrainingDisplay:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def on_train_begin(self, logs: Any = None) -> None:
        """Prints the head of the epochs' lines."""
        self._pace = Pace(self._job.plan.updates - self._done_before)
        say(self._console, _NOT_PRIVATE, style="dim")
        say(self._console, self._line(_HEAD), style="bold")

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Names the epoch."""
        wide = self._console.width >= _WIDE_TERMINAL
        description = f"epoch {epoch + 1}/{self._job.epochs}" if wide else ""
        self._progress.update(self._task, description=description)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Moves the bar."""
        self._pace.count()
        self._account()
        self._progress.update(self._task, completed=self._done, details=self._details())
        total = self._pace.total_seconds
        if total is not None and not self._estimated:
            self._estimated = True
            self._on_estimate(total)
        if not self._console.is_terminal:
            self._print_between_epochs()

    def on_train_end(self, logs: Any = None) -> None:
        """Says what still takes its time."""
        self._progress.update(self._task, description="accounting, writing", details="")

    def show_epoch(self, row: EpochRow) -> None:
        """Prints the line of an epoch that has ended."""
        if row.epsilon is not None:
            self._epsilon = row.epsilon
        cells = (
            f"{row.epoch}",
            f"{row.updates:,}",
            "-" if row.epsilon is None else round_up(row.epsilon),
            f"{row.test_accuracy:.2%}",
            f"{row.training_accuracy:.2%}",
            f"{row.examples_per_second:,.0f}",
            clock(row.seconds),
        )
        say(self._console, self._line(cells))
        self._line_at = time.monotonic()

    def _line(self, cells: tuple[str, ...]) -> str:
        columns = zip(cells, _HEAD, strict=True)
        return "  ".join(cell.rjust(max(len(name), 7)) for cell, name in columns)

    def _account(self) -> None:
        if not self._private:
            return
        began = time.monotonic()
        if began - self._accounted_at < self._accounting_seconds / _ACCOUNTING_SHARE:
            return
        self._epsilon = self._job.plan.epsilon_after(self._done)
        self._accounted_at = time.monotonic()
        self._accounting_seconds = self._accounted_at - began

    def _details(self) -> str:
        parts = []
        if self._private:
            parts.append(f"epsilon {round_up(self._epsilon)} of {self._job.plan.epsilon:g}")
        by_update, left = self._pace.seconds_per_update, self._pace.remaining_seconds
        if by_update is not None and left is not None:
            parts.append(f"{self._job.plan.batch_size / max(by_update, 1e-9):,.0f} examples/s")
            parts.append(f"{duration_in_words(left)} left")
        return "  ".join(parts)

    def _print_between_epochs(self) -> None:
        if time.monotonic() - self._line_at < _SECONDS_BETWEEN_LINES:
            return
        self._line_at = time.monotonic()
        total = self._job.plan.updates
        say(self._console, f"{self._done:,} of {total:,} updates  {self._details()}")

    @property
    def _done(self) -> int:
        return self._done_before + self._pace.done
