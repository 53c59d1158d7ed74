"""Products of float32 with all of their bits, also on a GPU."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import tensorflow as tf


@contextlib.contextmanager
def full_float32() -> Iterator[None]:
    """Turns TensorFloat-32 off inside of a `with` block, for the whole process.

    NVIDIA's GPUs since Ampere round the factors of float32 products to 10 bits of fraction unless
    they are told not to. A clipped sum is such a product: each of its two factors could be off by
    one part in 2,000, so that an example would add up to a thousandth more than the clip norm. On
    other devices this changes nothing.

    Example:
        >>> with full_float32():
        ...     tf.config.experimental.tensor_float_32_execution_enabled()
        False
    """
    before = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(before)
