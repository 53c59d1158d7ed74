"""Per-example gradients in the slowest and plainest way: one example, one tape."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from tfdpzoo.dpsgd.losses import per_example_loss

LOSS = per_example_loss(keras.losses.SparseCategoricalCrossentropy(from_logits=True))


def gradients_one_at_a_time(
    model: keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    loss: Callable = LOSS,
    training: bool = True,
) -> list[np.ndarray]:
    """For each trainable variable `(B, *shape)` in float64, each example in a batch of its own."""
    variables = [variable.value for variable in model.trainable_variables]
    rows = []
    for index in range(len(images)):
        one = slice(index, index + 1)
        with tf.GradientTape() as tape:
            value = loss(
                tf.constant(labels[one]), model(tf.constant(images[one]), training=training)
            )
        found = tape.gradient(value, variables, unconnected_gradients="zero")
        rows.append([tf.convert_to_tensor(gradient).numpy() for gradient in found])
    return [np.stack(column).astype("float64") for column in zip(*rows, strict=True)]


def clipped_sum(
    gradients: Sequence[np.ndarray], clip_norm: float, weights: np.ndarray | None = None
) -> list[np.ndarray]:
    """The definition: each example's gradient scaled by min(1, C / norm), added up."""
    norms = np.sqrt(sum((g.reshape(len(g), -1) ** 2).sum(axis=1) for g in gradients))
    factors = np.minimum(1.0, clip_norm / np.maximum(norms, 1e-300))
    factors = factors if weights is None else factors * weights
    return [np.tensordot(factors, gradient, axes=1) for gradient in gradients]


def relative_error(found: Sequence, expected: Sequence) -> float:
    """Distance of all variables together, relative to the norm of what is expected."""
    pairs = [
        (np.asarray(a, "float64"), np.asarray(b, "float64"))
        for a, b in zip(found, expected, strict=True)
    ]
    distance = np.sqrt(sum(np.sum((a - b) ** 2) for a, b in pairs))
    return float(distance / np.sqrt(sum(np.sum(b**2) for _, b in pairs)))


def norm(values: Sequence) -> float:
    """Euclidean norm of all variables together, in float64."""
    return float(np.sqrt(sum(np.sum(np.asarray(value, "float64") ** 2) for value in values)))


def examples_of(differentiated, count: int) -> list[np.ndarray]:
    """Every example's gradient, taken out by a weighted sum: the way in which it is used."""
    eye = tf.eye(count)
    return [
        np.stack([gradient.weighted_sum(eye[row]).numpy() for row in range(count)])
        for gradient in differentiated.gradients
    ]
