"""Rules of convolutions: the kernel's gradient is patches^T times output gradients."""

from __future__ import annotations

import dataclasses
import math

import keras
import tensorflow as tf

from tfdpzoo.dpsgd.gradients import (
    Instantiated,
    PerExampleGradient,
    PositionProducts,
    RowGradients,
    Transposed,
)
from tfdpzoo.dpsgd.rules.convolution_forms import OneByOne, PixelGram
from tfdpzoo.dpsgd.rules.patches import (
    HEIGHT_AND_WIDTH,
    cells,
    extract_patches,
    shifted_gradients,
    what_cells_meet,
)
from tfdpzoo.dpsgd.rules.registry import register_rule
from tfdpzoo.hardware import accelerators

# Measured on two cores with 2 MiB of second-level cache each, see docs/engine.md.
_MOST_COPIED_BYTES = 2**21
_COST_OF_FORMING = 6


def _is_channels_last(layer: keras.layers.Layer) -> bool:
    return layer.data_format == "channels_last"


@register_rule(keras.layers.Conv2D, applies=_is_channels_last)
def convolution_rule(
    layer: keras.layers.Conv2D, inputs: tf.Tensor, output_gradients: tf.Tensor
) -> list[RowGradients]:
    """The kernel's gradient in the form that is cheapest for its shape."""
    bias = _bias_gradient(layer, output_gradients)
    if layer.groups > 1:
        return [_grouped_kernel(layer, inputs, output_gradients), *bias]
    return [ConvolutionKernel(layer, inputs, output_gradients), *bias]


@dataclasses.dataclass(frozen=True)
class ConvolutionKernel:
    """Gradients of the kernel of a convolution without groups.

    Where positions are few, they are not formed: norms come from pairs of pixels. Elsewhere they
    are formed in one batched matrix product, or, where the copies that this takes are large, by one
    call of the convolution's own gradient for each example, which needs none.

    Attributes:
        layer: The convolution.
        inputs: `(rows, height, width, channels)`.
        output_gradients: `(rows, output height, output width, filters)`.
    """

    layer: keras.layers.Conv2D
    inputs: tf.Tensor
    output_gradients: tf.Tensor

    def of_examples(self, views: int) -> PerExampleGradient:
        """Returns the gradients, each the sum over `views` consecutive rows."""
        if self._calls_are_fast and self._pairs_are_few(views):
            return PixelGram(self.layer, self.inputs, self.output_gradients, views)
        if self._calls_are_fast and self._copied_bytes >= _MOST_COPIED_BYTES:
            formed: RowGradients = OneByOne(self.layer, self.inputs, self.output_gradients)
        else:
            formed = self._products()
        return formed.of_examples(views)

    @property
    def _calls_are_fast(self) -> bool:
        """Whether the convolution's own gradient is worth calling: on a CPU, and where it has one.

        TensorFlow differentiates no dilated convolution by its filters on every CPU. What a GPU
        takes for these calls was not measured.
        """
        return cells(self.layer) > 1 and self.layer.dilation_rate == (1, 1) and not accelerators()

    def _pairs_are_few(self, views: int) -> bool:
        """Tells by counted cost whether norms from pairs of pixels beat forming the gradients.

        The products of pairs are in float64 and are added up for each cell; to form the gradients
        takes products as well, and moves them through memory, out and in again.
        """
        channels, filters = self._channels_and_filters
        pixels, positions = (
            views * values.shape[1:3].num_elements()
            for values in (self.inputs, self.output_gradients)
        )
        of_pairs = pixels**2 * channels + positions**2 * filters
        return of_pairs < _COST_OF_FORMING * cells(self.layer) * channels * filters

    def _products(self) -> RowGradients:
        """One product (positions, patch)^T x (positions, filters) for each example.

        What the kernel's rows and columns meet is copied, for each of the two on the side where
        there is less to copy.
        """
        of_inputs = self._axes_of_inputs
        of_gradients = [axis for axis in HEIGHT_AND_WIDTH if axis not in of_inputs]
        left = what_cells_meet(self.layer, self.inputs, of_inputs)
        right = shifted_gradients(self.layer, self.inputs, self.output_gradients, of_gradients)
        order = [*of_inputs, 2, *of_gradients, 3]
        shape = (*self.layer.kernel_size, *self._channels_and_filters)
        products = PositionProducts(
            _positions_first(tf.concat(left, axis=-1)),
            _positions_first(tf.concat(right, axis=-1)),
            tuple(shape[axis] for axis in order),
        )
        if order == sorted(order):
            return products
        return Transposed(products, order=tuple(order.index(axis) for axis in range(4)))

    @property
    def _axes_of_inputs(self) -> tuple[int, ...]:
        """Along which axes the inputs are copied for each cell, and not the gradients."""
        if cells(self.layer) == 1 or self.layer.strides != (1, 1):
            return HEIGHT_AND_WIDTH
        return min(((0,), (1,), HEIGHT_AND_WIDTH, ()), key=self._copied_channels)

    def _copied_channels(self, axes_of_inputs: tuple[int, ...]) -> int:
        """Returns how many numbers are copied for each position."""
        of_inputs = math.prod(self.layer.kernel_size[axis] for axis in axes_of_inputs)
        copies = (of_inputs, cells(self.layer) // of_inputs)
        return sum(
            number * channels
            for number, channels in zip(copies, self._channels_and_filters, strict=True)
            if number > 1
        )

    @property
    def _copied_bytes(self) -> int:
        """What is copied for each example."""
        positions = self.output_gradients.shape[1:3].num_elements()
        return 4 * positions * self._copied_channels(self._axes_of_inputs)

    @property
    def _channels_and_filters(self) -> tuple[int, int]:
        return self.inputs.shape[-1], self.output_gradients.shape[-1]


def _grouped_kernel(
    layer: keras.layers.Conv2D, inputs: tf.Tensor, output_gradients: tf.Tensor
) -> Instantiated:
    """The same group by group; the kernel's filters are ordered by group."""
    groups, filters = layer.groups, output_gradients.shape[-1]
    positions = output_gradients.shape[1:3].num_elements()
    channels = inputs.shape[-1] // groups
    patches = tf.reshape(
        extract_patches(layer, inputs), (-1, positions, cells(layer), groups, channels)
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
    patches = tf.reshape(extract_patches(layer, inputs), (-1, positions, cells(layer), channels))
    columns = tf.reshape(output_gradients, (-1, positions, channels, multiplier))
    kernels = tf.einsum("bptc,bpcm->btcm", patches, columns)
    kernels = tf.reshape(kernels, (-1, *layer.kernel_size, channels, multiplier))
    return [Instantiated(kernels), *_bias_gradient(layer, output_gradients)]


def _positions_first(values: tf.Tensor) -> tf.Tensor:
    positions = values.shape[1:3].num_elements()
    return tf.reshape(values, (tf.shape(values)[0], positions, values.shape[-1]))


def _bias_gradient(layer: keras.layers.Layer, output_gradients: tf.Tensor) -> list[RowGradients]:
    if not layer.use_bias:
        return []
    return [Instantiated(tf.reduce_sum(output_gradients, axis=(1, 2)))]
