"""Rules of convolutions: the kernel's gradient is patches^T times output gradients."""

from __future__ import annotations

import dataclasses

import keras
import tensorflow as tf

from tfdpzoo.dpsgd.gradients import (
    Instantiated,
    PositionProducts,
    RowGradients,
    Transposed,
    gram_is_cheaper,
)
from tfdpzoo.dpsgd.rules.registry import register_rule
from tfdpzoo.hardware import accelerators

# Measured on two cores with 2 MiB of second-level cache each, see docs/engine.md.
_MOST_COPIED_BYTES = 2**21


def _is_channels_last(layer: keras.layers.Layer) -> bool:
    return layer.data_format == "channels_last"


@register_rule(keras.layers.Conv2D, applies=_is_channels_last)
def convolution_rule(
    layer: keras.layers.Conv2D, inputs: tf.Tensor, output_gradients: tf.Tensor
) -> list[RowGradients]:
    """One batched matrix product: (positions, patch)^T x (positions, filters) for each example.

    Where the copies that this takes are large, one call of the convolution's own gradient for each
    example, which needs none.
    """
    bias = _bias_gradient(layer, output_gradients)
    if layer.groups > 1:
        return [_grouped_kernel(layer, inputs, output_gradients), *bias]
    if _leaves_cache(layer, inputs, output_gradients):
        return [OneByOne(layer, inputs, output_gradients), *bias]
    if _unfolds_gradients(layer, inputs, output_gradients):
        return [_kernel_from_unfolded_gradients(layer, inputs, output_gradients), *bias]
    patches = _positions_first(extract_patches(layer, inputs))
    shape = (*layer.kernel_size, inputs.shape[-1], output_gradients.shape[-1])
    return [PositionProducts(patches, _positions_first(output_gradients), shape), *bias]


def _leaves_cache(
    layer: keras.layers.Conv2D, inputs: tf.Tensor, output_gradients: tf.Tensor
) -> bool:
    """Tells whether a CPU would wait for the copies of the inputs that an example's patches are.

    A GPU would wait for the calls instead.
    """
    # TensorFlow differentiates no dilated convolution by its filters on every CPU.
    if _taps(layer) == 1 or layer.dilation_rate != (1, 1) or accelerators():
        return False
    channels, filters = inputs.shape[-1], output_gradients.shape[-1]
    positions, patch = output_gradients.shape[1:3].num_elements(), _taps(layer) * channels
    copied = 4 * positions * _taps(layer) * min(channels, filters)
    return copied >= _MOST_COPIED_BYTES and not gram_is_cheaper(positions, patch, filters)


@dataclasses.dataclass(frozen=True)
class OneByOne:
    """Gradients of a convolution's kernel by the convolution's own gradient, example by example.

    Attributes:
        layer: A convolution with neither groups nor dilation.
        inputs: `(rows, height, width, channels)`.
        output_gradients: `(rows, output height, output width, filters)`.
    """

    layer: keras.layers.Conv2D
    inputs: tf.Tensor
    output_gradients: tf.Tensor

    def of_examples(self, views: int) -> Instantiated:
        """Returns the gradients, each the sum over `views` consecutive rows."""
        examples = tuple(
            tf.reshape(values, (-1, views, *values.shape[1:]))
            for values in (self.inputs, self.output_gradients)
        )
        shape = (*self.layer.kernel_size, self.inputs.shape[-1], self.output_gradients.shape[-1])

        def of_example(rows: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
            own_inputs, own_gradients = rows
            return tf.raw_ops.Conv2DBackpropFilter(
                input=own_inputs,
                filter_sizes=shape,
                out_backprop=own_gradients,
                strides=(1, *self.layer.strides, 1),
                padding=self.layer.padding.upper(),
            )

        # One after the other: each uses all cores.
        signature = tf.TensorSpec(shape, tf.float32)
        return Instantiated(
            tf.map_fn(of_example, examples, parallel_iterations=1, fn_output_signature=signature)
        )


def _unfolds_gradients(
    layer: keras.layers.Conv2D, inputs: tf.Tensor, output_gradients: tf.Tensor
) -> bool:
    """Tells whether there are fewer filters than channels, and so less to copy."""
    single = layer.kernel_size == (1, 1) or layer.strides != (1, 1)
    return not single and output_gradients.shape[-1] < inputs.shape[-1]


def _kernel_from_unfolded_gradients(
    layer: keras.layers.Conv2D, inputs: tf.Tensor, output_gradients: tf.Tensor
) -> RowGradients:
    """The same sum with the shifts on the other side: inputs^T x shifted output gradients.

    At tap t the kernel's gradient is the sum over positions q of `inputs[q]` and
    `output_gradients[q - t]`.
    """
    size = inputs.shape[1:3]
    extents = [(k - 1) * d for k, d in zip(layer.kernel_size, layer.dilation_rate, strict=True)]
    before = [pads[0] for pads in _paddings_and_output_size(layer, inputs)[0]]
    margins = [
        (extent - pad, inner - 1 + pad - (outer - 1))
        for extent, pad, inner, outer in zip(
            extents, before, size, output_gradients.shape[1:3], strict=True
        )
    ]
    padded = tf.pad(output_gradients, [(0, 0), *margins, (0, 0)])
    shifted = tf.concat(
        [
            padded[
                :,
                extents[0] - down : extents[0] - down + size[0],
                extents[1] - right : extents[1] - right + size[1],
            ]
            for down in range(0, extents[0] + 1, layer.dilation_rate[0])
            for right in range(0, extents[1] + 1, layer.dilation_rate[1])
        ],
        axis=-1,
    )
    shape = (inputs.shape[-1], *layer.kernel_size, output_gradients.shape[-1])
    products = PositionProducts(_positions_first(inputs), _positions_first(shifted), shape)
    return Transposed(products, order=(1, 2, 0, 3))


def _grouped_kernel(
    layer: keras.layers.Conv2D, inputs: tf.Tensor, output_gradients: tf.Tensor
) -> Instantiated:
    """The same group by group; the kernel's filters are ordered by group."""
    groups, filters = layer.groups, output_gradients.shape[-1]
    positions = output_gradients.shape[1:3].num_elements()
    channels = inputs.shape[-1] // groups
    patches = tf.reshape(
        extract_patches(layer, inputs), (-1, positions, _taps(layer), groups, channels)
    )
    columns = tf.reshape(output_gradients, (-1, positions, groups, filters // groups))
    kernels = tf.einsum("bptgc,bpgf->btcgf", patches, columns)
    return Instantiated(tf.reshape(kernels, (-1, *layer.kernel_size, channels, filters)))


@register_rule(keras.layers.DepthwiseConv2D, applies=_is_channels_last)
def depthwise_rule(
    layer: keras.layers.DepthwiseConv2D, inputs: tf.Tensor, output_gradients: tf.Tensor
) -> list[RowGradients]:
    """As a convolution, channel by channel; output channel c * multiplier + m."""
    channels, multiplier = inputs.shape[-1], layer.depth_multiplier
    positions = output_gradients.shape[1:3].num_elements()
    patches = tf.reshape(extract_patches(layer, inputs), (-1, positions, _taps(layer), channels))
    columns = tf.reshape(output_gradients, (-1, positions, channels, multiplier))
    kernels = tf.einsum("bptc,bpcm->btcm", patches, columns)
    kernels = tf.reshape(kernels, (-1, *layer.kernel_size, channels, multiplier))
    return [Instantiated(kernels), *_bias_gradient(layer, output_gradients)]


def _taps(layer: keras.layers.Layer) -> int:
    return layer.kernel_size[0] * layer.kernel_size[1]


def extract_patches(layer: keras.layers.Layer, inputs: tf.Tensor) -> tf.Tensor:
    """Returns the patches that a convolution's kernel meets.

    Args:
        layer: A convolution with `kernel_size`, `strides`, `dilation_rate` and `padding`.
        inputs: `(B, height, width, channels)`.

    Returns:
        `(B, output height, output width, kernel height * kernel width * channels)`.
    """
    if layer.kernel_size == (1, 1) and layer.strides == (1, 1):
        return inputs
    # Slices side by side are two to three times as fast on a CPU as tf.image.extract_patches.
    return tf.concat(what_cells_meet(layer, inputs), axis=-1)


def what_cells_meet(layer: keras.layers.Layer, inputs: tf.Tensor) -> list[tf.Tensor]:
    """Returns for each cell of the kernel, row by row, the inputs that it is multiplied with.

    Args:
        layer: A convolution with `kernel_size`, `strides`, `dilation_rate` and `padding`.
        inputs: `(B, height, width, channels)`.

    Returns:
        Tensors `(B, output height, output width, channels)`.
    """
    paddings, output_size = _paddings_and_output_size(layer, inputs)
    padded = tf.pad(inputs, [(0, 0), *paddings, (0, 0)])
    rows, columns = (
        [_slice_of_cell(cell, layer, output_size, axis) for cell in range(layer.kernel_size[axis])]
        for axis in (0, 1)
    )
    return [padded[:, row, column] for row in rows for column in columns]


def _slice_of_cell(
    cell: int, layer: keras.layers.Layer, output_size: list[int], axis: int
) -> slice:
    """Returns where one row or column of the kernel meets the padded image."""
    first = cell * layer.dilation_rate[axis]
    stride = layer.strides[axis]
    return slice(first, first + (output_size[axis] - 1) * stride + 1, stride)


def _paddings_and_output_size(
    layer: keras.layers.Layer, inputs: tf.Tensor
) -> tuple[list[tuple[int, int]], list[int]]:
    """Returns how TensorFlow's convolutions pad with zeros, and the size of their output."""
    paddings, output_size = [], []
    for axis in (0, 1):
        size, stride = inputs.shape[1 + axis], layer.strides[axis]
        extent = (layer.kernel_size[axis] - 1) * layer.dilation_rate[axis] + 1
        if layer.padding == "valid":
            paddings.append((0, 0))
            output_size.append((size - extent) // stride + 1)
        else:
            output_size.append(-(-size // stride))
            missing = max((output_size[-1] - 1) * stride + extent - size, 0)
            paddings.append((missing // 2, missing - missing // 2))
    return paddings, output_size


def _positions_first(values: tf.Tensor) -> tf.Tensor:
    positions = values.shape[1:3].num_elements()
    return tf.reshape(values, (tf.shape(values)[0], positions, values.shape[-1]))


def _bias_gradient(layer: keras.layers.Layer, output_gradients: tf.Tensor) -> list[RowGradients]:
    if not layer.use_bias:
        return []
    return [Instantiated(tf.reduce_sum(output_gradients, axis=(1, 2)))]
