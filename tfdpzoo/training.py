"""Private training: from a job to a SavedModel that carries its guarantee."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfdpzoo.checkpoint import CheckpointFolder
from tfdpzoo.checkpoint_interval import DEFAULT_INTERVAL, CheckpointInterval
from tfdpzoo.checkpointing import Checkpointing
from tfdpzoo.cluster import cluster_of, lost_workers_told
from tfdpzoo.data.indexed import in_blocks
from tfdpzoo.divergence import DEFAULT_PATIENCE, DivergedError, DivergenceWatch
from tfdpzoo.dpsgd.execution import ExecutionSettings
from tfdpzoo.dpsgd.model import PrivateModel
from tfdpzoo.dpsgd.replicas import one_copy
from tfdpzoo.dpsgd.secret_key import SecretKey
from tfdpzoo.dpsgd.training_state import restore_training_state
from tfdpzoo.errors import InputError
from tfdpzoo.fitting import (
    TEST_BATCH_SIZE,
    TrainingResult,
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
from tfdpzoo.model_facts import CurvePoint, TrainingFacts, confusion_of
from tfdpzoo.privacy.accesses import Tuning
from tfdpzoo.run_folder import RunFolder
from tfdpzoo.run_start import RunStart, first_start
from tfdpzoo.saved_model import export
from tfdpzoo.training_job import TrainingJob
from tfdpzoo.version_folder import check_destination, free_version
from tfdpzoo.version_number import VersionTakenError


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


@lost_workers_told()
def train(
    job: TrainingJob,
    folder: RunFolder,
    destination: str | Path,
    *,
    key: SecretKey | None = None,
    start: RunStart | None = None,
    checkpoints: CheckpointFolder | None = None,
    durability: Durability = Durability(),
    tuning: Tuning | None = None,
    stop: StopRequest | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    observers: tuple[Callable[[EpochRow], None], ...] = (),
) -> TrainingResult:
    """Trains with differential privacy and writes the SavedModel.

    Args:
        job: From `prepare`.
        folder: Where ledger, key, checkpoints, log and plot go.
        destination: The version's folder of the SavedModel, which must not exist. If it exists when
            training has ended, because somebody else made it meanwhile, the next free version of
            the same model is taken: what was trained is not lost.
        key: The secret of sampling and noise of a run that begins; a fixed one makes the guarantee
            invalid.
        start: Where training begins; by default at the first update, with `key`.
        checkpoints: Where they go; by default into the run's folder.
        durability: How often checkpoints are written, and when to give up.
        tuning: What the trainer declares of tuning; by default nothing.
        stop: Asked after each update whether to stop.
        callbacks: Keras callbacks, for example a progress display.
        observers: Called at the end of each epoch.

    Raises:
        InputError: The destination exists or cannot be written, the model mixes examples, training
            diverged before there was a checkpoint, a checkpoint cannot be written, or a chunk does
            not fit into memory, or an image cannot be read.
        TrainingStoppedError: `stop` was asked to, and a checkpoint is written.
    """
    check_destination(destination)
    start = start or first_start(folder, key or SecretKey.generate())
    checkpoints = checkpoints or CheckpointFolder(folder.checkpoints, "", durability.kept)
    private = _private_model(job, start)
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
    guarantee = private.guarantee(tuning=tuning).with_metrics({"accuracy": accuracy, "loss": loss})
    path = _export_under_a_free_number(
        private,
        Path(destination),
        guarantee=guarantee,
        class_names=job.dataset.class_names,
        training=_training_facts(job, private, log, seconds),
    )
    checkpoints.remove_all_but_the_newest()
    return TrainingResult(
        accuracy=accuracy,
        loss=loss,
        seconds=seconds,
        updates=private.ledger.updates,
        discarded_examples=int(private.discarded_examples.numpy()),
        rows=tuple(log.rows),
        model_path=path,
        guarantee=guarantee,
        warning=warning,
    )


def _export_under_a_free_number(private: PrivateModel, destination: Path, **facts: Any) -> Path:
    """Exports, and once more where another process took the number while this one was writing."""
    while True:
        try:
            return export(private, free_version(destination), **facts)
        except VersionTakenError:
            if not destination.name.isdecimal():
                raise


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
    private = _private_model(job, start)
    with tempfile.TemporaryDirectory() as scratch:
        log = log_of(job, RunFolder(Path(scratch)), None, (), start)
        _fit(job, private, start, checkpoints, [_watch(job, patience), log])
        _measured(job, private, log)


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


def _private_model(job: TrainingJob, start: RunStart) -> PrivateModel:
    """The compiled model, with the state that it begins with."""
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


def _training_facts(
    job: TrainingJob, private: PrivateModel, log: MetricsLog, seconds: float
) -> TrainingFacts:
    """What a model card tells of the run; of the epochs only what was measured on test images."""
    curve = (
        CurvePoint(row.updates, row.epsilon or 0.0, row.test_accuracy, row.test_loss)
        for row in log.rows
        if math.isfinite(row.test_loss)
    )
    # The folders that lead to somebody's images are nobody's business.
    recipe = job.recipe.with_overrides({"dataset": job.dataset.name})
    return TrainingFacts(
        model=job.recipe.model,
        recipe=job.recipe.name,
        recipe_text=recipe.to_toml(),
        dataset=job.dataset.name,
        seconds=seconds,
        curve=tuple(curve),
        confusion=tuple(tuple(map(int, row)) for row in _confusion(job, private)),
    )


def _confusion(job: TrainingJob, private: PrivateModel) -> np.ndarray:
    """On the test images, by the released weights. One worker computes it, on one device."""
    images, labels = job.dataset.test_images, job.dataset.test_labels
    with private.released_weights() as model, one_copy(model):
        serve = tf.function(lambda images: model(images, training=False))
        predictions = [
            serve(tf.constant(block, tf.float32)).numpy().argmax(axis=1)
            for block in in_blocks(images, TEST_BATCH_SIZE)
        ]
    return confusion_of(np.asarray(labels), np.concatenate(predictions), job.dataset.classes)


def _privacy(job: TrainingJob, key: SecretKey) -> str:
    target = f"epsilon {job.plan.epsilon:g}"
    return f"{target}, INVALID: known seed" if key.reproducible else target
