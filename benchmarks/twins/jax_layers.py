"""What the JAX twins are made of: functions of features `(batch, height, width, channels)`."""

from __future__ import annotations

from collections.abc import Iterable

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp

Parameters = list[jax.Array]
Shape = tuple[int, ...]

_EPSILON = 1e-5


def draw(shapes: Iterable[Shape]) -> Parameters:
    """Returns initial parameters: ones, and kernels of the fan-in's spread."""
    random = np.random.default_rng(0)
    return [jnp.asarray(_drawn(random, shape)) for shape in shapes]


def _drawn(random: np.random.Generator, shape: Shape) -> np.ndarray:
    if len(shape) == 1:
        return np.ones(shape, np.float32)
    return random.normal(0, np.prod(shape[:-1]) ** -0.5, shape).astype("float32")


def convolve(images: jax.Array, kernel: jax.Array, stride: int = 1) -> jax.Array:
    """Convolves with a kernel `(height, width, inputs, outputs)` and padding as Keras' `"same"`."""
    return lax.conv_general_dilated(
        images, kernel, (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def normalize(features: jax.Array, groups: int) -> jax.Array:
    """Returns features of mean 0 and variance 1 in each group of channels."""
    channels = features.shape[-1]
    grouped = features.reshape(*features.shape[:-1], groups, channels // groups)
    mean = grouped.mean((1, 2, 4), keepdims=True)
    variance = grouped.var((1, 2, 4), keepdims=True)
    normalized = (grouped - mean) * lax.rsqrt(variance + _EPSILON)
    return normalized.reshape(features.shape)


def largest(images: jax.Array, size: int, stride: int, padding: str = "VALID") -> jax.Array:
    """Max-pooling over squares."""
    window, strides = (1, size, size, 1), (1, stride, stride, 1)
    return lax.reduce_window(images, -jnp.inf, lax.max, window, strides, padding)


def average(images: jax.Array, size: int) -> jax.Array:
    """Average pooling over squares side by side."""
    batch, height, width, channels = images.shape
    windows = images.reshape(batch, height // size, size, width // size, size, channels)
    return windows.mean((2, 4))
