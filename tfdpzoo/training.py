"""From a recipe and a data set to a SavedModel that carries its guarantee."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfdpzoo.checkpoint import CheckpointFolder
from tfdpzoo.checkpoint_interval import DEFAULT_INTERVAL, CheckpointInterval
from tfdpzoo.checkpointing import Checkpointing
from tfdpzoo.cluster import cluster_of, lost_workers_told
from tfdpzoo.data import ImageDataset, IndexedImages
from tfdpzoo.data.streams import batches_in_order, original_errors
from tfdpzoo.divergence import DEFAULT_PATIENCE, DivergedError, DivergenceWatch
from tfdpzoo.dpsgd.execution import ExecutionSettings
from tfdpzoo.dpsgd.model import PrivateModel
from tfdpzoo.dpsgd.plan import PrivacyPlan
from tfdpzoo.dpsgd.secret_key import SecretKey
from tfdpzoo.dpsgd.training_state import restore_training_state
from tfdpzoo.errors import InputError
from tfdpzoo.interruption import StopRequest
from tfdpzoo.learning_curve import draw_learning_curve
from tfdpzoo.metrics_log import EpochRow, MetricsLog
from tfdpzoo.preprocessing import take_pixels
from tfdpzoo.privacy.guarantee import PrivacyGuarantee
from tfdpzoo.recipe import Recipe
from tfdpzoo.run_folder import RunFolder
from tfdpzoo.run_start import RunStart, first_start
from tfdpzoo.saved_model import export
from tfdpzoo.version_folder import check_destination, free_version

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
        strategy: Where the model was built and is trained.
    """

    recipe: Recipe
    dataset: ImageDataset
    model: keras.Model
    plan: PrivacyPlan
    engine: str = "fast"
    strategy: tf.distribute.Strategy = field(default_factory=tf.distribute.get_strategy)

    @property
    def epochs(self) -> int:
        """How many epochs are shown, the last of which may be short."""
        return -(-self.plan.updates // self.plan.updates_per_epoch)


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


@lost_workers_told()
def prepare(
    recipe: Recipe,
    dataset: ImageDataset,
    builder: Builder,
    *,
    plan: PrivacyPlan | None = None,
    engine: str = "fast",
    initialization_seed: int | None = None,
    strategy: tf.distribute.Strategy | None = None,
) -> TrainingJob:
    """Builds the model and calibrates the plan; executes nothing.

    Args:
        recipe: What to run.
        dataset: What to run it on.
        builder: Builds the recipe's model.
        plan: The privacy plan of a run that goes on; by default that of the recipe.
        engine: `"fast"` or `"tf-privacy"`.
        initialization_seed: Seed of the initial weights, which need not be secret; None for another
            initialisation in each run.
        strategy: Where to train, see `tfdpzoo.distribution`; by default on one device.

    Raises:
        InputError: The privacy settings do not fit the data, or the model cannot be built.
    """
    strategy = strategy or tf.distribute.get_strategy()
    plan = plan or plan_for(recipe, dataset.examples)
    recipe.augmentation.require_room(*dataset.input_shape[:2])
    if initialization_seed is not None:
        keras.utils.set_random_seed(initialization_seed)
    try:
        with strategy.scope(), _computing_in(recipe.precision):
            inner = builder(
                input_shape=dataset.input_shape, classes=dataset.classes, **recipe.architecture
            )
            model = take_pixels(inner, dataset.normalization)
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        raise InputError(
            f"The weights of {recipe.model} do not fit into memory with architecture = "
            f"{dict(recipe.architecture)}; make it smaller."
        ) from error
    return TrainingJob(recipe, dataset, model, plan, engine, strategy)


@contextmanager
def _computing_in(precision: str) -> Iterator[None]:
    """Lets layers that are built inside compute in a precision; their weights are float32."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy({"bfloat16": "mixed_bfloat16"}.get(precision, precision))
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


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
    log = _log(job, folder, job.plan.epsilon_after, observers, start)
    began = time.monotonic()
    with _drawn_at_the_end(job, log, folder, _privacy(job, start.key)):
        warning = _fit(job, private, start, checkpoints, [watch, saving, log, *callbacks])
    seconds = start.seconds + time.monotonic() - began
    accuracy, loss = _measured(job, private, log)
    guarantee = private.guarantee().with_metrics({"accuracy": accuracy, "loss": loss})
    path = export(
        private,
        free_version(destination),
        guarantee=guarantee,
        class_names=job.dataset.class_names,
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
        log = _log(job, RunFolder(Path(scratch)), None, (), start)
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
    with _enough_memory():
        try:
            private.fit(batches, callbacks=callbacks, **_validation(job))
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
        private.compile(optimizer=_optimizer(job), loss=_loss(), metrics=["accuracy"])
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
        last = _last_row(log)
        return last.test_accuracy, last.test_loss
    found = private.evaluate(**_test_examples(job), verbose=0, return_dict=True)
    return float(found["accuracy"]), float(found["loss"])


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
    optimizer = _optimizer(job)
    optimizer.global_clipnorm = job.plan.clip_norm
    job.model.compile(optimizer=optimizer, loss=_loss(), metrics=["accuracy"], jit_compile=False)
    log = _log(job, folder, None, observers, None)
    began = time.monotonic()
    with (
        _drawn_at_the_end(job, log, folder, "not private"),
        _enough_memory(),
        original_errors(),
    ):
        job.model.fit(
            _views(batches.dataset(0, augmentation=job.recipe.augmentation), job.recipe).repeat(),
            epochs=job.epochs,
            steps_per_epoch=job.plan.updates_per_epoch,
            shuffle=False,
            callbacks=[log, *callbacks, _StopAfter(job.plan.updates)],
            **_validation(job),
        )
    seconds = time.monotonic() - began
    last = _last_row(log)
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
    start: RunStart | None,
) -> MetricsLog:
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


def _validation(job: TrainingJob) -> dict[str, Any]:
    examples = _test_examples(job)
    if "y" not in examples:
        return {"validation_data": examples["x"], "verbose": 0}
    return {
        "validation_data": (examples["x"], examples["y"]),
        "validation_batch_size": examples["batch_size"],
        "verbose": 0,
    }


def _test_examples(job: TrainingJob) -> dict[str, Any]:
    """What Keras evaluates on: arrays, or batches of images that are read by index."""
    images, labels = job.dataset.test_images, job.dataset.test_labels
    if isinstance(images, IndexedImages):
        return {"x": batches_in_order(images, labels, TEST_BATCH_SIZE)}
    return {"x": images, "y": labels, "batch_size": TEST_BATCH_SIZE}


@contextmanager
def _drawn_at_the_end(
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
def _enough_memory() -> Iterator[None]:
    try:
        yield
    except tf.errors.ResourceExhaustedError as error:
        raise InputError(
            "The gradients of one chunk of examples do not fit into the device's memory; set a "
            "smaller execution.chunk, such as 8, which changes nothing but memory and speed."
        ) from error


def _last_row(log: MetricsLog) -> EpochRow:
    last = log.rows[-1]
    if not math.isfinite(last.test_loss):
        raise InputError(
            f"Training diverged: the test loss is {last.test_loss} after {last.updates} updates, "
            "so no model was written; lower optimizer.learning_rate."
        )
    return last


def _privacy(job: TrainingJob, key: SecretKey) -> str:
    target = f"epsilon {job.plan.epsilon:g}"
    return f"{target}, INVALID: known seed" if key.reproducible else target
