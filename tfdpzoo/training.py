"""From a recipe and a data set to a SavedModel that carries its guarantee."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras

from tfdpzoo.data import ImageDataset
from tfdpzoo.dpsgd.model import PrivateModel
from tfdpzoo.dpsgd.plan import PrivacyPlan
from tfdpzoo.dpsgd.secret_key import SecretKey
from tfdpzoo.export import export
from tfdpzoo.learning_curve import draw_learning_curve
from tfdpzoo.metrics_log import EpochRow, MetricsLog
from tfdpzoo.preprocessing import take_pixels
from tfdpzoo.privacy.guarantee import PrivacyGuarantee
from tfdpzoo.privacy.ledger import Ledger
from tfdpzoo.recipe import Recipe
from tfdpzoo.run_folder import RunFolder
from tfdpzoo.version_folder import check_destination

Builder = Callable[..., keras.Model]
"""Builds an architecture from `input_shape`, `classes` and its own arguments, as the zoo's do."""

TEST_BATCH_SIZE = 256


@dataclass(frozen=True)
class TrainingJob:
    """Everything that is decided before training begins.

    Attributes:
        recipe: What is run.
        dataset: What it is run on.
        model: From pixels to logits, untrained.
        plan: The privacy plan; for a run without privacy it only gives batches and updates.
        engine: Name of the gradient engine.
    """

    recipe: Recipe
    dataset: ImageDataset
    model: keras.Model
    plan: PrivacyPlan
    engine: str = "fast"


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
    """

    accuracy: float
    loss: float
    seconds: float
    updates: int
    discarded_examples: int
    rows: tuple[EpochRow, ...]
    model_path: Path
    guarantee: PrivacyGuarantee | None


def plan_for(recipe: Recipe, examples: int) -> PrivacyPlan:
    """Calibrates the plan of a recipe for a number of training examples.

    Raises:
        InputError: The privacy settings do not fit the data.
    """
    privacy = recipe.privacy
    return PrivacyPlan.calibrate(
        epsilon=privacy.epsilon,
        delta=privacy.delta,
        examples=examples,
        batch_size=privacy.batch_size,
        epochs=privacy.epochs,
        clip_norm=privacy.clip_norm,
    )


def prepare(
    recipe: Recipe,
    dataset: ImageDataset,
    builder: Builder,
    *,
    engine: str = "fast",
    initialization_seed: int | None = None,
) -> TrainingJob:
    """Builds the model and calibrates the plan; executes nothing.

    Args:
        recipe: What to run.
        dataset: What to run it on.
        builder: Builds the recipe's model.
        engine: `"fast"` or `"tf-privacy"`.
        initialization_seed: Seed of the initial weights, which need not be secret; None for another
            initialisation in each run.

    Raises:
        InputError: The privacy settings do not fit the data, or the model cannot be built.
    """
    plan = plan_for(recipe, dataset.examples)
    if initialization_seed is not None:
        keras.utils.set_random_seed(initialization_seed)
    inner = builder(
        input_shape=dataset.input_shape, classes=dataset.classes, **recipe.architecture
    )
    return TrainingJob(recipe, dataset, take_pixels(inner, dataset.normalization), plan, engine)


def train(
    job: TrainingJob,
    folder: RunFolder,
    destination: str | Path,
    *,
    key: SecretKey | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    observers: tuple[Callable[[EpochRow], None], ...] = (),
) -> TrainingResult:
    """Trains with differential privacy and writes the SavedModel.

    Args:
        job: From `prepare`.
        folder: Where ledger, log and plot go.
        destination: The version's folder of the SavedModel, which must not exist.
        key: The secret of sampling and noise; a fixed one makes the guarantee invalid.
        callbacks: Keras callbacks, for example a progress display.
        observers: Called at the end of each epoch.

    Raises:
        InputError: The destination exists or cannot be written, or the model mixes examples.
    """
    check_destination(destination)
    key = key or SecretKey.generate()
    private = PrivateModel(
        job.model,
        job.plan,
        engine=job.engine,
        execution=job.recipe.execution,
        averaging_decay=job.recipe.averaging_decay,
        key=key,
        ledger=Ledger(folder.ledger),
    )
    private.compile(optimizer=_optimizer(job), loss=_loss(), metrics=["accuracy"])
    log = _log(job, folder, job.plan.epsilon_after, observers)
    began = time.monotonic()
    private.fit(
        job.plan.batches(job.dataset.train_images, job.dataset.train_labels, key),
        validation_data=(job.dataset.test_images, job.dataset.test_labels),
        validation_batch_size=TEST_BATCH_SIZE,
        callbacks=[*callbacks, log],
        verbose=0,
    )
    seconds = time.monotonic() - began
    last = log.rows[-1]
    guarantee = private.guarantee().with_metrics(
        {"accuracy": last.test_accuracy, "loss": last.test_loss}
    )
    path = export(
        private, destination, guarantee=guarantee, class_names=job.dataset.class_names
    )
    _draw(job, log, folder, f"epsilon {job.plan.epsilon:g}")
    return TrainingResult(
        accuracy=last.test_accuracy,
        loss=last.test_loss,
        seconds=seconds,
        updates=private.ledger.updates,
        discarded_examples=int(private.discarded_examples.numpy()),
        rows=tuple(log.rows),
        model_path=path,
        guarantee=guarantee,
    )


def train_without_privacy(
    job: TrainingJob,
    folder: RunFolder,
    *,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    observers: tuple[Callable[[EpochRow], None], ...] = (),
) -> TrainingResult:
    """Trains the same recipe by ordinary gradients: no clipping, no noise, no guarantee.

    The batches, the optimizer and its schedule are those of the private run; the model is kept in the
    run's folder as a Keras file and not among the models that may be published.

    Args:
        job: From `prepare`.
        folder: Where log, plot and model go.
        callbacks: Keras callbacks, for example a progress display.
        observers: Called at the end of each epoch.
    """
    batches = job.plan.batches(job.dataset.train_images, job.dataset.train_labels)
    job.model.compile(
        optimizer=_optimizer(job), loss=_loss(), metrics=["accuracy"], jit_compile=False
    )
    log = _log(job, folder, None, observers)
    began = time.monotonic()
    job.model.fit(
        batches.dataset(0).repeat(),
        epochs=-(-job.plan.updates // job.plan.updates_per_epoch),
        steps_per_epoch=job.plan.updates_per_epoch,
        validation_data=(job.dataset.test_images, job.dataset.test_labels),
        validation_batch_size=TEST_BATCH_SIZE,
        callbacks=[*callbacks, log, _StopAfter(job.plan.updates)],
        verbose=0,
    )
    seconds = time.monotonic() - began
    path = folder.path / "not-private.keras"
    job.model.save(path)
    _draw(job, log, folder, "not private")
    last = log.rows[-1]
    return TrainingResult(
        accuracy=last.test_accuracy,
        loss=last.test_loss,
        seconds=seconds,
        updates=last.updates,
        discarded_examples=0,
        rows=tuple(log.rows),
        model_path=path,
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


def _optimizer(job: TrainingJob) -> keras.optimizers.Optimizer:
    plan = job.plan
    return job.recipe.optimizer.build(plan.updates, plan.examples / plan.batch_size)


def _loss() -> keras.losses.Loss:
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def _log(
    job: TrainingJob,
    folder: RunFolder,
    epsilon_after: Callable[[int], float] | None,
    observers: tuple[Callable[[EpochRow], None], ...],
) -> MetricsLog:
    return MetricsLog(
        folder.metrics, folder.events, job.plan.batch_size, epsilon_after, observers
    )


def _draw(job: TrainingJob, log: MetricsLog, folder: RunFolder, privacy: str) -> None:
    title = f"{job.recipe.model}, {job.recipe.name}, {privacy}"
    draw_learning_curve(log.rows, title, folder.learning_curve)
