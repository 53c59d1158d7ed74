"""Small private trainings that several tests of `tfdpzoo.dpsgd` share."""

from __future__ import annotations

import functools
from typing import Any

import keras
import numpy as np

from tfdpzoo.dpsgd.model import PrivateModel
from tfdpzoo.dpsgd.plan import PrivacyPlan
from tfdpzoo.dpsgd.secret_key import SecretKey

layers = keras.layers
EXAMPLES, BATCH, CLASSES = 60, 12, 3
KEY = SecretKey.from_seed(0)
CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.normal(size=(EXAMPLES, 6, 6, 1)).astype("float32")
LABELS = RANDOM.integers(0, CLASSES, EXAMPLES)


@functools.cache
def plan_of(updates: int, noise_multiplier: float = 1.1, clip_norm: float = 0.8) -> PrivacyPlan:
    """A plan for the 60 images, in batches of 12."""
    return PrivacyPlan.from_noise_multiplier(
        noise_multiplier=noise_multiplier,
        delta=1e-3,
        examples=EXAMPLES,
        batch_size=BATCH,
        updates=updates,
        clip_norm=clip_norm,
    )


def sequential(*parts: keras.layers.Layer, shape: tuple[int, ...] = (6, 6, 1)) -> keras.Model:
    """A model of these layers alone."""
    return keras.Sequential([keras.Input(shape), *parts])


def small_model(*, regularizer: Any = None) -> keras.Model:
    """A convolution, a normalisation and a dense layer."""
    keras.utils.set_random_seed(0)
    return sequential(
        layers.Conv2D(4, 3, activation="selu", kernel_regularizer=regularizer),
        layers.GroupNormalization(2),
        layers.Flatten(),
        layers.Dense(CLASSES),
    )


def linear_model() -> keras.Model:
    """For tests of what is counted: quick to trace."""
    keras.utils.set_random_seed(0)
    return sequential(layers.Flatten(), layers.Dense(CLASSES))


def private_model(
    plan: PrivacyPlan,
    *,
    model: keras.Model | None = None,
    optimizer: Any = None,
    loss: Any = CROSS_ENTROPY,
    metrics: Any = None,
    compiling: dict | None = None,
    **arguments: Any,
) -> PrivateModel:
    """A compiled model with a fixed key, unless another is given."""
    private = PrivateModel(model or linear_model(), plan, **{"key": KEY, **arguments})
    private.compile(
        optimizer=optimizer or keras.optimizers.SGD(0.5),
        loss=loss,
        metrics=metrics,
        **(compiling or {}),
    )
    return private


def train(
    plan: PrivacyPlan,
    *,
    images: np.ndarray = IMAGES,
    labels: np.ndarray = LABELS,
    fitting: dict | None = None,
    **arguments: Any,
) -> PrivateModel:
    """A model that was trained with all that the plan allows."""
    private = private_model(plan, **arguments)
    private.fit(plan.batches(images, labels, key=KEY), verbose=0, **(fitting or {}))
    return private


def weights_of(model: keras.Model) -> list[np.ndarray]:
    """Copies of the trainable weights."""
    return [variable.numpy() for variable in model.trainable_variables]
