"""Rule of a factor and a summand for each channel."""

from __future__ import annotations

import tensorflow as tf

from tfdpzoo.dpsgd.rules.registry import register_expanded_call
from tfdpzoo.layers.scale_bias import ScaleBias


@register_expanded_call(ScaleBias)
def scale_bias(layer: ScaleBias, inputs: tf.Tensor, *copies: tf.Tensor) -> tf.Tensor:
    """The layer's call with `copies` (scale, bias; those that the layer has) `(B, channels)`."""
    remaining = iter(copies)
    scale = next(remaining) if layer.use_scale else None
    bias = next(remaining) if layer.use_bias else None
    return tf.cast(scaled_and_shifted(inputs, scale, bias), inputs.dtype)


def scaled_and_shifted(
    inputs: tf.Tensor, scale: tf.Tensor | None, bias: tf.Tensor | None
) -> tf.Tensor:
    """Returns `inputs * scale + bias` in float32, with a row of each for each example.

    Args:
        inputs: `(B, ..., *trailing)`.
        scale: `(B, *trailing)`, or None.
        bias: `(B, *trailing)`, or None.
    """
    outputs = tf.cast(inputs, tf.float32)
    if scale is not None:
        outputs *= _beside_middle_axes(scale, outputs)
    if bias is not None:
        outputs += _beside_middle_axes(bias, outputs)
    return outputs


def _beside_middle_axes(values: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
    middle = [1] * (outputs.shape.rank - values.shape.rank)
    return tf.reshape(values, (-1, *middle, *values.shape[1:]))
