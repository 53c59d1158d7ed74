"""Convolutions that commute with rotations and reflections of the square grid."""

from __future__ import annotations

import contextlib
import numbers
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from tfdpzoo.errors import InputError, unknown_name
from tfdpzoo.layers.filter_expansion import FilterExpansion, keeps_grid, ring_basis
from tfdpzoo.layers.groups import SquareGroup, square_group
from tfdpzoo.layers.weight_standardization import standardize

BASES = ("pixels", "rings")
PADDINGS = ("same", "valid")


class GroupConvolution(keras.layers.Layer):
    """What `LiftingConv2D`, which describes the arguments, and `GroupConv2D` have in common."""

    _lifts: bool

    def __init__(
        self,
        fields: int,
        kernel_size: int | tuple[int, int],
        group: str = "p4m",
        *,
        strides: int | tuple[int, int] = 1,
        padding: str = "valid",
        dilation_rate: int | tuple[int, int] = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        weight_standardization: bool = False,
        basis: str = "pixels",
        kernel_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.fields = _whole("fields", fields)
        self.kernel_size = _square("kernel_size", kernel_size)
        self.group = square_group(group).name if isinstance(group, SquareGroup) else group
        self.strides = _square("strides", strides)
        self.padding = str(padding).lower()
        self.dilation_rate = _square("dilation_rate", dilation_rate)
        self.activation = keras.activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.weight_standardization = weight_standardization
        self.basis = basis
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.expansion = FilterExpansion(square_group(group), self.kernel_size[0], self._lifts)
        self._require_usable()

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the variables `kernel` and, with a bias, `bias` of shape `(fields,)`."""
        inputs = self._input_fields(input_shape)
        self._require_kept_grid(input_shape)
        cells = self.kernel_size if self.basis == "pixels" else (self.spatial_basis.shape[1],)
        elements = () if self._lifts else (self.expansion.group.order,)
        self.kernel = self.add_weight(
            name="kernel",
            shape=(*cells, *elements, inputs, self.fields),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
        )
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias", shape=(self.fields,), initializer=self.bias_initializer
            )
        self.input_spec = keras.layers.InputSpec(ndim=4, axes={-1: input_shape[-1]})

    def call(self, inputs: Any) -> Any:
        """Returns group feature maps `(batch, height, width, fields * |G|)`."""
        filters, biases = self.__dict__.get("_baked") or self.filters()
        outputs = keras.ops.conv(
            inputs,
            keras.ops.cast(filters, inputs.dtype),
            strides=self.strides,
            padding=self.padding,
            dilation_rate=self.dilation_rate,
            data_format="channels_last",
        )
        if self.use_bias:
            outputs += keras.ops.cast(biases, outputs.dtype)
        return self.activation(outputs)

    def filters(self) -> tuple[Any, Any]:
        """Returns what a plain convolution of the same output has.

        Returns:
            Its filters `(k, k, channels, fields * |G|)`, and its biases `(fields * |G|,)`, or None
            without a bias.
        """
        kernel = keras.ops.convert_to_tensor(self.kernel)
        if self.weight_standardization:
            kernel = self.standardized_scale * standardize(keras.ops.cast(kernel, "float32"))
        if self.basis == "rings":
            basis = keras.ops.convert_to_tensor(self.spatial_basis, kernel.dtype)
            kernel = keras.ops.tensordot(basis, kernel, axes=1)
        filters = self.expansion.expand(kernel)
        if not self.use_bias:
            return filters, None
        return filters, keras.ops.repeat(self.bias, self.expansion.group.order)

    @property
    def spatial_basis(self) -> np.ndarray:
        """The basis of the filters, `(cells, degrees of freedom)`."""
        return ring_basis() if self.basis == "rings" else np.eye(self.kernel_size[0] ** 2)

    @property
    def standardized_scale(self) -> float:
        """The standard deviation of a standardised kernel: each number stands in |G| filters."""
        return self.expansion.group.order**-0.5

    @contextlib.contextmanager
    def baked(self) -> Iterator[list[keras.Variable]]:
        """Lets the layer compute with filters that are expanded once, inside the `with` block.

        Yields:
            The variables that are then used in place of the layer's own weights.
        """
        names = ("filters", "biases") if self.use_bias else ("filters",)
        with keras.name_scope(self.name, caller=self):
            made = [
                keras.Variable(value, trainable=False, name=name)
                for name, value in zip(names, self.filters(), strict=False)
            ]
        # Past Keras' attribute tracking: these are no weights of the layer.
        self.__dict__["_baked"] = (*made, None)[:2]
        try:
            yield made
        finally:
            self.__dict__.pop("_baked")

    def plain_convolution(self) -> keras.layers.Conv2D:
        """Returns a plain convolution, not built yet, that has the weights which `baked` yields."""
        return keras.layers.Conv2D(
            self.fields * self.expansion.group.order,
            self.kernel_size,
            strides=self.strides,
            padding=self.padding,
            dilation_rate=self.dilation_rate,
            activation=self.activation,
            use_bias=self.use_bias,
            name=self.name,
        )

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the output's shape for an input's."""
        height, width = (
            None if side is None else self._output_side(side) for side in input_shape[1:3]
        )
        return (input_shape[0], height, width, self.fields * self.expansion.group.order)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild this layer."""
        return {
            **super().get_config(),
            "fields": self.fields,
            "kernel_size": self.kernel_size,
            "group": self.group,
            "strides": self.strides,
            "padding": self.padding,
            "dilation_rate": self.dilation_rate,
            "activation": keras.activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "weight_standardization": self.weight_standardization,
            "basis": self.basis,
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }

    def _output_side(self, side: int) -> int:
        stride = self.strides[0]
        if self.padding == "same":
            return -(-side // stride)
        return (side - (self.kernel_size[0] - 1) * self.dilation_rate[0] - 1) // stride + 1

    def _input_fields(self, input_shape: tuple[int | None, ...]) -> int:
        channels = input_shape[-1]
        order = self.expansion.input_order
        if len(input_shape) != 4 or channels is None or channels % order:
            raise InputError(
                f"{self.name} was given an input of shape {tuple(input_shape)}; it takes (batch, "
                f"height, width, channels) with channels that are a multiple of {order}"
                + (", one for each element of the group." if order > 1 else ".")
            )
        return channels // order

    def _require_usable(self) -> None:
        if self.padding not in PADDINGS:
            raise unknown_name("padding", self.padding, PADDINGS)
        if self.basis not in BASES:
            raise unknown_name("basis of filters", self.basis, BASES)
        if self.basis == "rings" and self.kernel_size[0] != 3:
            raise InputError(
                f"The basis 'rings' is of 3x3 filters, but kernel_size is {self.kernel_size[0]}; "
                "use basis='pixels'."
            )
        if self.strides[0] > 1 and self.dilation_rate[0] > 1:
            raise InputError(
                f"strides is {self.strides[0]} and dilation_rate {self.dilation_rate[0]}; only one "
                "of the two can be above 1."
            )
        # Without a stride the padding of every image is the same.
        if self.strides[0] == 1 and self._misses_grid(2 * self._extent()):
            raise self._even_kernel_error("every image")

    def _require_kept_grid(self, input_shape: tuple[int | None, ...]) -> None:
        for side in input_shape[1:3]:
            if side is not None and self._misses_grid(side):
                raise self._even_kernel_error(f"an image of {side} pixels")

    def _misses_grid(self, side: int) -> bool:
        """Tells whether an even kernel sits beside the grid, so that no reflection keeps the layer.

        An odd kernel whose strides leave out a border is allowed, as in any other convolution.
        """
        if not self.expansion.group.has_reflections or self._extent() % 2:
            return False
        size, stride, dilation = self.kernel_size[0], self.strides[0], self.dilation_rate[0]
        return not keeps_grid(side, size, stride, dilation, self.padding)

    def _even_kernel_error(self, image: str) -> InputError:
        return InputError(
            f"A kernel of the even size {self.kernel_size[0]} with strides {self.strides[0]} and "
            f"padding {self.padding!r} sits beside the middle of {image}, so that it cannot be "
            f"equivariant to the reflections of {self.group}; use an odd size, or padding 'valid' "
            "with strides that divide what is left of the image."
        )

    def _extent(self) -> int:
        return (self.kernel_size[0] - 1) * self.dilation_rate[0] + 1


@keras.saving.register_keras_serializable(package="tfdpzoo")
class LiftingConv2D(GroupConvolution):
    """Convolves an image with every rotated (and reflected) copy of its filters.

    Moving the image by g moves each output map by g and brings the map of the element h to that of
    g h: `out[g x][:, :, field, g h] = T_g out[x][:, :, field, h]`. That holds to rounding with
    stride 1 and with every stride for which `filter_expansion.keeps_grid` is true; a kernel of an
    even size with `"same"` padding moves the grid by half a pixel, and is refused where the group
    has reflections.

    Rows count downwards and quarter turns are counter-clockwise; the elements' order is that of
    `tfdpzoo.layers.groups`. Channels are ordered by field first: channel = field * |G| + h.

    Args:
        fields: Fields of the output, at least 1; each has |G| channels.
        kernel_size: Height and width of the filters, a number or two equal ones.
        group: `"C1"`, `"C2"`, `"C4"` (`"p4"`), `"D1"`, `"D2"` or `"D4"` (`"p4m"`).
        strides: Steps between outputs, a number or two equal ones.
        padding: `"valid"` or `"same"`.
        dilation_rate: Steps between the filters' cells, a number or two equal ones.
        activation: Applied to the output; none by default.
        use_bias: Whether there is a bias, one for each field.
        kernel_initializer: Initialiser of the kernel.
        bias_initializer: Initialiser of the bias.
        weight_standardization: Whether the kernel is brought to mean 0 and standard deviation
            |G|^-1/2, over the whole layer.
        basis: `"pixels"`, all filters, or `"rings"`, 3x3 filters of 8 degrees of freedom.
        kernel_regularizer: Regulariser of the kernel.

    Input shape:
        `(batch, height, width, channels)`.

    Output shape:
        `(batch, output height, output width, fields * |G|)`.

    Variables:
        `kernel`: `(k, k, channels, fields)`, or `(8, channels, fields)` of the basis `"rings"`.
        `bias`: `(fields,)`.

    Raises:
        InputError: An argument is out of its range, or an even kernel sits beside the grid.

    Source:
        Cohen and Welling 2016, "Group equivariant convolutional networks" (arXiv 1602.07576).

    Example:
        >>> layer = LiftingConv2D(5, 3, "p4m", padding="same")
        >>> layer(np.zeros((2, 8, 8, 3), "float32")).shape.as_list()
        [2, 8, 8, 40]
        >>> layer.count_params()
        140
    """

    _lifts = True


@keras.saving.register_keras_serializable(package="tfdpzoo")
class GroupConv2D(GroupConvolution):
    """Convolves group feature maps over the grid and the group.

    The law and the conventions are those of `LiftingConv2D`; the input's channels are moved as the
    output's, and ordered by field first too. The filter from the input's element h' to the output's
    element h is the kernel's grid of h^-1 h', moved by h.

    Args:
        fields: Fields of the output, at least 1; each has |G| channels.
        kernel_size: Height and width of the filters, a number or two equal ones.
        group: The group of the input and of the output.
        **kwargs: As `LiftingConv2D` takes them.

    Input shape:
        `(batch, height, width, input fields * |G|)`.

    Output shape:
        `(batch, output height, output width, fields * |G|)`.

    Variables:
        `kernel`: `(k, k, |G|, input fields, fields)`, or `(8, |G|, input fields, fields)` of the
        basis `"rings"`.
        `bias`: `(fields,)`.

    Raises:
        InputError: The input's channels are no multiple of |G|, an argument is out of its range, or
            an even kernel sits beside the grid.

    Example:
        >>> layer = GroupConv2D(2, 3, "p4")
        >>> layer(np.zeros((2, 8, 8, 12), "float32")).shape.as_list()
        [2, 6, 6, 8]
        >>> tuple(layer.kernel.shape)
        (3, 3, 4, 3, 2)
    """

    _lifts = False


def _whole(name: str, value: Any) -> int:
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < 1:
        raise InputError(f"{name} is {value!r}; it must be a whole number of at least 1.")
    return int(value)


def _square(name: str, value: Any) -> tuple[int, int]:
    sides = tuple(value) if isinstance(value, tuple | list) else (value, value)
    if len(sides) != 2 or sides[0] != sides[1]:
        raise InputError(
            f"{name} is {value!r}; a quarter turn needs the same number for rows and columns."
        )
    side = _whole(name, sides[0])
    return side, side
