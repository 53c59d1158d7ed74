"""A convolution whose filters have mean 0 and a fixed length, times a trained gain."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras

EPSILON = 1e-4
"""The least squared length of a filter: equal weights do not divide by 0."""

_OF_ONE_FILTER = (0, 1, 2)


@keras.saving.register_keras_serializable(package="tfdpzoo")
class StandardizedConv2D(keras.layers.Conv2D):
    """A 2D convolution with scaled weight standardisation.

    The filter of each output channel is `gain * (kernel - mean) / sqrt(N * variance)` with mean and
    variance over its N weights (height, width and input channels), so that it has mean 0 and, while
    the gain is 1, length 1: an input of independent values with variance 1 gives such an output.
    N * variance counts as at least 1e-4.

    Args:
        filters: Channels of the output.
        kernel_size: Height and width of the filters.
        gain_initializer: Initialiser of the gain.
        **kwargs: As `keras.layers.Conv2D` takes them.

    Input shape:
        `(batch, height, width, channels)`.

    Output shape:
        `(batch, output height, output width, filters)`.

    Variables:
        `kernel`: `(height, width, channels / groups, filters)`.
        `bias`: `(filters,)`, with `use_bias`.
        `gain`: `(filters,)`.

    Source:
        Brock, De and Smith 2021 (arXiv 2101.08692), equation 1 with the gain and the bound of the
        code of De et al. 2022 (arXiv 2204.13650); after Qiao et al. 2019 (arXiv 1903.10520), who
        have neither the factor for N nor a gain.

    Example:
        >>> layer = StandardizedConv2D(4, 3, padding="same")
        >>> layer(keras.ops.ones((2, 8, 8, 3))).shape.as_list()
        [2, 8, 8, 4]
        >>> [variable.name for variable in layer.trainable_variables]
        ['kernel', 'bias', 'gain']
        >>> layer.count_params()
        116
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, int],
        *,
        gain_initializer: Any = "ones",
        **kwargs: Any,
    ) -> None:
        super().__init__(filters, kernel_size, **kwargs)
        self.gain_initializer = keras.initializers.get(gain_initializer)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the variables."""
        super().build(input_shape)
        self.gain = self.add_weight(
            name="gain", shape=(self.filters,), initializer=self.gain_initializer
        )

    def call(self, inputs: Any) -> Any:
        """Returns the convolution of `inputs`."""
        kernel, bias = self.__dict__.get("_baked") or (self.standardized_kernel(), self.bias)
        outputs = self.convolution_op(inputs, keras.ops.cast(kernel, inputs.dtype))
        if self.use_bias:
            shape = (1, -1, 1, 1) if self.data_format == "channels_first" else (1, 1, 1, -1)
            outputs += keras.ops.reshape(keras.ops.cast(bias, outputs.dtype), shape)
        return self.activation(outputs)

    def standardized_kernel(self) -> Any:
        """Returns the filters that a plain convolution of the same output has, in float32."""
        kernel, gain = (keras.ops.cast(each, "float32") for each in (self.kernel, self.gain))
        return gain * standardize_filters(kernel)

    @contextlib.contextmanager
    def baked(self) -> Iterator[list[keras.Variable]]:
        """Lets the layer compute with filters standardised once, inside the `with` block.

        Yields:
            The variables that are then used in place of the layer's own weights.
        """
        values = {"filters": self.standardized_kernel()}
        if self.use_bias:
            values["biases"] = keras.ops.convert_to_tensor(self.bias)
        with keras.name_scope(self.name, caller=self):
            made = [
                keras.Variable(value, trainable=False, name=name) for name, value in values.items()
            ]
        # Past Keras' attribute tracking: these are no weights of the layer.
        self.__dict__["_baked"] = (*made, None)[:2]
        try:
            yield made
        finally:
            self.__dict__.pop("_baked")

    def plain_convolution(self) -> keras.layers.Conv2D:
        """Returns a plain convolution, not built yet, that has the weights which `baked` yields."""
        config = self.get_config()
        del config["gain_initializer"]
        return keras.layers.Conv2D.from_config(config)

    def save_own_variables(self, store: dict[str, Any]) -> None:
        """Writes the variables of a convolution, whose code names them one by one, and the gain."""
        super().save_own_variables(store)
        if self.built:
            store["gain"] = self.gain

    def load_own_variables(self, store: dict[str, Any]) -> None:
        """Reads what `save_own_variables` wrote."""
        super().load_own_variables(store)
        if self.built:
            self.gain.assign(store["gain"])

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild this layer."""
        return {
            **super().get_config(),
            "gain_initializer": keras.initializers.serialize(self.gain_initializer),
        }


def standardize_filters(kernel: Any) -> Any:
    """Returns filters of mean 0 and length 1; shorter if they were almost equal weights.

    Args:
        kernel: `(height, width, channels, filters)`, float32.

    Example:
        >>> kernel = keras.ops.reshape(keras.ops.array([1.0, 2.0, 3.0, 4.0]), (2, 2, 1, 1))
        >>> [round(float(x), 3) for x in keras.ops.ravel(standardize_filters(kernel))]
        [-0.671, -0.224, 0.224, 0.671]
    """
    centered, squares = _centered(kernel)
    return centered * keras.ops.rsqrt(keras.ops.maximum(squares, EPSILON))


def factors_of_filters(kernel: Any) -> tuple[Any, Any]:
    """Returns what `standardize_filters` multiplies each filter with, and where it is not bounded.

    Args:
        kernel: `(height, width, channels, filters)`, float32.

    Returns:
        The factors `(filters,)`, and `(filters,)` of 1 where they follow the filter's length and 0
        where it is below the bound.
    """
    squares = keras.ops.reshape(_centered(kernel)[1], (-1,))
    factors = keras.ops.rsqrt(keras.ops.maximum(squares, EPSILON))
    return factors, keras.ops.cast(squares > EPSILON, factors.dtype)


def standardized_filter_gradients(kernel: Any, gain: Any, gradients: Any) -> Any:
    """Takes gradients at `gain * standardize_filters(kernel)` back to the kernel.

    Args:
        kernel: `(height, width, channels, filters)`, float32.
        gain: `(filters,)`, float32.
        gradients: `(B, height, width, channels, filters)`.

    Returns:
        Of the same shape: what of the gradients changes neither mean nor length of a filter.
    """
    directions = standardize_filters(kernel)
    factors, follow_length = factors_of_filters(kernel)
    axes = tuple(1 + axis for axis in _OF_ONE_FILTER)
    along = keras.ops.sum(gradients * directions, axis=axes, keepdims=True) * follow_length
    means = keras.ops.mean(gradients, axis=axes, keepdims=True)
    return (gradients - means - along * directions) * (factors * gain)


def _centered(kernel: Any) -> tuple[Any, Any]:
    """Returns the kernel with filters of mean 0, and their squared lengths."""
    centered = kernel - keras.ops.mean(kernel, axis=_OF_ONE_FILTER, keepdims=True)
    return centered, keras.ops.sum(keras.ops.square(centered), axis=_OF_ONE_FILTER, keepdims=True)
