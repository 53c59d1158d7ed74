"""The log of a run: one row an epoch in a CSV file, and the same in TensorBoard's events."""

from __future__ import annotations

import csv
import dataclasses
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf


@dataclass(frozen=True)
class EpochRow:
    """What is known at the end of an epoch.

    Attributes:
        epoch: Counted from 1.
        updates: Executed so far.
        epsilon: Spent so far; None for a run without privacy.
        training_loss: Mean loss of the sampled examples. It is not differentially private: whoever
            sees it learns of the training data what the guarantee does not cover.
        training_accuracy: Likewise.
        test_loss: Mean loss on the test images.
        test_accuracy: Share of test images that are classified rightly.
        learning_rate: At the end of the epoch.
        seconds: Since training began.
        examples_per_second: Expected sampled examples by time, over this epoch's training.
    """

    epoch: int
    updates: int
    epsilon: float | None
    training_loss: float
    training_accuracy: float
    test_loss: float
    test_accuracy: float
    learning_rate: float
    seconds: float
    examples_per_second: float


_FIELDS = dataclasses.fields(EpochRow)
_COUNTS = ("epoch", "updates")
_LABELS = {
    "training_loss": "training_loss_not_private",
    "training_accuracy": "training_accuracy_not_private",
}
"""A number that leaves the run must say of itself that the guarantee does not cover it."""


class MetricsLog(keras.callbacks.Callback):
    """Writes every epoch as it ends, so that a run that is killed leaves its history.

    Columns and tags are the fields of `EpochRow`; those of training examples end in `_not_private`.

    Args:
        path: The CSV file.
        events: The folder of TensorBoard's events.
        batch_size: Expected examples an update.
        epsilon_after: From executed updates to epsilon; None for a run without privacy.
        observers: Called with each row after it is written.
        rows: The epochs of earlier processes of the run. Training metrics of an epoch in which a
            process stopped are those of the updates since.
        updates: How many updates were executed before.
        seconds: How long earlier processes trained.
    """

    def __init__(
        self,
        path: str | Path,
        events: str | Path,
        batch_size: int,
        epsilon_after: Callable[[int], float] | None = None,
        observers: tuple[Callable[[EpochRow], None], ...] = (),
        rows: Iterable[EpochRow] = (),
        updates: int = 0,
        seconds: float = 0.0,
    ) -> None:
        super().__init__()
        self.rows = list(rows)
        self._path = Path(path)
        self._writer = tf.summary.create_file_writer(str(events))
        self._batch_size = batch_size
        self._epsilon_after = epsilon_after
        self._observers = observers
        self._updates = updates
        self._seconds_before = seconds

    def on_train_begin(self, logs: Any = None) -> None:
        """Starts the clock and the file, which has the rows of earlier processes alone."""
        self._began = time.monotonic() - self._seconds_before
        with self._path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(_labelled(field.name for field in _FIELDS))
            writer.writerows(map(_cells, self.rows))

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Starts the epoch's counters."""
        self._epoch_began = time.monotonic()
        self._epoch_training_seconds: float | None = None
        self._epoch_updates = 0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Counts the update."""
        self._epoch_updates += 1
        self._updates += 1

    def on_test_begin(self, logs: Any = None) -> None:
        """Notes how long the epoch trained, the tests after it left out."""
        self._epoch_training_seconds = time.monotonic() - self._epoch_began

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Writes the epoch's row."""
        logs = logs or {}
        now = time.monotonic()
        trained = self._epoch_training_seconds or now - self._epoch_began
        row = EpochRow(
            epoch=epoch + 1,
            updates=self._updates,
            epsilon=self._epsilon_after(self._updates) if self._epsilon_after else None,
            training_loss=float(logs["loss"]),
            training_accuracy=float(logs["accuracy"]),
            test_loss=float(logs["val_loss"]),
            test_accuracy=float(logs["val_accuracy"]),
            learning_rate=float(self.model.optimizer.learning_rate),
            seconds=now - self._began,
            examples_per_second=self._epoch_updates * self._batch_size / trained,
        )
        self.rows.append(row)
        self._append(row)
        for observe in self._observers:
            observe(row)

    def _append(self, row: EpochRow) -> None:
        values = [getattr(row, field.name) for field in _FIELDS]
        with self._path.open("a", newline="") as file:
            csv.writer(file).writerow(_cells(row))
        with self._writer.as_default():
            for name, value in zip(_labelled(field.name for field in _FIELDS), values, strict=True):
                if name not in _COUNTS and value is not None:
                    tf.summary.scalar(name, value, step=row.updates)
        self._writer.flush()


def read_rows(path: str | Path) -> list[EpochRow]:
    """Reads the epochs that a log has whole; an epoch whose line was cut off is left out.

    Args:
        path: The CSV file; one that is missing has no epochs.
    """
    try:
        with Path(path).open(newline="") as file:
            return [row for cells in list(csv.reader(file))[1:] if (row := _row(cells))]
    except (OSError, csv.Error):
        return []


def _row(cells: list[str]) -> EpochRow | None:
    try:
        values = [
            int(cell) if field.name in _COUNTS else float(cell) if cell else None
            for field, cell in zip(_FIELDS, cells, strict=True)
        ]
    except ValueError:
        return None
    return EpochRow(*values)  # type: ignore[arg-type]


def _cells(row: EpochRow) -> list[Any]:
    values = (getattr(row, field.name) for field in _FIELDS)
    return ["" if value is None else value for value in values]


def _labelled(names: Iterable[str]) -> list[str]:
    return [_LABELS.get(name, name) for name in names]
