"""Pooling over the group, and over space so that no symmetry is lost."""

from __future__ import annotations

from typing import Any

import keras

from tfdpzoo.errors import InputError, unknown_name
from tfdpzoo.layers.groups import SquareGroup, square_group

KINDS = ("max", "mean")


@keras.saving.register_keras_serializable(package="tfdpzoo")
class GroupPooling(keras.layers.Layer):
    """Takes the largest or the mean value over the group, for every field and place.

    What is left moves with the image and is otherwise unchanged: `out[g x] = T_g out[x]`.

    Args:
        group: The group of the input, as `LiftingConv2D` takes it.
        kind: `"max"` or `"mean"`.

    Input shape:
        `(batch, height, width, fields * |G|)`.

    Output shape:
        `(batch, height, width, fields)`.

    Raises:
        InputError: There is no such group or kind, or the channels are no multiple of |G|.

    Example:
        >>> channels = keras.ops.reshape(keras.ops.arange(8.0), (1, 1, 1, 8))
        >>> GroupPooling("p4")(channels).numpy().ravel().tolist()
        [3.0, 7.0]
    """

    def __init__(self, group: str | SquareGroup = "p4m", kind: str = "max", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.group = square_group(group).name if isinstance(group, SquareGroup) else group
        self.kind = _known_kind(kind)
        self._order = square_group(group).order

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Checks the channels."""
        count_fields(self.name, input_shape, self.group)

    def call(self, inputs: Any) -> Any:
        """Returns one channel for each field."""
        fields = count_fields(self.name, inputs.shape, self.group)
        reduce = {"max": keras.ops.max, "mean": keras.ops.mean}[self.kind]
        return reduce(keras.ops.reshape(inputs, (*_outer(inputs), fields, self._order)), axis=-1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the output's shape for an input's."""
        return (*input_shape[:-1], count_fields(self.name, input_shape, self.group))

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild this layer."""
        return {**super().get_config(), "group": self.group, "kind": self.kind}


@keras.saving.register_keras_serializable(package="tfdpzoo")
class SymmetricPooling2D(keras.layers.Layer):
    """Pools over windows that lie on the image in the same way from every side.

    Where the stride divides the image these are the windows of `MaxPooling2D` and
    `AveragePooling2D`. Elsewhere those would leave out the last rows and columns, and the first
    ones of a reflected image; here all windows are larger by the remainder and overlap. So pooling
    commutes with every symmetry of the square, for images of any size.

    Args:
        strides: Steps between windows, at least 1; an image of n pixels has floor(n / strides)
            windows.
        kind: `"max"` or `"mean"`.

    Input shape:
        `(batch, height, width, channels)`; height and width must be known and at least `strides`.

    Output shape:
        `(batch, height // strides, width // strides, channels)`.

    Raises:
        InputError: An argument is out of its range, or the image is too small or of unknown size.

    Example:
        >>> row = keras.ops.reshape(keras.ops.array([3.0, 0, 5, 1, 4, 0, 2]), (1, 1, 7, 1))
        >>> SymmetricPooling2D(2)(keras.ops.repeat(row, 2, axis=1)).numpy().ravel().tolist()
        [5.0, 5.0, 4.0]
    """

    def __init__(self, strides: int = 2, kind: str = "max", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(strides, int) or isinstance(strides, bool) or strides < 1:
            raise InputError(f"strides is {strides!r}; it must be a whole number of at least 1.")
        self.strides = strides
        self.kind = _known_kind(kind)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Checks the image's size."""
        self.compute_output_shape(input_shape)

    def call(self, inputs: Any) -> Any:
        """Returns the pooled image."""
        windows = tuple(self.strides + side % self.strides for side in inputs.shape[1:3])
        pool = {"max": keras.ops.max_pool, "mean": keras.ops.average_pool}[self.kind]
        return pool(inputs, windows, self.strides, padding="valid", data_format="channels_last")

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the output's shape for an input's."""
        batch, height, width, channels = input_shape
        if height is None or width is None or min(height, width) < self.strides:
            raise InputError(
                f"{self.name} was given an input of shape {tuple(input_shape)}; it needs a known "
                f"height and width of at least {self.strides}."
            )
        return (batch, height // self.strides, width // self.strides, channels)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild this layer."""
        return {**super().get_config(), "strides": self.strides, "kind": self.kind}


def count_fields(name: str, input_shape: tuple[int | None, ...], group: str | SquareGroup) -> int:
    """Returns how many fields of a group the channels of a layer's input make.

    Args:
        name: The layer's name, for the message.
        input_shape: Of the input; channels come last.
        group: The group.

    Raises:
        InputError: The channels are no multiple of |G|.
    """
    order, channels = square_group(group).order, input_shape[-1]
    if channels is None or channels % order:
        raise InputError(
            f"{name} was given {channels} channels, which are not fields of {group}: they must be "
            f"a multiple of {order}, one for each element of the group."
        )
    return channels // order


def _known_kind(kind: str) -> str:
    if kind not in KINDS:
        raise unknown_name("kind of pooling", kind, KINDS)
    return kind


def _outer(inputs: Any) -> tuple[Any, ...]:
    """The batch and the sides of an image, also where they are known only when it runs."""
    return tuple(keras.ops.shape(inputs)[:-1])
