"""Rules of group features: gradients of the kernel that the filters were expanded from."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import tensorflow as tf

from tfdpzoo.dpsgd.gradients import Instantiated, PerExampleGradient, PositionProducts, RowGradients
from tfdpzoo.dpsgd.rules.patches import extract_patches, what_cells_meet
from tfdpzoo.dpsgd.rules.registry import register_expanded_call, register_rule
from tfdpzoo.dpsgd.rules.scale_bias import scaled_and_shifted
from tfdpzoo.layers.field_normalization import FieldNormalization
from tfdpzoo.layers.group_convolution import GroupConv2D, GroupConvolution, LiftingConv2D
from tfdpzoo.layers.weight_standardization import (
    standardization_slope,
    standardized_gradients,
)

# Above the rounding of a float32 sum of a kernel's weights, relative to the sum of squares.
_ROUNDING = 2.0**-19
# Of fewer, standardisation may leave next to nothing to change, and its rounding would be all.
_FEWEST_WEIGHTS = 256


@register_rule(LiftingConv2D)
@register_rule(GroupConv2D)
def group_convolution_rule(
    layer: GroupConvolution, inputs: tf.Tensor, output_gradients: tf.Tensor
) -> list[RowGradients]:
    """That of a convolution, with all |G| filters of a field adding to one kernel."""
    order, positions = layer.expansion.group.order, output_gradients.shape[1:3].num_elements()
    columns = tf.reshape(output_gradients, (-1, positions, layer.fields, order))
    kernel = KernelGradients(layer, inputs, columns)
    if not layer.use_bias:
        return [kernel]
    return [kernel, Instantiated(tf.reduce_sum(columns, axis=(1, 3)))]


@register_expanded_call(FieldNormalization)
def field_normalization(
    layer: FieldNormalization, inputs: tf.Tensor, *copies: tf.Tensor
) -> tf.Tensor:
    """The layer's call with `copies` (gamma, beta; those that the layer has) `(B, fields)`."""
    of_channels = iter([tf.repeat(copy, layer.order, axis=1) for copy in copies])
    gamma = next(of_channels) if layer.scale else None
    beta = next(of_channels) if layer.center else None
    outputs = scaled_and_shifted(layer.normalize(tf.cast(inputs, tf.float32)), gamma, beta)
    return tf.cast(outputs, inputs.dtype)


@dataclasses.dataclass(frozen=True)
class KernelGradients:
    """Gradients of the kernel of a group convolution.

    The filter of each element h has a gradient like a plain convolution's, whose rows belong to the
    kernel's rows in another order for each h: they are put in order and added up. Where the places
    are few, patches are put in order instead of products, once for each h, and the gradient of the
    filters is never formed.

    Attributes:
        layer: The convolution.
        inputs: `(rows, height, width, channels)`.
        columns: `(rows, positions, fields, |G|)`, the gradients at its output.
    """

    layer: GroupConvolution
    inputs: tf.Tensor
    columns: tf.Tensor

    def of_examples(self, views: int) -> PerExampleGradient:
        """Returns the gradients, with the positions of the views joined."""
        layer, positions = self.layer, views * self.columns.shape[1]
        columns = tf.reshape(self.columns, (-1, positions, *self.columns.shape[2:]))
        # Measured on two cores, from 16 positions of 39 fields to 1,024 of 6.
        if positions <= 2 * layer.fields:
            grids = self._product_of_moved_patches(columns)
        else:
            grids = self._sum_of_moved_products(columns)
        if self._at_grids:
            return grids
        return _at_variable(layer, grids.instantiate())

    def _product_of_moved_patches(self, columns: tf.Tensor) -> PerExampleGradient:
        expansion = self.layer.expansion
        patches = extract_patches(self.layer, _elements_first(self.inputs, expansion.input_order))
        positions, fields, order = columns.shape[1:]
        rows = tf.reshape(patches, (-1, positions, expansion.rows, self._input_fields))
        moved = tf.gather(rows, expansion.destinations, axis=2) if order > 1 else rows
        left = tf.reshape(moved, (-1, positions * order, patches.shape[-1]))
        right = tf.reshape(tf.transpose(columns, (0, 1, 3, 2)), (-1, positions * order, fields))
        return PositionProducts(left, right, self._shape).of_examples(1)

    def _sum_of_moved_products(self, columns: tf.Tensor) -> PerExampleGradient:
        expansion, (positions, fields, order) = self.layer.expansion, columns.shape[1:]
        right = tf.reshape(columns, (-1, positions, fields * order))
        # Products of single cells: patches of all cells together would leave a CPU's caches.
        products = [
            tf.matmul(tf.reshape(cell, (-1, positions, cell.shape[-1])), right, transpose_a=True)
            for cell in what_cells_meet(self.layer, self.inputs)
        ]
        elements, inputs = expansion.input_order, self._input_fields
        split = tf.reshape(
            tf.stack(products, axis=1), (-1, len(products), inputs, elements, fields, order)
        )
        rows = tf.reshape(
            tf.transpose(split, (0, 1, 3, 5, 2, 4)), (-1, expansion.rows * order, inputs * fields)
        )
        if order > 1:
            places = expansion.destinations * order + np.arange(order)[:, None]
            rows = tf.reduce_sum(tf.gather(rows, places, axis=1), axis=1)
        return Instantiated(tf.reshape(rows, (-1, *self._shape)))

    @property
    def _input_fields(self) -> int:
        return self.inputs.shape[-1] // self.layer.expansion.input_order

    @property
    def _at_grids(self) -> bool:
        """Whether the variable itself is what the filters are gathered from."""
        return self.layer.basis == "pixels" and not self.layer.weight_standardization

    @property
    def _shape(self) -> tuple[int, ...]:
        if self._at_grids:
            return tuple(self.layer.kernel.shape)
        return (self.layer.expansion.rows, self._input_fields, self.layer.fields)


def _at_variable(layer: GroupConvolution, gradients: tf.Tensor) -> PerExampleGradient:
    """From gradients at the kernel's grids, of any shape, to gradients at its variable."""
    shape = tuple(layer.kernel.shape)
    if layer.basis != "pixels":
        basis = tf.constant(layer.spatial_basis, tf.float32)
        grids = tf.reshape(gradients, (-1, basis.shape[0], math.prod(shape[1:])))
        # A matrix product of each example: einsum takes four times as long.
        gradients = tf.matmul(basis, grids, transpose_a=True)
    at_kernel = Instantiated(tf.reshape(gradients, (-1, *shape)))
    if not layer.weight_standardization:
        return at_kernel
    standardized = StandardizedKernel(layer, at_kernel)
    if math.prod(shape) < _FEWEST_WEIGHTS:
        return Instantiated(standardized.instantiate())
    return standardized


@dataclasses.dataclass(frozen=True)
class StandardizedKernel:
    """Gradients of a kernel, held as those of the standardised kernel.

    The way back removes the mean and what points along the kernel, and multiplies the rest. It is
    linear and the same for all examples: their sum goes back as one, and by Pythagoras the norms
    need only what is removed. Written out for each example it takes as long as the products.

    Where almost all is removed, what is left of the squares is rounding. They are made longer by as
    much, so that no example adds more than its clipped norm.

    Attributes:
        layer: The convolution.
        standardized: `(B, *kernel.shape)`, the gradients at its standardised kernel.
    """

    layer: GroupConvolution
    standardized: Instantiated

    def of_examples(self, views: int) -> StandardizedKernel:
        """Returns the sums over views."""
        return StandardizedKernel(self.layer, self.standardized.of_examples(views))

    def squared_norms(self) -> tf.Tensor:
        """Returns the squared norms, `(B,)`, rounded up."""
        slope, weights = standardization_slope(self._kernel), self._kernel.shape.num_elements()
        rows = tf.reshape(self.standardized.values, (-1, weights))
        squares = self.standardized.squared_norms()
        of_mean = tf.square(tf.reduce_sum(rows, axis=1)) / weights
        along = tf.square(tf.linalg.matvec(rows, tf.reshape(slope.direction, (-1,))))
        left = squares - of_mean - slope.share * (2.0 - slope.share) * along
        rounded_up = tf.nn.relu(left) + _ROUNDING * squares
        return tf.square(slope.factor * self.layer.standardized_scale) * rounded_up

    def weighted_sum(self, weights: tf.Tensor) -> tf.Tensor:
        """Returns the weighted sum, in the kernel's shape."""
        return self._at_kernel(self.standardized.weighted_sum(weights)[None])[0]

    def instantiate(self) -> tf.Tensor:
        """Returns the gradients, `(B, *kernel.shape)`."""
        return self._at_kernel(self.standardized.values)

    def where(self, keep: tf.Tensor) -> StandardizedKernel:
        """Returns the gradients with zeros where `keep` is false."""
        return StandardizedKernel(self.layer, self.standardized.where(keep))

    @property
    def _kernel(self) -> tf.Tensor:
        return tf.cast(self.layer.kernel.value, tf.float32)

    def _at_kernel(self, gradients: tf.Tensor) -> tf.Tensor:
        at_weights = standardized_gradients(self._kernel, gradients)
        return self.layer.standardized_scale * at_weights


def _elements_first(inputs: tf.Tensor, order: int) -> tf.Tensor:
    """From channels ordered by field first to channels ordered by group element first."""
    if order == 1:
        return inputs
    fields = tf.reshape(inputs, (-1, *inputs.shape[1:3], inputs.shape[3] // order, order))
    return tf.reshape(tf.transpose(fields, (0, 1, 2, 4, 3)), (-1, *inputs.shape[1:]))
