"""From the features of a group to those of a smaller one."""

from __future__ import annotations

from typing import Any

import keras

from tfdpzoo.layers.group_pooling import count_fields
from tfdpzoo.layers.groups import SquareGroup, square_group


@keras.saving.register_keras_serializable(package="tfdpzoo")
class GroupRestriction(keras.layers.Layer):
    """Reads the features of a group G as features of a subgroup H: a permutation of channels.

    Under H alone, a field of G falls into |G| / |H| fields, one for each coset H s. Layers that
    follow are equivariant to H and free to tell the cosets apart, for example an image from the
    image turned by 90 degrees.

    Args:
        group: G, as `LiftingConv2D` takes it.
        subgroup: H.

    Input shape:
        `(batch, height, width, fields * |G|)`.

    Output shape:
        The same. The cosets of a field follow each other; channel = (field * |G| / |H| + coset) *
        |H| + h.

    Raises:
        InputError: H is no subgroup of G, or the channels are no multiple of |G|.

    Source:
        Weiler and Cesa 2019, "General E(2)-equivariant steerable CNNs" (arXiv 1911.08251),
        section 2.7.

    Example:
        >>> import numpy as np
        >>> channels = np.arange(8.0).reshape(1, 1, 1, 8)
        >>> GroupRestriction("D4", "D2")(channels).numpy().ravel().tolist()
        [0.0, 2.0, 4.0, 6.0, 1.0, 3.0, 5.0, 7.0]
    """

    def __init__(
        self, group: str | SquareGroup = "D4", subgroup: str | SquareGroup = "D2", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.group = group.name if isinstance(group, SquareGroup) else group
        self.subgroup = subgroup.name if isinstance(subgroup, SquareGroup) else subgroup
        self._cosets = square_group(group).cosets(square_group(subgroup))

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Checks the channels."""
        count_fields(self.name, input_shape, self.group)

    def call(self, inputs: Any) -> Any:
        """Returns the channels in their new order."""
        fields = count_fields(self.name, inputs.shape, self.group)
        order = self._cosets.size
        # Not by a gather of channels: OpenVINO 2026.4 computes something else between convolutions.
        by_element = keras.ops.reshape(inputs, (-1, *inputs.shape[1:-1], fields, order))
        elements = keras.ops.split(by_element, order, axis=-1)
        moved = keras.ops.concatenate([elements[i] for i in self._cosets.ravel()], axis=-1)
        return keras.ops.reshape(moved, (-1, *inputs.shape[1:]))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the shape of the inputs."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild this layer."""
        return {**super().get_config(), "group": self.group, "subgroup": self.subgroup}
