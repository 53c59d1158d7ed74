"""Arrays that TensorFlow uses as they are, without a copy."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

# In bytes, that of Eigen's tensors.
_ALIGNMENT = 64


def aligned_zeros(shape: tuple[int, ...], dtype: npt.DTypeLike) -> np.ndarray:
    """Returns zeros at an address at which TensorFlow needs no copy of an array.

    Args:
        shape: Of the array.
        dtype: Of its numbers.

    Example:
        >>> aligned_zeros((3, 5), np.float32).ctypes.data % 64
        0
    """
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    memory = np.zeros(size + _ALIGNMENT, np.uint8)
    first = -memory.ctypes.data % _ALIGNMENT
    return memory[first : first + size].view(dtype).reshape(shape)
