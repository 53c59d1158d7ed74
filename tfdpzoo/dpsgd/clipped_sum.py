"""The private step's inner part as one function, for training loops of one's own."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfdpzoo.dpsgd.chunks import sum_over_chunks
from tfdpzoo.dpsgd.engine import FastEngine
from tfdpzoo.dpsgd.losses import per_example_loss
from tfdpzoo.dpsgd.validate import choose_differentiation, require_private_trainable
from tfdpzoo.errors import InputError

_CHECKED_LABELS = 3
_SEED = 20220509


class ClippedGradients(NamedTuple):
    """A clipped sum and what it was made from.

    Attributes:
        gradients: The sum, one tensor for each of `model.trainable_variables`, in their order.
        norms: `(B,)`, each example's gradient norm over all variables, before clipping.
    """

    gradients: list[tf.Tensor]
    norms: tf.Tensor


def clipped_gradient_sum(
    model: keras.Model,
    loss: Any,
    images: Any,
    labels: Any,
    clip_norm: float,
    weights: Any = None,
    chunk: int | None = None,
) -> ClippedGradients:
    """Clips the gradient of each example and adds them up.

    The model is checked first, which takes longer than the gradients of a small batch; call this
    inside of a `tf.function`, where the check is made once, when the function is traced.

    Formal guarantee:
        Adding or removing one example moves the sum by at most `clip_norm` in Euclidean norm, up to
        float32 rounding (on a GPU inside of `tfdpzoo.dpsgd.full_float32.full_float32()`). The sum
        alone is not private: add normal noise of standard deviation noise multiplier times
        `clip_norm` before it is used, and account for every sum that is made. The norms are never
        private. `PrivateModel` does all of this.

    Args:
        model: A built model in which no layer mixes examples.
        loss: A Keras loss, its name, or a function from labels and predictions to B losses.
        images: `(B, ...)`, the model's input.
        labels: `(B, ...)`.
        clip_norm: C, the largest Euclidean norm of one example's contribution.
        weights: `(B,)`, 1 for an example and 0 for padding; by default all 1.
        chunk: How many examples are differentiated at once; by default all.

    Returns:
        The sum and the norms. An example whose gradient is not finite contributes exact zeros, and
        its norm is not finite.

    Raises:
        InputError: The model or the loss mixes examples, or the clip norm or the chunk is not above
            zero.

    Example:
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False)])
        >>> model.set_weights([np.zeros((2, 1))])
        >>> images, labels = tf.constant([[3.0, 4.0], [0.3, 0.4]]), tf.constant([[0.5], [0.5]])
        >>> clipped = clipped_gradient_sum(model, "mean_squared_error", images, labels, 1.0)
        >>> np.round(clipped.norms.numpy(), 3).tolist()
        [5.0, 0.5]
        >>> [round(float(value), 3) for value in tf.reshape(clipped.gradients[0], [-1])]
        [-0.9, -1.2]
    """
    if not clip_norm > 0:
        raise InputError(f"clip_norm is {clip_norm!r}; it must be above 0.")
    images, labels = tf.convert_to_tensor(images), tf.convert_to_tensor(labels)
    rows = tf.shape(images)[0]
    ones = tf.ones((rows,)) if weights is None else tf.cast(weights, tf.float32)
    size = chunk if chunk is not None else images.shape[0]
    if size is None or size < 1:
        raise InputError(
            f"chunk is {size!r}; give the number of examples to differentiate at once, at least 1."
        )
    of_examples = per_example_loss(loss)
    engine = FastEngine(model, of_examples, clip_norm)
    with tf.init_scope():
        require_private_trainable(model)
        engine.differentiate = choose_differentiation(model, of_examples, _labels_like(labels))
    result = sum_over_chunks(engine, images, labels, ones, size)
    return ClippedGradients(result.gradients, result.norms)


def _labels_like(labels: tf.Tensor) -> np.ndarray:
    """Returns labels of the same form: the first class, or random rows."""
    shape = (_CHECKED_LABELS, *labels.shape[1:])
    if not labels.dtype.is_floating:
        return np.zeros(shape, labels.dtype.as_numpy_dtype)
    return np.random.default_rng(_SEED).uniform(0.1, 0.9, shape).astype(labels.dtype.as_numpy_dtype)
