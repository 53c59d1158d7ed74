"""Rule of the standardised convolution: from its filters back to kernel and gain."""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from tfdpzoo.dpsgd.gradients import Instantiated, PerExampleGradient, RowGradients
from tfdpzoo.dpsgd.rules.convolution import convolution_rule
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
        filters: `(B, *kernel.shape)`, the gradients at its filters, gain included.
        along: `(B, filters)`, their products with the standardised filters.
    """

    layer: StandardizedConv2D
    filters: Instantiated
    along: tf.Tensor

    def of_examples(self, views: int) -> StandardizedKernel:
        """Returns the sums over views."""
        if views == 1:
            return self
        along = Instantiated(self.along).of_examples(views).values
        return StandardizedKernel(self.layer, self.filters.of_examples(views), along)

    def squared_norms(self) -> tf.Tensor:
        """Returns the squared norms, `(B,)`, rounded up."""
        kernel, gain = _kernel_and_gain(self.layer)
        factors, follow_length = factors_of_filters(kernel)
        gradients, weights = self.filters.values, kernel.shape[:-1].num_elements()
        squares = _sums_by_filter(tf.square(gradients))
        of_mean = tf.square(_sums_by_filter(gradients)) / weights
        left = squares - of_mean - tf.square(self.along) * follow_length
        rounded_up = tf.nn.relu(left) + _ROUNDING * squares
        return tf.reduce_sum(rounded_up * tf.square(factors * gain), axis=1)

    def weighted_sum(self, weights: tf.Tensor) -> tf.Tensor:
        """Returns the weighted sum, in the kernel's shape."""
        total = self.filters.weighted_sum(weights)
        return standardized_filter_gradients(*_kernel_and_gain(self.layer), total[None])[0]

    def instantiate(self) -> tf.Tensor:
        """Returns the gradients, `(B, *kernel.shape)`."""
        return standardized_filter_gradients(*_kernel_and_gain(self.layer), self.filters.values)

    def where(self, keep: tf.Tensor) -> StandardizedKernel:
        """Returns the gradients with zeros where `keep` is false."""
        along = Instantiated(self.along).where(keep).values
        return StandardizedKernel(self.layer, self.filters.where(keep), along)


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
        gradients = self.filters.of_examples(views).instantiate()
        kernel, _ = _kernel_and_gain(self.layer)
        along = _sums_by_filter(gradients * standardize_filters(kernel))
        return (
            StandardizedKernel(self.layer, Instantiated(gradients), along),
            Instantiated(along),
        )


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


def _sums_by_filter(values: tf.Tensor) -> tf.Tensor:
    """From `(B, height, width, channels, filters)` to `(B, filters)`."""
    # In two steps a CPU takes two thirds of the time that one takes.
    return tf.reduce_sum(tf.reduce_sum(values, axis=(1, 2)), axis=1)
