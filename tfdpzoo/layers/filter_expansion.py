"""From the kernel of a group convolution to the filters of a plain one: a constant gather."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from tfdpzoo.layers.groups import SquareGroup

_RING_WIDTH = 0.4
_RING_FREQUENCIES = 3


@dataclass(frozen=True)
class FilterExpansion:
    """Which number of a kernel stands where in the filters.

    With T_h the motion of the grid by h and w the kernel, the filter of the element h is T_h(w) in
    a lifting convolution, and between group features T_h(w[h^-1 h']) for the input's element h'.
    Channels are ordered by field first: channel = field * |G| + h.

    Attributes:
        group: G.
        size: Height and width of the filters.
        lifts: Whether the input is an image, without a group axis.

    Source:
        Cohen and Welling 2016, "Group equivariant convolutional networks" (arXiv 1602.07576), as in
        GrouPy's `make_gconv_indices`.
    """

    group: SquareGroup
    size: int
    lifts: bool

    @property
    def input_order(self) -> int:
        """How many channels make one field of the input."""
        return 1 if self.lifts else self.group.order

    @property
    def rows(self) -> int:
        """How many numbers a kernel has for an input field and an output field."""
        return self.size**2 * self.input_order

    @functools.cached_property
    def sources(self) -> np.ndarray:
        """`(|G|, rows)`: the row of the kernel from which each row of the filter of h comes.

        Rows count cells of the grid times elements of the input: cell * input_order + h'.
        """
        group = self.group
        cells = group.grid_action(self.size)[:, :, None]
        if self.lifts:
            return cells[:, :, 0]
        elements = group.products[group.inverses][:, None, :]
        return (cells * group.order + elements).reshape(group.order, -1)

    @functools.cached_property
    def destinations(self) -> np.ndarray:
        """`(|G|, rows)`: the row of the filter of h to which each row of the kernel goes."""
        return np.argsort(self.sources, axis=1)

    def expand(self, kernel: Any) -> Any:
        """Returns the filters.

        Args:
            kernel: `(rows, input fields, fields)`, or any shape that flattens to it.

        Returns:
            `(size, size, input fields * input_order, fields * |G|)`.
        """
        inputs, fields = kernel.shape[-2:]
        rows = keras.ops.reshape(kernel, (-1, inputs, fields))
        filters = keras.ops.take(rows, self.sources.ravel(), axis=0)
        order, cells = self.group.order, self.size**2
        filters = keras.ops.reshape(filters, (order, cells, self.input_order, inputs, fields))
        filters = keras.ops.transpose(filters, (1, 3, 2, 4, 0))
        channels = (inputs * self.input_order, fields * order)
        return keras.ops.reshape(filters, (self.size, self.size, *channels))


def ring_basis() -> np.ndarray:
    """Returns the basis of 3x3 filters with 8 degrees of freedom, `(9, 8)`.

    One filter is the middle; seven are angular waves of frequency 0 to 3 on the ring around it,
    weaker at the corners, which lie outside of the ring's middle. What is missing of all 3x3
    filters is the wave of frequency 4, edges against corners: nothing below the grid's own
    resolution tells it from a constant. The columns have length 1, and the space that they span is
    kept by all symmetries of the square.

    Source:
        Hoelzl, Rueckert and Kaissis 2023 (arXiv 2301.13104): rings of width 0.4 at radius 0 and 1
        and frequencies up to three times the radius, as in their code.

    Example:
        >>> ring_basis().shape, int(np.linalg.matrix_rank(ring_basis()))
        ((9, 8), 8)
    """
    rows, columns = np.mgrid[-1:2, -1:2].reshape(2, 9)
    radius, angle = np.hypot(rows, columns), np.arctan2(-rows, columns)
    middle = (radius == 0).astype(float)
    profile = np.where(radius > 0, np.exp(-((radius - 1) ** 2) / (2 * _RING_WIDTH**2)), 0.0)
    waves = [
        wave(frequency * angle)
        for frequency in range(_RING_FREQUENCIES + 1)
        for wave in ((np.cos, np.sin) if frequency else (np.cos,))
    ]
    basis = np.stack([middle, *(profile * wave for wave in waves)], axis=1)
    return basis / np.linalg.norm(basis, axis=0)


def keeps_grid(size: int, kernel_size: int, strides: int, dilation_rate: int, padding: str) -> bool:
    """Tells whether a convolution looks at a side of an image in the same way from both ends.

    Only then can it be equivariant to half turns, and to the reflections of that side.

    Args:
        size: The side of the image.
        kernel_size: Of the convolution, as are the others.
        strides: Steps between outputs.
        dilation_rate: Steps between the kernel's cells.
        padding: `"same"` or `"valid"`.

    Example:
        >>> keeps_grid(8, 3, 1, 1, "same"), keeps_grid(8, 3, 2, 1, "same")
        (True, False)
        >>> keeps_grid(8, 2, 1, 1, "same"), keeps_grid(8, 2, 2, 1, "valid")
        (False, True)
    """
    extent = (kernel_size - 1) * dilation_rate + 1
    if padding == "valid":
        return (size - extent) % strides == 0
    missing = (math.ceil(size / strides) - 1) * strides + extent - size
    return missing >= 0 and missing % 2 == 0
