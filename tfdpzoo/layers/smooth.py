"""The building block of SmoothNets (Remerscheid et al. 2022, arXiv 2205.04095)."""

from __future__ import annotations

from typing import Any

import keras

from tfdpzoo.errors import unknown_name

NORMALIZATION_EPSILON = 1e-5
"""What PyTorch's GroupNorm adds to the variance; Keras' own default is 1e-3."""

MOST_GROUPS = 8
POOLINGS = ("max", "average", "none")
NORMALIZATIONS = ("group", "layer", "instance", "none")
ACTIVATIONS = ("selu", "relu", "leaky_relu", "tanh", "mish")


@keras.saving.register_keras_serializable(package="tfdpzoo")
class SmoothBlock(keras.layers.Layer):
    """Convolution, pooling, normalisation, activation: the SmoothNet block.

    The order and the defaults are the paper's: a 3x3 convolution without bias, 3x3 max-pooling with
    stride 1 (it smooths and keeps the size), group normalisation over at most 8 groups, SELU. The
    other choices are the paper's ablations. No choice mixes examples.

    Args:
        channels: Channels of the output, at least 1.
        kernel_size: Height and width of the convolution's kernel.
        strides: Stride of the convolution.
        padding: `"same"` or `"valid"`, of the convolution.
        activation: One of `ACTIVATIONS`, or `"linear"`.
        pooling: One of `POOLINGS`; 3x3 with stride 1.
        normalization: `"group"` (at most 8 groups), `"layer"` (one group), `"instance"` (a group
            for each channel), or `"none"`.
        separable: Whether the convolution is a depthwise one followed by a 1x1 convolution.
        kernel_initializer: Initialiser of the convolutions' kernels.

    Input shape:
        `(batch, height, width, input channels)`.

    Output shape:
        `(batch, height, width, channels)` with stride 1 and `"same"` padding.

    Raises:
        InputError: An argument is not among the choices.

    Example:
        >>> import numpy as np
        >>> block = SmoothBlock(16)
        >>> block(np.zeros((2, 8, 8, 3), "float32")).shape.as_list()
        [2, 8, 8, 16]
        >>> [variable.name for variable in block.trainable_variables]
        ['kernel', 'gamma', 'beta']
    """

    def __init__(
        self,
        channels: int,
        *,
        kernel_size: int = 3,
        strides: int = 1,
        padding: str = "same",
        activation: str = "selu",
        pooling: str = "max",
        normalization: str = "group",
        separable: bool = False,
        kernel_initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        _require_choice("pooling", pooling, POOLINGS)
        _require_choice("normalization", normalization, NORMALIZATIONS)
        _require_choice("activation", activation, (*ACTIVATIONS, "linear"))
        self.channels = channels
        self.kernel_size = kernel_size
        self.strides = strides
        self.padding = padding
        self.activation = activation
        self.pooling = pooling
        self.normalization = normalization
        self.separable = separable
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self._stages = [
            *self._convolutions(),
            *self._pooling_stage(),
            *self._normalization_stage(),
            keras.layers.Activation(activation, dtype=self.dtype_policy),
        ]

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates the variables in the order convolution, gamma, beta."""
        shape = input_shape
        for stage in self._stages:
            stage.build(shape)
            shape = stage.compute_output_shape(shape)

    def call(self, inputs: Any) -> Any:
        """Returns the block's output for `inputs`."""
        outputs = inputs
        for stage in self._stages:
            outputs = stage(outputs)
        return outputs

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the output's shape for an input's."""
        shape = input_shape
        for stage in self._stages:
            shape = stage.compute_output_shape(shape)
        return shape

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild this block."""
        return {
            **super().get_config(),
            "channels": self.channels,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "activation": self.activation,
            "pooling": self.pooling,
            "normalization": self.normalization,
            "separable": self.separable,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }

    def _convolutions(self) -> list[keras.layers.Layer]:
        spatial = {"strides": self.strides, "padding": self.padding}
        common = {"use_bias": False, "dtype": self.dtype_policy}
        if not self.separable:
            return [
                keras.layers.Conv2D(
                    self.channels,
                    self.kernel_size,
                    kernel_initializer=_fresh(self.kernel_initializer),
                    **spatial,
                    **common,
                )
            ]
        return [
            keras.layers.DepthwiseConv2D(
                self.kernel_size,
                depthwise_initializer=_fresh(self.kernel_initializer),
                **spatial,
                **common,
            ),
            keras.layers.Conv2D(
                self.channels, 1, kernel_initializer=_fresh(self.kernel_initializer), **common
            ),
        ]

    def _pooling_stage(self) -> list[keras.layers.Layer]:
        if self.pooling == "none":
            return []
        kinds = {"max": keras.layers.MaxPooling2D, "average": keras.layers.AveragePooling2D}
        return [kinds[self.pooling](3, strides=1, padding="same", dtype=self.dtype_policy)]

    def _normalization_stage(self) -> list[keras.layers.Layer]:
        if self.normalization == "none":
            return []
        groups = {
            "group": largest_divisor(self.channels, MOST_GROUPS),
            "layer": 1,
            "instance": self.channels,
        }[self.normalization]
        return [
            keras.layers.GroupNormalization(
                groups, epsilon=NORMALIZATION_EPSILON, dtype=self.dtype_policy
            )
        ]


def largest_divisor(number: int, limit: int) -> int:
    """Returns the largest divisor of `number` that is at most `limit`.

    For the widths that the paper uses this is min(limit, number).

    Example:
        >>> largest_divisor(64, 8), largest_divisor(4, 8), largest_divisor(11, 8)
        (8, 4, 1)
    """
    return next(size for size in range(min(number, limit), 0, -1) if number % size == 0)


def _fresh(initializer: keras.initializers.Initializer) -> keras.initializers.Initializer:
    """Copies an initialiser: Keras gives one instance the same numbers each time it is used."""
    return initializer.clone()


def _require_choice(argument: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise unknown_name(argument, value, choices)
