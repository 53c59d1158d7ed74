"""A factor and a summand for each channel."""

from __future__ import annotations

from typing import Any

import keras

from tfdpzoo.errors import InputError


@keras.saving.register_keras_serializable(package="tfdpzoo")
class ScaleBias(keras.layers.Layer):
    """Multiplies each channel (the last axis) by a trained factor and adds a trained summand.

    Args:
        use_scale: Whether there is a factor, at first 1.
        use_bias: Whether there is a summand, at first 0.
        **kwargs: Of `keras.layers.Layer`.

    Raises:
        InputError: There would be neither.

    Example:
        >>> layer = ScaleBias()
        >>> layer(keras.ops.ones((2, 8, 8, 3))).shape
        TensorShape([2, 8, 8, 3])
        >>> layer.count_params()
        6
    """

    def __init__(self, use_scale: bool = True, use_bias: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not (use_scale or use_bias):
            raise InputError("ScaleBias has nothing to train with use_scale and use_bias both off.")
        self.use_scale = use_scale
        self.use_bias = use_bias
        self.supports_masking = True

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the variables `scale` and `bias`, each of shape `(channels,)`."""
        shape = (input_shape[-1],)
        if self.use_scale:
            self.scale = self.add_weight(name="scale", shape=shape, initializer="ones")
        if self.use_bias:
            self.bias = self.add_weight(name="bias", shape=shape, initializer="zeros")

    def call(self, inputs: Any) -> Any:
        """Returns a tensor of the inputs' shape."""
        if self.use_scale:
            inputs = inputs * self.scale
        return inputs + self.bias if self.use_bias else inputs

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the shape of the inputs."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments."""
        return {
            **super().get_config(),
            "use_scale": self.use_scale,
            "use_bias": self.use_bias,
        }
