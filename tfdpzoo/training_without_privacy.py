"""The same recipe trained without privacy, for comparison."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from tfdpzoo.data.streams import original_errors
from tfdpzoo.fitting import (
    TrainingResult,
    cross_entropy,
    drawn_at_the_end,
    enough_memory,
    last_row,
    log_of,
    optimizer_of,
    validation_of,
)
from tfdpzoo.metrics_log import EpochRow
from tfdpzoo.recipe import Recipe
from tfdpzoo.run_folder import RunFolder
from tfdpzoo.training_job import TrainingJob


def train_without_privacy(
    job: TrainingJob,
    folder: RunFolder,
    *,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    observers: tuple[Callable[[EpochRow], None], ...] = (),
) -> TrainingResult:
    """Trains the same recipe by ordinary gradients: no noise, nothing that bounds one example.

    The batches, the optimizer and its schedule are those of the private run. The mean gradient of a
    batch is clipped to the recipe's norm as a whole, without which a learning rate that was chosen
    for clipped gradients diverges; that protects nobody. The model is kept in the run's folder as a
    Keras file, and not among the models that may be published.

    Args:
        job: From `prepare`.
        folder: Where log, plot and model go.
        callbacks: Keras callbacks, for example a progress display.
        observers: Called at the end of each epoch.

    Raises:
        InputError: Training diverged, a batch does not fit into memory, or an image cannot be read.
    """
    batches = job.plan.batches(job.dataset.train_images, job.dataset.train_labels)
    optimizer = optimizer_of(job)
    optimizer.global_clipnorm = job.plan.clip_norm
    job.model.compile(
        optimizer=optimizer, loss=cross_entropy(), metrics=["accuracy"], jit_compile=False
    )
    log = log_of(job, folder, None, observers, None)
    began = time.monotonic()
    with (
        drawn_at_the_end(job, log, folder, "not private"),
        enough_memory(),
        original_errors(),
    ):
        job.model.fit(
            _views(batches.dataset(0, augmentation=job.recipe.augmentation), job.recipe).repeat(),
            epochs=job.epochs,
            steps_per_epoch=job.plan.updates_per_epoch,
            shuffle=False,
            callbacks=[log, *callbacks, _StopAfter(job.plan.updates)],
            **validation_of(job),
        )
    seconds = time.monotonic() - began
    last = last_row(log)
    job.model.save(folder.model_without_privacy)
    return TrainingResult(
        accuracy=last.test_accuracy,
        loss=last.test_loss,
        seconds=seconds,
        updates=last.updates,
        discarded_examples=0,
        rows=tuple(log.rows),
        model_path=folder.model_without_privacy,
        guarantee=None,
    )


class _StopAfter(keras.callbacks.Callback):
    """Stops a fit after a number of updates."""

    def __init__(self, updates: int) -> None:
        super().__init__()
        self._left = updates

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:
        """Counts down."""
        self._left -= 1
        if self._left <= 0:
            self.model.stop_training = True


def _views(dataset: tf.data.Dataset, recipe: Recipe) -> tf.data.Dataset:
    """From images with the views that were drawn of them to rows of views."""
    augmentation = recipe.augmentation

    def rows(inputs: tuple[tf.Tensor, tf.Tensor], *others: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return augmentation.views(*inputs), *(augmentation.per_view(each) for each in others)

    return dataset.map(rows)
