"""From a Keras loss to one loss for each example."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfdpzoo.dpsgd.per_example import PerExampleLoss
from tfdpzoo.errors import InputError


def per_example_loss(loss: Any) -> PerExampleLoss:
    """Returns the function that gives each example's loss, whatever reduction the loss has.

    Args:
        loss: A `keras.losses.Loss`, the name of one, or a function of labels and predictions.

    Raises:
        InputError: When called: the loss gives one number for the whole batch, so that no example
            has a gradient of its own to clip.

    Example:
        >>> losses = per_example_loss("mean_squared_error")
        >>> losses(tf.constant([[1.0], [3.0]]), tf.constant([[0.0], [0.0]])).numpy().tolist()
        [1.0, 9.0]
    """
    if loss is None or isinstance(loss, dict | list | tuple):
        raise InputError("PrivateModel.compile needs one loss, for a model with one output.")
    resolved = keras.losses.get(loss)
    function = resolved.call if isinstance(resolved, keras.losses.Loss) else resolved

    def losses(labels: tf.Tensor, predictions: tf.Tensor) -> tf.Tensor:
        values = tf.convert_to_tensor(function(labels, tf.cast(predictions, tf.float32)))
        if values.shape.rank == 0:
            raise InputError(
                "The loss gives one number for the whole batch; private training needs a loss that "
                "gives one for each example, such as keras.losses.SparseCategoricalCrossentropy."
            )
        return tf.reduce_mean(values, axis=list(range(1, values.shape.rank)))

    return losses
