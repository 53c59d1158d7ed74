"""What is decided before training begins: the plan, the data and the model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import keras
import tensorflow as tf

from tfdpzoo.cluster import lost_workers_told
from tfdpzoo.data import ImageDataset
from tfdpzoo.dpsgd.plan import PrivacyPlan
from tfdpzoo.errors import InputError
from tfdpzoo.preprocessing import take_pixels
from tfdpzoo.recipe import Recipe

Builder = Callable[..., keras.Model]
"""Builds an architecture from `input_shape`, `classes` and its own arguments, as the zoo's do."""


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
        optimizer: In the place of the recipe's; None for that.
    """

    recipe: Recipe
    dataset: ImageDataset
    model: keras.Model
    plan: PrivacyPlan
    engine: str = "fast"
    strategy: tf.distribute.Strategy = field(default_factory=tf.distribute.get_strategy)
    optimizer: keras.optimizers.Optimizer | None = None

    @property
    def epochs(self) -> int:
        """How many epochs are shown, the last of which may be short."""
        return -(-self.plan.updates // self.plan.updates_per_epoch)


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
