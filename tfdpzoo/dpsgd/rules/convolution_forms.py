"""Forms of a convolution kernel's gradient that leave sums to the convolution's own code.

`Conv2DBackpropFilter` adds up over rows without copying patches. It gives the weighted sum of a
chunk in one call, and the gradient of one example in a call for each.
"""

from __future__ import annotations

import dataclasses

import keras
import tensorflow as tf

from tfdpzoo.dpsgd.gradients import ROUNDING, Instantiated
from tfdpzoo.dpsgd.rules.patches import paddings_and_output_size, slices_of_cells


@dataclasses.dataclass(frozen=True)
class OneByOne:
    """Gradients of a convolution's kernel by the convolution's own gradient, example by example.

    Attributes:
        layer: A convolution with neither groups nor dilation.
        inputs: `(rows, height, width, channels)`.
        output_gradients: `(rows, output height, output width, filters)`.
    """

    layer: keras.layers.Layer
    inputs: tf.Tensor
    output_gradients: tf.Tensor

    def of_examples(self, views: int) -> Instantiated:
        """Returns the gradients, each the sum over `views` consecutive rows."""
        examples = tuple(
            tf.reshape(values, (-1, views, *values.shape[1:]))
            for values in (self.inputs, self.output_gradients)
        )
        shape = _kernel_shape(self.layer, self.inputs, self.output_gradients)
        # One after the other: each uses all cores.
        return Instantiated(
            tf.map_fn(
                lambda rows: _sum_of_rows(self.layer, *rows),
                examples,
                parallel_iterations=1,
                fn_output_signature=tf.TensorSpec(shape, tf.float32),
            )
        )


@dataclasses.dataclass(frozen=True)
class PixelGram:
    """Gradients of a convolution's kernel that are never formed, their norms from pairs of pixels.

    The squared norm is the sum over pairs of positions of `(patch_s . patch_t)(r_s . r_t)`, r being
    the gradient at the output (see `tfdpzoo.dpsgd.gradients.GramProducts`). Patches overlap, and so
    the product of two is the sum over cells of the kernel of products of single pixels: all pairs
    of pixels are multiplied once, and the products that belong to a pair of patches are added up,
    along rows and then along columns. No patch is copied, and the multiplications are as many times
    fewer as the kernel has cells.

    Products are in float64 and norms rounded up, for the reason that `GramProducts` gives.

    Attributes:
        layer: A convolution with neither groups nor dilation.
        inputs: `(B * views, height, width, channels)`.
        output_gradients: `(B * views, output height, output width, filters)`.
        views: How many consecutive rows an example has.
    """

    layer: keras.layers.Layer
    inputs: tf.Tensor
    output_gradients: tf.Tensor
    views: int

    def of_examples(self, views: int) -> PixelGram:
        """Returns the sums over views."""
        return dataclasses.replace(self, views=self.views * views)

    def times(self, factors: tf.Tensor) -> PixelGram:
        """Returns the gradients with those of each filter times its factor, `(filters,)`."""
        return dataclasses.replace(self, output_gradients=self.output_gradients * factors)

    def squared_norms(self) -> tf.Tensor:
        """Returns the squared norms, `(B,)`, rounded up."""
        of_patches = self._products_of_patches()
        of_gradients = _products_of_pixels(self.output_gradients, self.views)
        squares = tf.nn.relu(tf.reduce_sum(of_patches * of_gradients, axis=(1, 2)))
        lengths = tf.linalg.diag_part(of_patches) * tf.linalg.diag_part(of_gradients)
        rounding = ROUNDING * tf.reduce_sum(tf.sqrt(lengths), axis=1)
        return tf.cast(tf.square(tf.sqrt(squares) + rounding), tf.float32)

    def weighted_sum(self, weights: tf.Tensor) -> tf.Tensor:
        """Returns the weighted sum, in the kernel's shape."""
        of_rows = weights if self.views == 1 else tf.repeat(weights, self.views)
        weighted = self.output_gradients * of_rows[:, None, None, None]
        return _sum_of_rows(self.layer, self.inputs, weighted)

    def instantiate(self) -> tf.Tensor:
        """Returns the gradients, `(B, *kernel.shape)`."""
        formed = OneByOne(self.layer, self.inputs, self.output_gradients)
        return formed.of_examples(self.views).values

    def where(self, keep: tf.Tensor) -> PixelGram:
        """Returns the gradients with zeros where `keep` is false."""
        of_rows = tf.repeat(keep, self.views)
        inputs, output_gradients = (
            Instantiated(values).where(of_rows).values
            for values in (self.inputs, self.output_gradients)
        )
        return dataclasses.replace(self, inputs=inputs, output_gradients=output_gradients)

    def _products_of_patches(self) -> tf.Tensor:
        """Returns `(B, positions, positions)`, the positions of an example's views joined."""
        width, views = self.inputs.shape[2], self.views
        rows, columns = self.output_gradients.shape[1:3]
        products = _products_of_pixels(self.inputs, views)
        products = self._sum_over_cells(products, axis=0, between=width * views, after=width)
        products = self._sum_over_cells(products, axis=1, between=views * rows, after=1)
        positions = views * rows * columns
        return tf.reshape(products, (-1, positions, positions))

    def _sum_over_cells(
        self, products: tf.Tensor, axis: int, between: int, after: int
    ) -> tf.Tensor:
        """Adds up along one axis of both images what the kernel's cells meet.

        Args:
            products: `(..., side, between, side, after)` in any shape of as many numbers.
            axis: 0 for the height and 1 for the width.
            between: How many numbers of the first image one of its pixels of this axis has after
                it, up to the axis of the second image.
            after: How many numbers of the second image follow.
        """
        side, padding = self.inputs.shape[1 + axis], self._paddings[axis]
        split = tf.reshape(products, (-1, side, between, side, after))
        padded = tf.pad(split, [(0, 0), padding, (0, 0), padding, (0, 0)])
        met = slices_of_cells(self.layer, self.output_gradients.shape[1:3], axis)
        return tf.add_n([padded[:, cell, :, cell] for cell in met])

    @property
    def _paddings(self) -> list[tuple[int, int]]:
        return paddings_and_output_size(self.layer, self.inputs)[0]


def _products_of_pixels(images: tf.Tensor, views: int) -> tf.Tensor:
    """Returns `(B, pixels, pixels)` in float64, the pixels of an example's views joined."""
    pixels = views * images.shape[1:3].num_elements()
    vectors = tf.cast(tf.reshape(images, (-1, pixels, images.shape[-1])), tf.float64)
    return tf.matmul(vectors, vectors, transpose_b=True)


def _sum_of_rows(
    layer: keras.layers.Layer, inputs: tf.Tensor, output_gradients: tf.Tensor
) -> tf.Tensor:
    """Returns the kernel's gradient, summed over rows, by the convolution's own code."""
    return tf.raw_ops.Conv2DBackpropFilter(
        input=inputs,
        filter_sizes=_kernel_shape(layer, inputs, output_gradients),
        out_backprop=output_gradients,
        strides=(1, *layer.strides, 1),
        padding=layer.padding.upper(),
    )


def _kernel_shape(
    layer: keras.layers.Layer, inputs: tf.Tensor, output_gradients: tf.Tensor
) -> tuple[int, ...]:
    return (*layer.kernel_size, inputs.shape[-1], output_gradients.shape[-1])
