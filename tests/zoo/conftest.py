"""Per-example gradients of a whole model of the zoo against one example at a time."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf
from reference_gradients import LOSS, examples_of, gradients_one_at_a_time, relative_error

from tfdpzoo.dpsgd.per_example import differentiate
from tfdpzoo.dpsgd.validate import choose_differentiation, require_private_trainable


@pytest.fixture(scope="session")
def gradient_errors() -> Callable[..., list[float]]:
    """A function from a model to the relative errors of examples' gradients."""
    return _gradient_errors


def _gradient_errors(model: keras.Model, examples: int = 2) -> list[float]:
    """All variables together; the model passes the checks before training and has rules."""
    random = np.random.default_rng(0)
    images = random.normal(size=(examples, *model.input_shape[1:])).astype("float32")
    labels = random.integers(0, model.output_shape[-1], examples)
    require_private_trainable(model)
    assert choose_differentiation(model, LOSS, labels) is differentiate
    found = differentiate(model, LOSS, tf.constant(images), tf.constant(labels))
    expected = gradients_one_at_a_time(model, images, labels)
    rows = examples_of(found, examples)
    return [
        relative_error([row[example] for row in rows], [row[example] for row in expected])
        for example in range(examples)
    ]
