"""Rule of the dense layer."""

from __future__ import annotations

import keras
import tensorflow as tf

from tfdpzoo.dpsgd.gradients import (
    Instantiated,
    OuterProduct,
    PositionProducts,
    RowGradients,
)
from tfdpzoo.dpsgd.rules.registry import register_rule


@register_rule(keras.layers.Dense)
def dense_rule(
    layer: keras.layers.Dense, inputs: tf.Tensor, output_gradients: tf.Tensor
) -> list[RowGradients]:
    """The kernel's gradient is inputs (x) output gradients, summed over any axes between."""
    kernel = _kernel_gradient(inputs, output_gradients)
    if not layer.use_bias:
        return [kernel]
    middle = list(range(1, output_gradients.shape.rank - 1))
    return [kernel, Instantiated(tf.reduce_sum(output_gradients, axis=middle))]


def _kernel_gradient(inputs: tf.Tensor, output_gradients: tf.Tensor) -> RowGradients:
    if inputs.shape.rank == 2:
        return OuterProduct(inputs, output_gradients)
    rows = _merge_middle_axes(inputs)
    columns = _merge_middle_axes(output_gradients)
    return PositionProducts(rows, columns, (rows.shape[-1], columns.shape[-1]))


def _merge_middle_axes(values: tf.Tensor) -> tf.Tensor:
    positions = values.shape[1:-1].num_elements()
    return tf.reshape(values, (tf.shape(values)[0], positions, values.shape[-1]))
