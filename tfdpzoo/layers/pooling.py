"""Average pooling to a fixed size."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from tfdpzoo.errors import InputError


@keras.saving.register_keras_serializable(package="tfdpzoo")
class AdaptiveAveragePooling2D(keras.layers.Layer):
    """Averages an image to a square of a given side, as PyTorch's AdaptiveAvgPool2d does.

    Output row i is the mean of the input rows from floor(i * height / side) to
    ceil((i + 1) * height / side), and likewise for columns; the windows may overlap, and the output
    may be larger than the input. (Keras has this layer from 3.13 on, which needs Python 3.11.)

    Args:
        side: Height and width of the output, at least 1.

    Input shape:
        `(batch, height, width, channels)`; height and width must be known.

    Output shape:
        `(batch, side, side, channels)`.

    Raises:
        InputError: The side is not a whole number above zero.

    Example:
        >>> AdaptiveAveragePooling2D(4)(np.ones((2, 7, 9, 3), "float32")).shape.as_list()
        [2, 4, 4, 3]
    """

    def __init__(self, side: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if int(side) != side or side < 1:
            raise InputError(f"side is {side!r}; it must be a whole number of at least 1.")
        self.side = side

    def call(self, inputs: Any) -> Any:
        """Returns the averages."""
        height, width = inputs.shape[1:3]
        rows, columns = (
            keras.ops.convert_to_tensor(averaging_matrix(size, self.side), inputs.dtype)
            for size in (height, width)
        )
        by_row = keras.ops.einsum("ph,bhwc->bpwc", rows, inputs)
        return keras.ops.einsum("qw,bpwc->bpqc", columns, by_row)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the output's shape for an input's."""
        return (input_shape[0], self.side, self.side, input_shape[3])

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild this layer."""
        return {**super().get_config(), "side": self.side}


def averaging_matrix(size: int, side: int) -> np.ndarray:
    """Returns the matrix `(side, size)` whose rows average the windows of adaptive pooling.

    Example:
        >>> averaging_matrix(3, 2)
        array([[0.5, 0.5, 0. ],
               [0. , 0.5, 0.5]])
    """
    matrix = np.zeros((side, size))
    for row in range(side):
        first, last = row * size // side, -(-(row + 1) * size // side)
        matrix[row, first:last] = 1.0 / (last - first)
    return matrix
