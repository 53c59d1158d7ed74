"""Small training jobs that tests of training share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from tfdpzoo.data import ImageDataset, Normalization
from tfdpzoo.recipe import OptimizerSettings, PrivacySettings, Recipe
from tfdpzoo.training_job import TrainingJob, prepare

EXAMPLES, BATCH, EPOCHS = 200, 40, 2
UPDATES = EPOCHS * EXAMPLES // BATCH


def tiny_recipe(learning_rate: float = 0.5, averaging_decay: float = 0.9) -> Recipe:
    """Two epochs of a dense layer."""
    return Recipe(
        name="tiny",
        model="dense",
        description="A test",
        dataset="stripes",
        privacy=PrivacySettings(
            epsilon=8.0, delta=1e-3, batch_size=BATCH, epochs=EPOCHS, clip_norm=1.0
        ),
        optimizer=OptimizerSettings("sgd", learning_rate, "cosine"),
        averaging_decay=averaging_decay,
    )


def stripes(first_image: int | None = None) -> ImageDataset:
    """Two classes, told apart by the direction of their stripes."""
    generator = np.random.default_rng(0)

    def images(labels: np.ndarray) -> np.ndarray:
        stripes = np.zeros((2, 8, 8, 1))
        stripes[0, ::2] = stripes[1, :, ::2] = 200
        return (stripes[labels] + generator.integers(1, 55, (len(labels), 8, 8, 1))).astype("uint8")

    train_labels, test_labels = np.arange(EXAMPLES) % 2, np.arange(50) % 2
    train_images = images(train_labels)
    if first_image is not None:
        train_images[0] = first_image
    return ImageDataset(
        "stripes",
        train_images,
        train_labels,
        images(test_labels),
        test_labels,
        ("rows", "columns"),
        Normalization.centered(1),
    )


def dense(input_shape: tuple[int, int, int], classes: int) -> keras.Model:
    """The recipe's network."""
    return keras.Sequential(
        [keras.Input(input_shape), keras.layers.Flatten(), keras.layers.Dense(classes)]
    )


def job_of(
    builder: Callable[..., keras.Model] = dense,
    dataset: ImageDataset | None = None,
    **arguments: Any,
) -> TrainingJob:
    """What is trained, by default all of the above."""
    recipe = arguments.pop("recipe", None) or tiny_recipe()
    return prepare(recipe, dataset or stripes(), builder, **arguments)
