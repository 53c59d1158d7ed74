"""Private training: from a job to a SavedModel that carries its guarantee."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfdpzoo.checkpoint import CheckpointFolder
from tfdpzoo.cluster import lost_workers_told
from tfdpzoo.data.indexed import in_blocks
from tfdpzoo.dpsgd.model import PrivateModel
from tfdpzoo.dpsgd.replicas import one_copy
from tfdpzoo.dpsgd.secret_key import SecretKey
from tfdpzoo.fitting import TEST_BATCH_SIZE, TrainingResult
from tfdpzoo.interruption import StopRequest
from tfdpzoo.metrics_log import EpochRow
from tfdpzoo.model_facts import CurvePoint, TrainingFacts, confusion_of
from tfdpzoo.privacy.accesses import Tuning
from tfdpzoo.privacy.guarantee import PrivacyGuarantee
from tfdpzoo.run_folder import RunFolder
from tfdpzoo.run_start import RunStart, first_start
from tfdpzoo.saved_model import export
from tfdpzoo.trained_weights import (
    DEFAULT_DURABILITY,
    Durability,
    TrainedWeights,
    train_weights,
)
from tfdpzoo.training_job import TrainingJob
from tfdpzoo.version_folder import check_destination, free_version
from tfdpzoo.version_number import VersionTakenError


@lost_workers_told()
def train(
    job: TrainingJob,
    folder: RunFolder,
    destination: str | Path,
    *,
    key: SecretKey | None = None,
    start: RunStart | None = None,
    checkpoints: CheckpointFolder | None = None,
    durability: Durability = DEFAULT_DURABILITY,
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
    trained = train_weights(
        job,
        folder,
        start,
        checkpoints,
        durability=durability,
        stop=stop,
        callbacks=callbacks,
        observers=observers,
    )
    result = release(job, trained, destination, trained.private.guarantee(tuning=tuning))
    checkpoints.remove_all_but_the_newest()
    return result


def release(
    job: TrainingJob,
    trained: TrainedWeights,
    destination: str | Path,
    guarantee: PrivacyGuarantee,
) -> TrainingResult:
    """Writes the SavedModel of trained weights, with their accuracy in the record.

    Args:
        job: Of the training; its test images are those that the accuracy is of.
        trained: The weights.
        destination: As `train` takes it.
        guarantee: Of the weights.

    Raises:
        InputError: The destination exists or cannot be written.
    """
    private = trained.private
    measured = {"accuracy": trained.accuracy, "loss": trained.loss}
    guarantee = guarantee.with_metrics(measured)
    path = _export_under_a_free_number(
        private,
        Path(destination),
        guarantee=guarantee,
        class_names=job.dataset.class_names,
        training=_training_facts(job, trained),
    )
    return TrainingResult(
        accuracy=trained.accuracy,
        loss=trained.loss,
        seconds=trained.seconds,
        updates=private.ledger.updates,
        discarded_examples=int(private.discarded_examples.numpy()),
        rows=trained.rows,
        model_path=path,
        guarantee=guarantee,
        warning=trained.warning,
    )


def _export_under_a_free_number(private: PrivateModel, destination: Path, **facts: Any) -> Path:
    """Exports, and once more where another process took the number while this one was writing."""
    while True:
        try:
            return export(private, free_version(destination), **facts)
        except VersionTakenError:
            if not destination.name.isdecimal():
                raise


def _training_facts(job: TrainingJob, trained: TrainedWeights) -> TrainingFacts:
    """What a model card tells of the run; of the epochs only what was measured on test images."""
    curve = (
        CurvePoint(row.updates, row.epsilon or 0.0, row.test_accuracy, row.test_loss)
        for row in trained.rows
        if math.isfinite(row.test_loss)
    )
    # The folders that lead to somebody's images are nobody's business.
    recipe = job.recipe.with_overrides({"dataset": job.dataset.name})
    return TrainingFacts(
        model=job.recipe.model,
        recipe=job.recipe.name,
        recipe_text=recipe.to_toml(),
        dataset=job.dataset.name,
        seconds=trained.seconds,
        curve=tuple(curve),
        confusion=tuple(tuple(map(int, row)) for row in _confusion(job, trained.private)),
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
