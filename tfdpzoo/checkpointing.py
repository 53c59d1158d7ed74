"""Writes checkpoints while a run trains, and ends it when somebody asks for that."""

from __future__ import annotations

import signal
import time
from typing import Any

import keras

from tfdpzoo.checkpoint import Checkpoint, CheckpointFolder, Facts
from tfdpzoo.checkpoint_interval import CheckpointInterval
from tfdpzoo.divergence import DivergenceWatch
from tfdpzoo.dpsgd.model import PrivateModel
from tfdpzoo.dpsgd.training_state import training_state
from tfdpzoo.interruption import StopRequest


class TrainingStoppedError(Exception):
    """A run was asked to stop and did, after an update and a checkpoint.

    Attributes:
        update: The number of the update that comes next.
        signal: What asked for it.
    """

    def __init__(self, update: int, received: signal.Signals) -> None:
        super().__init__(f"Stopped by {received.name} before update {update}.")
        self.update = update
        self.signal = received


class Checkpointing(keras.callbacks.Callback):
    """Writes a checkpoint before the first update, at intervals, at the end and when asked to stop.

    Args:
        folder: Where checkpoints go.
        interval: How often.
        stop: Asked after every update.
        watch: Knows whether the weights are good; others are never written.
        seconds: How long earlier processes of the run trained.
    """

    model: PrivateModel

    def __init__(
        self,
        folder: CheckpointFolder,
        interval: CheckpointInterval,
        stop: StopRequest,
        watch: DivergenceWatch,
        seconds: float = 0.0,
    ) -> None:
        super().__init__()
        self.spent_seconds = 0.0
        self._folder = folder
        self._interval = interval
        self._stop = stop
        self._watch = watch
        self._seconds_before = seconds
        self._began = self._written_at = time.monotonic()
        self._written_update = -1

    def on_train_begin(self, logs: Any = None) -> None:
        """Writes what the first update starts from: initial weights are not drawn again."""
        self._began = time.monotonic()
        self.write()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Writes what is due.

        Raises:
            TrainingStoppedError: The run was asked to stop, and its state is saved.
            InputError: The checkpoint cannot be written.
        """
        if self._stop.signal is not None:
            self.write()
            raise TrainingStoppedError(self.model.next_update, self._stop.signal)
        updates = self.model.next_update - self._written_update
        if self._interval.is_over(updates, time.monotonic() - self._written_at):
            self.write()

    def on_train_end(self, logs: Any = None) -> None:
        """Writes what the last update came to."""
        self.write()

    def write(self) -> None:
        """Writes a checkpoint, unless the last one is of the same update or weights are bad."""
        private = self.model
        if private.next_update == self._written_update or not self._watch.sees_finite_outputs():
            return
        began = time.monotonic()
        chosen = private.chosen_execution
        facts = Facts(
            run=self._folder.run,
            update=private.next_update,
            seconds=self._seconds_before + began - self._began,
            chunk=chosen.chunk if chosen else 0,
            jit_compile=bool(chosen and chosen.jit_compile),
        )
        self._folder.write(Checkpoint(facts, training_state(private)))
        self._written_update = private.next_update
        self._written_at = time.monotonic()
        self.spent_seconds += self._written_at - began
