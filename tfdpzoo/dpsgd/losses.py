"""From a Keras loss to one loss for each example."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tfdpzoo.errors import InputError

_FEW = 8


@dataclasses.dataclass(frozen=True)
class PerExampleLoss:
    """A loss of each example alone, whatever the function would make of a batch.

    Formal guarantee:
        Row i of the result, and its gradient, depends on row i of the labels and predictions alone:
        the function is given one example at a time, by `tf.vectorized_map`.

    Attributes:
        of_batch: From labels and predictions of B examples to B losses, or to more for each.
    """

    of_batch: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]

    def __call__(self, labels: tf.Tensor, predictions: tf.Tensor) -> tf.Tensor:
        """Returns the losses `(B,)`."""

        def one_example(row: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
            label, prediction = row
            return tf.reduce_mean(self.of_batch(label[None], prediction[None]))

        labels, predictions = tf.convert_to_tensor(labels), tf.cast(predictions, tf.float32)
        if tf.executing_eagerly() and len(labels) <= _FEW:
            # Outside of a graph vectorizing takes longer than a few examples one after the other.
            return tf.stack([one_example(row) for row in zip(labels, predictions, strict=True)])
        return tf.vectorized_map(one_example, (labels, predictions))


def mean_of_views(losses: tf.Tensor, views: int) -> tf.Tensor:
    """Returns `(B,)` means of `(B * views,)` losses; the views of an example are neighbours."""
    return losses if views == 1 else tf.reduce_mean(tf.reshape(losses, (-1, views)), axis=1)


def per_example_loss(loss: Any) -> PerExampleLoss:
    """Returns the loss of each example, whatever reduction a Keras loss has.

    Args:
        loss: A `keras.losses.Loss`, the name of one, or a function of labels and predictions.

    Raises:
        InputError: There is no loss, or more than one.

    Example:
        >>> losses = per_example_loss("mean_squared_error")
        >>> losses(tf.constant([[1.0], [3.0]]), tf.constant([[0.0], [0.0]])).numpy().tolist()
        [1.0, 9.0]
    """
    if loss is None or isinstance(loss, dict | list | tuple):
        raise InputError("PrivateModel.compile needs one loss, for a model with one output.")
    if isinstance(loss, str):
        return PerExampleLoss(_with_column_labels(keras.losses.get(loss)))
    return PerExampleLoss(loss.call if isinstance(loss, keras.losses.Loss) else loss)


def with_weight_losses(
    gradients: list[tf.Tensor], variables: list[keras.Variable]
) -> list[tf.Tensor]:
    """Adds the gradients of weight regularisers, which depend on no example and need no noise.

    Args:
        gradients: Noised mean gradients, one for each variable.
        variables: The trained variables.
    """
    regularized = [variable for variable in variables if variable.regularizer is not None]
    if not regularized:
        return gradients
    values = [variable.value for variable in variables]
    with tf.GradientTape() as tape:
        penalty = tf.add_n([variable.regularizer(variable) for variable in regularized])
    added = tape.gradient(penalty, values, unconnected_gradients="zero")
    return [gradient + part for gradient, part in zip(gradients, added, strict=True)]


def _with_column_labels(
    function: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Makes labels `(B,)` a column for predictions `(B, 1)`, as Keras does for losses by name."""

    def losses(labels: tf.Tensor, predictions: tf.Tensor) -> tf.Tensor:
        missing = predictions.shape.rank - labels.shape.rank
        if missing == 1 and predictions.shape[-1] == 1:
            labels = labels[..., None]
        return function(labels, predictions)

    return losses
