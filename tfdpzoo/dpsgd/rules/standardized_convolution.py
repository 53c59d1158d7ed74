"""Rule of the standardised convolution: from its filters back to kernel and gain."""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from tfdpzoo.dpsgd.gradients import Instantiated, PerExampleGradient, RowGradients
from tfdpzoo.dpsgd.rules.convolution import convolution_rule
from tfdpzoo.dpsgd.rules.convolution_forms import PixelGram
from tfdpzoo.dpsgd.rules.registry import register_rule
from tfdpzoo.layers.standardized_convolution import (
    StandardizedConv2D,
    factors_of_filters,
    standardize_filters,
    standardized_filter_gradients,
)

# Above the rounding of a float32 sum of the weights of a filter, relative to the sum of squares.
_ROUNDING = 2.0**-20


def _is_channels_last(layer: StandardizedConv2D) -> bool:
    return layer.data_format == "channels_last"


@register_rule(StandardizedConv2D, applies=_is_channels_last)
def standardized_convolution_rule(
    layer: StandardizedConv2D, inputs: tf.Tensor, output_gradients: tf.Tensor
) -> list[RowGradients]:
    """That of a convolution, whose kernel the filters are, and the way back from them."""
    filters, *bias = convolution_rule(layer, inputs, output_gradients)
    pairs = KernelAndGain(layer, filters)
    return [OneOfPair(pairs, 0), *bias, OneOfPair(pairs, 1)]


@dataclasses.dataclass(frozen=True)
class StandardizedKernel:
    """Gradients of the kernel, held as those of the filters that are made of it.

    The way back from filter to kernel takes out what would change the filter's mean or its length,
    and multiplies the rest with a factor. Both are linear and the same for all examples: the sum of
    examples goes back as one, and by Pythagoras the norms need only what is taken out. Written down
    for each example, the way back takes more time than the convolution's own gradients.

    Where almost all is taken out, what is left of the squares is rounding. They are made longer by
    as much, so that no example adds more than its clipped norm.

    Attributes:
        layer: The convolution.
        filters: The gradients at its filters, gain included.
        sums: `(B, filters)`, each the sum over the gradient of a filter.
        along: `(B, filters)`, the products of these gradients with the standardised filters.
    """

    layer: StandardizedConv2D
    filters: Instantiated | PixelGram
    sums: Instantiated
    along: Instantiated

    def of_examples(self, views: int) -> StandardizedKernel:
        """Returns the sums over views."""
        filters, sums, along = (
            self.filters.of_examples(views),
            self.sums.of_examples(views),
            self.along.of_examples(views),
        )
        return StandardizedKernel(self.layer, filters, sums, along)

    def squared_norms(self) -> tf.Tensor:
        """Returns the squared norms, `(B,)`, rounded up."""
        kernel, gain = _kernel_and_gain(self.layer)
        factors, follow_length = factors_of_filters(kernel)
        of_mean = tf.square(self.sums.values) / kernel.shape[:-1].num_elements()
        taken_out = of_mean + tf.square(self.along.values) * follow_length
        squares = _squares(self.filters, factors * gain)
        left = squares - tf.linalg.matvec(taken_out, tf.square(factors * gain))
        return tf.nn.relu(left) + _ROUNDING * squares

    def weighted_sum(self, weights: tf.Tensor) -> tf.Tensor:
        """Returns the weighted sum, in the kernel's shape."""
        total = self.filters.weighted_sum(weights)
        return standardized_filter_gradients(*_kernel_and_gain(self.layer), total[None])[0]

    def instantiate(self) -> tf.Tensor:
        """Returns the gradients, `(B, *kernel.shape)`."""
        gradients = self.filters.instantiate()
        return standardized_filter_gradients(*_kernel_and_gain(self.layer), gradients)

    def where(self, keep: tf.Tensor) -> StandardizedKernel:
        """Returns the gradients with zeros where `keep` is false."""
        return StandardizedKernel(
            self.layer, self.filters.where(keep), self.sums.where(keep), self.along.where(keep)
        )


@dataclasses.dataclass(frozen=True, eq=False)
class KernelAndGain:
    """Gradients of kernel and gain, which both come from those of the filters.

    Attributes:
        layer: The convolution.
        filters: The gradients at its filters.
    """

    layer: StandardizedConv2D
    filters: RowGradients
    _by_views: dict[int, tuple[StandardizedKernel, Instantiated]] = dataclasses.field(
        default_factory=dict, init=False, repr=False
    )

    def of_examples(self, views: int) -> tuple[StandardizedKernel, Instantiated]:
        """Returns both, each the sum over `views` consecutive rows; they are computed once."""
        if views not in self._by_views:
            self._by_views[views] = self._computed(views)
        return self._by_views[views]

    def _computed(self, views: int) -> tuple[StandardizedKernel, Instantiated]:
        directions = standardize_filters(_kernel_and_gain(self.layer)[0])
        filters = self.filters.of_examples(views)
        if isinstance(filters, PixelGram):
            of_rows = _products_from_outputs(filters, directions)
            sums, along = (of_row.of_examples(views) for of_row in of_rows)
        else:
            filters = Instantiated(filters.instantiate())
            sums = Instantiated(_sums_by_filter(filters.values))
            along = Instantiated(_sums_by_filter(filters.values * directions))
        return StandardizedKernel(self.layer, filters, sums, along), along


@dataclasses.dataclass(frozen=True)
class OneOfPair:
    """The kernel's (0) or the gain's (1) gradients out of a pair."""

    pairs: KernelAndGain
    index: int

    def of_examples(self, views: int) -> PerExampleGradient:
        """Returns the sums over views."""
        return self.pairs.of_examples(views)[self.index]


def _kernel_and_gain(layer: StandardizedConv2D) -> tuple[tf.Tensor, tf.Tensor]:
    kernel, gain = layer.kernel.value, layer.gain.value
    return tf.cast(kernel, tf.float32), tf.cast(gain, tf.float32)


def _squares(filters: Instantiated | PixelGram, factors: tf.Tensor) -> tf.Tensor:
    """Returns `(B,)`, the squared norms with each filter's gradient times its factor."""
    if isinstance(filters, PixelGram):
        return filters.times(factors).squared_norms()
    return tf.linalg.matvec(_sums_by_filter(tf.square(filters.values)), tf.square(factors))


def _products_from_outputs(
    filters: PixelGram, directions: tf.Tensor
) -> tuple[Instantiated, Instantiated]:
    """Returns the sum of each row's filter gradients, and their products with directions.

    A filter's gradient times any kernel is, position by position, the gradient at the output times
    what the kernel would put out there.

    Args:
        filters: The gradients at the filters.
        directions: `(height, width, channels, filters)`.
    """

    def products_with(kernel: tf.Tensor) -> Instantiated:
        outputs = filters.layer.convolution_op(filters.inputs, kernel)
        return Instantiated(tf.reduce_sum(outputs * filters.output_gradients, axis=(1, 2)))

    return products_with(tf.ones((*directions.shape[:-1], 1))), products_with(directions)


def _sums_by_filter(values: tf.Tensor) -> tf.Tensor:
    """From `(B, height, width, channels, filters)` to `(B, filters)`."""
    # In two steps a CPU takes two thirds of the time that one takes.
    return tf.reduce_sum(tf.reduce_sum(values, axis=(1, 2)), axis=1)
