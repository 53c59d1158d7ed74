"""Per-example gradients of any layer, by vectorising that layer alone."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfdpzoo.dpsgd.gradients import Instantiated, RowGradients


def generic_gradients(
    layer: keras.layers.Layer,
    arguments: tuple[tuple, dict[str, Any]],
    output_gradients: tf.Tensor,
    *,
    training: bool,
) -> list[RowGradients]:
    """Differentiates a layer's call example by example, in one vectorised pass.

    Args:
        layer: The layer whose trainable variables are asked for.
        arguments: What it was called with; every tensor among them has an example in each row.
        output_gradients: The loss gradient at the call's output, `(B, ...)`.
        training: What the model's layers are told, as in Keras.
    """
    leaves = tf.nest.flatten(arguments)
    batched = [leaf for leaf in leaves if tf.is_tensor(leaf)]
    variables = [variable.value for variable in layer.trainable_variables]

    def one_example(row: tuple[list[tf.Tensor], tf.Tensor]) -> list[tf.Tensor]:
        tensors, gradient = row
        remaining = iter(tensors)
        filled = [next(remaining)[None] if tf.is_tensor(leaf) else leaf for leaf in leaves]
        args, kwargs = tf.nest.pack_sequence_as(arguments, filled)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            for variable in variables:
                tape.watch(variable)
            output = layer(*args, **{**kwargs, "training": training})
        return tape.gradient(
            output,
            variables,
            output_gradients=gradient[None],
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )

    stacked = tf.vectorized_map(one_example, (batched, output_gradients))
    return [Instantiated(tf.cast(values, tf.float32)) for values in stacked]
