"""SmoothNet (dense, max-pooling, group normalisation, SELU) in JAX.

The same network as `tfdpzoo.zoo.smoothnet`, with the parameters in the order in which Keras has
them. Heights and widths are multiples of 16.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp

Parameters = list[jax.Array]

_EPSILON = 1e-5


def smoothnet(
    input_shape: tuple[int, int, int], classes: int, width: float, depth: int
) -> tuple[Parameters, Callable[[Parameters, jax.Array], jax.Array]]:
    """Returns initial parameters, and the function from parameters and images to logits.

    Args:
        input_shape: Height, width and channels of an image.
        classes: How many classes there are.
        width: Factor of the channels.
        depth: Blocks in each stage.
    """
    shapes = _shapes(input_shape[2], classes, width, depth)
    random = np.random.default_rng(0)
    parameters = [jnp.asarray(_draw(random, shape)) for shape in shapes]

    def logits(parameters: Parameters, images: jax.Array) -> jax.Array:
        weights = iter(parameters)
        seen, _ = _stage(weights, images, depth)
        features = _average(_convolve(seen, next(weights)), 2)
        _, last = _stage(weights, features, depth)
        return _head(weights, _average(last, 2))

    return parameters, logits


def _shapes(channels: int, classes: int, width: float, depth: int) -> Iterator[tuple[int, ...]]:
    first, second = int(8 * width), int(16 * width)
    seen = channels + first * depth
    yield from _stage_shapes(channels, first, depth)
    yield (1, 1, seen, seen // 2)
    yield from _stage_shapes(seen // 2, second, depth)
    for inputs, outputs in itertools.pairwise((16 * second, 256, 128, classes)):
        yield from ((inputs, outputs), (outputs,))


def _stage_shapes(inputs: int, outputs: int, depth: int) -> Iterator[tuple[int, ...]]:
    for index in range(depth):
        yield from ((3, 3, inputs + outputs * index, outputs), (outputs,), (outputs,))


def _draw(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    if len(shape) == 1:
        return np.ones(shape, np.float32)
    return random.normal(0, np.prod(shape[:-1]) ** -0.5, shape).astype("float32")


def _stage(weights: Iterator[jax.Array], seen: jax.Array, depth: int) -> tuple[jax.Array, ...]:
    """Returns everything that a stage has seen, and its last block's output."""
    last = seen
    for _ in range(depth):
        last = _block(weights, seen)
        seen = jnp.concatenate((seen, last), axis=-1)
    return seen, last


def _block(weights: Iterator[jax.Array], images: jax.Array) -> jax.Array:
    features = _convolve(images, next(weights))
    window, strides = (1, 3, 3, 1), (1, 1, 1, 1)
    features = lax.reduce_window(features, -jnp.inf, lax.max, window, strides, "SAME")
    return jax.nn.selu(_normalize(features, next(weights), next(weights)))


def _convolve(images: jax.Array, kernel: jax.Array) -> jax.Array:
    return lax.conv_general_dilated(
        images, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def _normalize(features: jax.Array, gamma: jax.Array, beta: jax.Array) -> jax.Array:
    channels = features.shape[-1]
    groups = min(8, channels)
    grouped = features.reshape(*features.shape[:-1], groups, channels // groups)
    mean = grouped.mean((1, 2, 4), keepdims=True)
    variance = grouped.var((1, 2, 4), keepdims=True)
    normalized = (grouped - mean) * lax.rsqrt(variance + _EPSILON)
    return normalized.reshape(features.shape) * gamma + beta


def _average(images: jax.Array, size: int) -> jax.Array:
    batch, height, width, channels = images.shape
    windows = images.reshape(batch, height // size, size, width // size, size, channels)
    return windows.mean((2, 4))


def _head(weights: Iterator[jax.Array], features: jax.Array) -> jax.Array:
    pooled = _average(features, features.shape[1] // 4)
    # Channel by channel, as PyTorch does.
    outputs = pooled.transpose(0, 3, 1, 2).reshape(len(pooled), -1)
    dense = list(weights)
    *hidden, (kernel, bias) = zip(dense[::2], dense[1::2], strict=True)
    for hidden_kernel, hidden_bias in hidden:
        outputs = jax.nn.selu(outputs @ hidden_kernel + hidden_bias)
    return outputs @ kernel + bias
