"""Rule of the standardised convolution: from its filters back to kernel and gain."""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from tfdpzoo.dpsgd.gradients import Instantiated, RowGradients
from tfdpzoo.dpsgd.rules.convolution import convolution_rule
from tfdpzoo.dpsgd.rules.registry import register_rule
from tfdpzoo.layers.standardized_convolution import (
    StandardizedConv2D,
    standardized_filter_gradients,
)


def _is_channels_last(layer: StandardizedConv2D) -> bool:
    return layer.data_format == "channels_last"


@register_rule(StandardizedConv2D, applies=_is_channels_last)
def standardized_convolution_rule(
    layer: StandardizedConv2D, inputs: tf.Tensor, output_gradients: tf.Tensor
) -> list[RowGradients]:
    """That of a convolution, whose kernel the filters are, and the way back from them.

    The way back is linear, but other for each filter, and takes out of each example's gradient what
    would change a filter's mean or length: it needs the gradient itself.
    """
    filters, *bias = convolution_rule(layer, inputs, output_gradients)
    pairs = KernelAndGain(layer, filters)
    return [OneOfPair(pairs, 0), *bias, OneOfPair(pairs, 1)]


@dataclasses.dataclass(frozen=True, eq=False)
class KernelAndGain:
    """Gradients of kernel and gain, which both come from those of the filters.

    Attributes:
        layer: The convolution.
        filters: The gradients of its standardised filters.
    """

    layer: StandardizedConv2D
    filters: RowGradients
    _by_views: dict[int, tuple[Instantiated, Instantiated]] = dataclasses.field(
        default_factory=dict, init=False, repr=False
    )

    def of_examples(self, views: int) -> tuple[Instantiated, Instantiated]:
        """Returns both, each the sum over `views` consecutive rows; they are computed once."""
        if views not in self._by_views:
            self._by_views[views] = self._computed(views)
        return self._by_views[views]

    def _computed(self, views: int) -> tuple[Instantiated, Instantiated]:
        gradients = self.filters.of_examples(views).instantiate()
        kernel, gain = (
            tf.cast(variable.value, tf.float32) for variable in (self.layer.kernel, self.layer.gain)
        )
        of_kernel, of_gain = standardized_filter_gradients(kernel, gain, gradients)
        return Instantiated(of_kernel), Instantiated(of_gain)


@dataclasses.dataclass(frozen=True)
class OneOfPair:
    """The kernel's (0) or the gain's (1) gradients out of a pair."""

    pairs: KernelAndGain
    index: int

    def of_examples(self, views: int) -> Instantiated:
        """Returns the sums over views."""
        return self.pairs.of_examples(views)[self.index]
