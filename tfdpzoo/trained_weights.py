"""From a job to trained weights: what a run and a trial of a search have in common."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras

from tfdpzoo.checkpoint import CheckpointFolder
from tfdpzoo.checkpoint_interval import DEFAULT_INTERVAL, CheckpointInterval
from tfdpzoo.checkpointing import Checkpointing
from tfdpzoo.cluster import cluster_of, lost_workers_told
from tfdpzoo.divergence import DEFAULT_PATIENCE, DivergedError, DivergenceWatch
from tfdpzoo.dpsgd.execution import ExecutionSettings
from tfdpzoo.dpsgd.model import PrivateModel
from tfdpzoo.dpsgd.secret_key import SecretKey
from tfdpzoo.dpsgd.training_state import restore_training_state
from tfdpzoo.errors import InputError
from tfdpzoo.fitting import (
    cross_entropy,
    drawn_at_the_end,
    enough_memory,
    evaluation_of,
    last_row,
    log_of,
    optimizer_of,
    validation_of,
)
from tfdpzoo.interruption import StopRequest
from tfdpzoo.metrics_log import EpochRow, MetricsLog
from tfdpzoo.run_folder import RunFolder
from tfdpzoo.run_start import RunStart
from tfdpzoo.training_job import TrainingJob


@dataclass(frozen=True)
class Durability:
    """What a run does to survive.

    Attributes:
        interval: How often a checkpoint is written.
        kept: How many checkpoints are kept.
        patience: After how many updates in a row without a finite loss the run stops.
    """

    interval: CheckpointInterval = DEFAULT_INTERVAL
    kept: int = 2
    patience: int = DEFAULT_PATIENCE


DEFAULT_DURABILITY = Durability()


@dataclass(frozen=True, eq=False)
class TrainedWeights:
    """What training came to.

    Attributes:
        private: The model, with its ledger.
        accuracy: On the job's test images.
        loss: Mean cross-entropy on them.
        seconds: Wall time of training, tests after each epoch included.
        rows: The epochs.
        warning: What was out of the ordinary, in a sentence; None for nothing.
    """

    private: PrivateModel
    accuracy: float
    loss: float
    seconds: float
    rows: tuple[EpochRow, ...]
    warning: str | None


def train_weights(
    job: TrainingJob,
    folder: RunFolder,
    start: RunStart,
    checkpoints: CheckpointFolder,
    *,
    durability: Durability = DEFAULT_DURABILITY,
    stop: StopRequest | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    observers: tuple[Callable[[EpochRow], None], ...] = (),
) -> TrainedWeights:
    """Executes what is left of the plan.

    Args:
        job: From `prepare`.
        folder: Where log and plot go.
        start: Where training begins.
        checkpoints: Where they go.
        durability: How often checkpoints are written, and when to give up.
        stop: Asked after each update whether to stop.
        callbacks: Keras callbacks, for example a progress display.
        observers: Called at the end of each epoch.

    Raises:
        InputError: The model mixes examples, training diverged before there was a checkpoint, a
            checkpoint cannot be written, a chunk does not fit into memory, or an image cannot be
            read.
        TrainingStoppedError: `stop` was asked to, and a checkpoint is written.
    """
    private = private_model_of(job, start)
    watch = _watch(job, durability.patience)
    saving = Checkpointing(
        checkpoints, durability.interval, stop or StopRequest(), watch, start.seconds
    )
    log = log_of(job, folder, job.plan.epsilon_after, observers, start)
    began = time.monotonic()
    with drawn_at_the_end(job, log, folder, _privacy(job, start.key)):
        warning = _fit(job, private, start, checkpoints, [watch, saving, log, *callbacks])
    seconds = start.seconds + time.monotonic() - began
    accuracy, loss = _measured(job, private, log)
    return TrainedWeights(private, accuracy, loss, seconds, tuple(log.rows), warning)


@lost_workers_told()
def follow(
    job: TrainingJob,
    start: RunStart,
    checkpoints: CheckpointFolder,
    *,
    patience: int = DEFAULT_PATIENCE,
) -> None:
    """Takes part in a training that another worker leads with `train`, and writes nothing.

    Args:
        job: As the other worker has it.
        start: Where that one begins, with its key.
        checkpoints: Of the run, to read from.
        patience: As the other worker has it.

    Raises:
        WorkerLostError: Another worker ended before the training did.
    """
    private = private_model_of(job, start)
    with tempfile.TemporaryDirectory() as scratch:
        log = log_of(job, RunFolder(Path(scratch)), None, (), start)
        _fit(job, private, start, checkpoints, [_watch(job, patience), log])
        _measured(job, private, log)


def private_model_of(job: TrainingJob, start: RunStart) -> PrivateModel:
    """Returns the compiled model, with the state that it begins with.

    Args:
        job: From `prepare`.
        start: Where it begins; after the last update of a plan it is the trained model.
    """
    execution = job.recipe.execution
    if start.checkpoint is not None and start.checkpoint.facts.chunk:
        # Measured anew they might come out otherwise, and other chunks round otherwise.
        facts = start.checkpoint.facts
        execution = ExecutionSettings(facts.chunk, "on" if facts.jit_compile else "off")
    with job.strategy.scope():
        private = PrivateModel(
            job.model,
            job.plan,
            engine=job.engine,
            execution=execution,
            augmentation=job.recipe.augmentation,
            averaging_decay=job.recipe.averaging_decay,
            key=start.key,
            ledger=start.ledger,
        )
        private.compile(optimizer=optimizer_of(job), loss=cross_entropy(), metrics=["accuracy"])
    if start.checkpoint is not None:
        restore_training_state(private, start.checkpoint.state)
        private.go_on_from(start.next_update)
    return private


def _fit(
    job: TrainingJob,
    private: PrivateModel,
    start: RunStart,
    checkpoints: CheckpointFolder,
    callbacks: list[keras.callbacks.Callback],
) -> str | None:
    """Executes what is left of the plan; returns a sentence if training diverged."""
    if start.next_update == job.plan.updates:
        return None
    batches = job.plan.batches(job.dataset.train_images, job.dataset.train_labels, start.key)
    with enough_memory():
        try:
            private.fit(batches, callbacks=callbacks, **validation_of(job))
        except DivergedError as error:
            return _back_to_good_weights(private, checkpoints, error)
    return None


def _watch(job: TrainingJob, patience: int) -> DivergenceWatch:
    """Looks when the time has come; several workers must look at the same updates: at all."""
    if cluster_of(job.strategy) is None:
        return DivergenceWatch(patience)
    return DivergenceWatch(patience, share=math.inf)


def _back_to_good_weights(
    private: PrivateModel, checkpoints: CheckpointFolder, error: DivergedError
) -> str:
    """Restores the last checkpoint after a run has diverged; returns a sentence that says so."""
    newest = checkpoints.updates()[-1]
    if newest == 0:
        raise InputError(
            f"Training diverged: {error} No model was written; lower optimizer.learning_rate."
        ) from error
    restore_training_state(private, checkpoints.read(newest).state)
    return (
        f"Training diverged: {error} The model is that of update {newest}; all updates count. "
        "Lower optimizer.learning_rate in a new run."
    )


def _measured(job: TrainingJob, private: PrivateModel, log: MetricsLog) -> tuple[float, float]:
    """Returns accuracy and loss on the test images, of the weights that are released."""
    if log.rows and log.rows[-1].updates == int(private.executed_updates.numpy()):
        last = last_row(log)
        return last.test_accuracy, last.test_loss
    found = private.evaluate(**evaluation_of(job), verbose=0, return_dict=True)
    return float(found["accuracy"]), float(found["loss"])


def _privacy(job: TrainingJob, key: SecretKey) -> str:
    target = f"epsilon {job.plan.epsilon:g}"
    return f"{target}, INVALID: known seed" if key.reproducible else target
