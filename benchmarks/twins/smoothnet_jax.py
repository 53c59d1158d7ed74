"""SmoothNet (dense, max-pooling, group normalisation, SELU) in JAX.

The same network as `tfdpzoo.zoo.smoothnet`, with the parameters in the order in which Keras has
them. Heights and widths are multiples of 16.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import jax
from jax import numpy as jnp

from benchmarks.twins.jax_layers import (
    Parameters,
    Shape,
    average,
    convolve,
    draw,
    largest,
    normalize,
)


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
    parameters = draw(_shapes(input_shape[2], classes, width, depth))

    def logits(parameters: Parameters, images: jax.Array) -> jax.Array:
        weights = iter(parameters)
        seen, _ = _stage(weights, images, depth)
        features = average(convolve(seen, next(weights)), 2)
        _, last = _stage(weights, features, depth)
        return _head(weights, average(last, 2))

    return parameters, logits


def _shapes(channels: int, classes: int, width: float, depth: int) -> Iterator[Shape]:
    first, second = int(8 * width), int(16 * width)
    seen = channels + first * depth
    yield from _stage_shapes(channels, first, depth)
    yield (1, 1, seen, seen // 2)
    yield from _stage_shapes(seen // 2, second, depth)
    for inputs, outputs in itertools.pairwise((16 * second, 256, 128, classes)):
        yield from ((inputs, outputs), (outputs,))


def _stage_shapes(inputs: int, outputs: int, depth: int) -> Iterator[Shape]:
    for index in range(depth):
        yield from ((3, 3, inputs + outputs * index, outputs), (outputs,), (outputs,))


def _stage(weights: Iterator[jax.Array], seen: jax.Array, depth: int) -> tuple[jax.Array, ...]:
    """Returns everything that a stage has seen, and its last block's output."""
    last = seen
    for _ in range(depth):
        last = _block(weights, seen)
        seen = jnp.concatenate((seen, last), axis=-1)
    return seen, last


def _block(weights: Iterator[jax.Array], images: jax.Array) -> jax.Array:
    features = largest(convolve(images, next(weights)), 3, 1, "SAME")
    normalized = normalize(features, min(8, features.shape[-1]))
    return jax.nn.selu(normalized * next(weights) + next(weights))


def _head(weights: Iterator[jax.Array], features: jax.Array) -> jax.Array:
    pooled = average(features, features.shape[1] // 4)
    # Channel by channel, as PyTorch does.
    outputs = pooled.transpose(0, 3, 1, 2).reshape(len(pooled), -1)
    dense = list(weights)
    *hidden, (kernel, bias) = zip(dense[::2], dense[1::2], strict=True)
    for hidden_kernel, hidden_bias in hidden:
        outputs = jax.nn.selu(outputs @ hidden_kernel + hidden_bias)
    return outputs @ kernel + bias
