"""What a fit with privacy and one without have in common."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfdpzoo.data import IndexedImages
from tfdpzoo.data.streams import batches_in_order
from tfdpzoo.errors import InputError
from tfdpzoo.learning_curve import draw_learning_curve
from tfdpzoo.metrics_log import EpochRow, MetricsLog
from tfdpzoo.privacy.guarantee import PrivacyGuarantee
from tfdpzoo.run_folder import RunFolder
from tfdpzoo.run_start import RunStart
from tfdpzoo.training_job import TrainingJob

TEST_BATCH_SIZE = 256


@dataclass(frozen=True)
class TrainingResult:
    """What a run came to.

    Attributes:
        accuracy: On the test images, of the weights that are released.
        loss: Mean cross-entropy on the test images.
        seconds: Wall time of training, tests after each epoch included.
        updates: How many were executed.
        discarded_examples: Contributions left out because a gradient was not finite.
        rows: The epochs.
        model_path: Where the model lies.
        guarantee: Its guarantee; None for a run without privacy.
        warning: What was out of the ordinary, in a sentence; None for nothing.
    """

    accuracy: float
    loss: float
    seconds: float
    updates: int
    discarded_examples: int
    rows: tuple[EpochRow, ...]
    model_path: Path
    guarantee: PrivacyGuarantee | None
    warning: str | None = None


def optimizer_of(job: TrainingJob) -> keras.optimizers.Optimizer:
    """The job's own optimizer, or the recipe's with its schedule over the plan's updates."""
    if job.optimizer is not None:
        return job.optimizer
    plan = job.plan
    return job.recipe.optimizer.build(plan.updates, plan.examples / plan.batch_size)


def cross_entropy() -> keras.losses.Loss:
    """The loss of every recipe, of logits."""
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def log_of(
    job: TrainingJob,
    folder: RunFolder,
    epsilon_after: Callable[[int], float] | None,
    observers: tuple[Callable[[EpochRow], None], ...],
    start: RunStart | None,
) -> MetricsLog:
    """The log of a run in its folder, with the epochs that it had before it was stopped."""
    return MetricsLog(
        folder.metrics,
        folder.events,
        job.plan.batch_size,
        epsilon_after,
        observers,
        rows=start.rows if start else (),
        updates=start.next_update if start else 0,
        seconds=start.seconds if start else 0.0,
    )


def validation_of(job: TrainingJob) -> dict[str, Any]:
    """What `fit` takes to evaluate on the test images after each epoch."""
    examples = evaluation_of(job)
    if "y" not in examples:
        return {"validation_data": examples["x"], "verbose": 0}
    return {
        "validation_data": (examples["x"], examples["y"]),
        "validation_batch_size": examples["batch_size"],
        "verbose": 0,
    }


def evaluation_of(job: TrainingJob) -> dict[str, Any]:
    """What Keras evaluates on: arrays, or batches of images that are read by index."""
    images, labels = job.dataset.test_images, job.dataset.test_labels
    if isinstance(images, IndexedImages):
        return {"x": batches_in_order(images, labels, TEST_BATCH_SIZE)}
    return {"x": images, "y": labels, "batch_size": TEST_BATCH_SIZE}


@contextmanager
def drawn_at_the_end(
    job: TrainingJob, log: MetricsLog, folder: RunFolder, privacy: str
) -> Iterator[None]:
    """Draws the learning curve however the run ends, once there is an epoch to draw."""
    try:
        yield
    finally:
        if log.rows:
            title = f"{job.recipe.model}, {job.recipe.name}, {privacy}"
            draw_learning_curve(log.rows, title, folder.learning_curve)


@contextmanager
def enough_memory() -> Iterator[None]:
    """Says in a sentence that a chunk is too large for the device."""
    try:
        yield
    except tf.errors.ResourceExhaustedError as error:
        raise InputError(
            "The gradients of one chunk of examples do not fit into the device's memory; set a "
            "smaller execution.chunk, such as 8, which changes nothing but memory and speed."
        ) from error


def last_row(log: MetricsLog) -> EpochRow:
    """The last epoch, whose loss must be finite.

    Raises:
        InputError: Training diverged.
    """
    last = log.rows[-1]
    if not math.isfinite(last.test_loss):
        raise InputError(
            f"Training diverged: the test loss is {last.test_loss} after {last.updates} updates, "
            "so no model was written; lower optimizer.learning_rate."
        )
    return last
