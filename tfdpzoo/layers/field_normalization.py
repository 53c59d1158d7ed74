"""Group normalisation of group features."""

from __future__ import annotations

from typing import Any

import keras

from tfdpzoo.errors import InputError
from tfdpzoo.layers.group_pooling import count_fields
from tfdpzoo.layers.groups import SquareGroup, square_group


@keras.saving.register_keras_serializable(package="tfdpzoo")
class FieldNormalization(keras.layers.Layer):
    """Normalises groups of fields over their fields, the symmetry group and space.

    Mean and variance are of one example and run over (fields of a group) x |G| x height x width, so
    that no symmetry moves them; factor and summand are one for each field. No examples are mixed.

    Args:
        groups: How many groups of fields there are; it must divide the fields.
        group: The symmetry group, as `LiftingConv2D` takes it.
        epsilon: What is added to the variance.
        scale: Whether each field has a factor `gamma`.
        center: Whether each field has a summand `beta`.

    Input shape:
        `(batch, height, width, fields * |G|)`.

    Output shape:
        The same.

    Raises:
        InputError: There is no such group, the channels are no multiple of |G|, or `groups` does
            not divide the fields.

    Source:
        Wu and He 2018, "Group normalization" (arXiv 1803.08494); for group features as in the code
        of Hoelzl, Rueckert and Kaissis 2023 (arXiv 2301.13104), there without gamma and beta.

    Example:
        >>> layer = FieldNormalization(2, "p4m")
        >>> layer(keras.ops.ones((1, 4, 4, 48))).shape.as_list()
        [1, 4, 4, 48]
        >>> layer.count_params()
        12
    """

    def __init__(
        self,
        groups: int = 1,
        group: str | SquareGroup = "p4m",
        *,
        epsilon: float = 1e-5,
        scale: bool = True,
        center: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.groups = groups
        self.group = square_group(group).name if isinstance(group, SquareGroup) else group
        self.epsilon = epsilon
        self.scale = scale
        self.center = center
        self.order = square_group(group).order

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the variables `gamma` and `beta`, those that there are, of shape `(fields,)`."""
        fields = count_fields(self.name, input_shape, self.group)
        if not isinstance(self.groups, int) or self.groups < 1 or fields % self.groups:
            raise InputError(
                f"groups is {self.groups!r}, which does not divide the {fields} fields of the "
                f"input of {self.name}."
            )
        if self.scale:
            self.gamma = self.add_weight(name="gamma", shape=(fields,), initializer="ones")
        if self.center:
            self.beta = self.add_weight(name="beta", shape=(fields,), initializer="zeros")

    def call(self, inputs: Any) -> Any:
        """Returns a tensor of the inputs' shape and type; statistics are in float32."""
        outputs = self.normalize(keras.ops.cast(inputs, "float32"))
        if self.scale:
            outputs *= keras.ops.repeat(keras.ops.cast(self.gamma, "float32"), self.order)
        if self.center:
            outputs += keras.ops.repeat(keras.ops.cast(self.beta, "float32"), self.order)
        return keras.ops.cast(outputs, inputs.dtype)

    def normalize(self, values: Any) -> Any:
        """Returns values of mean 0 and variance 1 in each group, without gamma and beta."""
        centered = values - self._mean_of_groups(values)
        variance = self._mean_of_groups(keras.ops.square(centered))
        return centered * keras.ops.rsqrt(variance + self.epsilon)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the shape of the inputs."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild this layer."""
        return {
            **super().get_config(),
            "groups": self.groups,
            "group": self.group,
            "epsilon": self.epsilon,
            "scale": self.scale,
            "center": self.center,
        }

    def _mean_of_groups(self, values: Any) -> Any:
        """Returns each channel's group's mean, `(batch, 1, 1, channels)`."""
        channels = values.shape[-1]
        # Over space first: what is then reduced over channels is thousands of times smaller.
        of_channels = keras.ops.mean(values, axis=(1, 2))
        grouped = keras.ops.reshape(of_channels, (-1, self.groups, channels // self.groups))
        means = keras.ops.repeat(keras.ops.mean(grouped, axis=-1), channels // self.groups, axis=-1)
        return keras.ops.reshape(means, (-1, 1, 1, channels))
