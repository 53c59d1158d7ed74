"""Wide residual networks (standardised convolutions, ReLU before group normalisation) in JAX.

The same networks as `tfdpzoo.zoo.wrn16_4` and `tfdpzoo.zoo.wrn40_4`, with the parameters in the
order in which Keras has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import jax
from jax import lax
from jax import numpy as jnp

from benchmarks.twins.jax_layers import Parameters, Shape, convolve, draw, normalize

_FIRST_CHANNELS, _STAGE_CHANNELS = 16, (16, 32, 64)
_GROUPS = 16
_LEAST_SQUARED_LENGTH = 1e-4


def wide_resnet(
    input_shape: tuple[int, int, int], classes: int, depth: int, width: int
) -> tuple[Parameters, Callable[[Parameters, jax.Array], jax.Array]]:
    """Returns initial parameters, and the function from parameters and images to logits.

    Args:
        input_shape: Height, width and channels of an image.
        classes: How many classes there are.
        depth: 6 n + 4, for n blocks in each stage.
        width: Factor of the channels.
    """
    blocks = (depth - 4) // 6

    def logits(parameters: Parameters, images: jax.Array) -> jax.Array:
        weights = iter(parameters)
        features = _convolved(weights, images)
        for stage in range(3):
            features = _widening_block(weights, features, 2 if stage else 1)
            for _ in range(blocks - 1):
                branch = _convolved(weights, _normalized(weights, features))
                features += _convolved(weights, _normalized(weights, branch))
        pooled = _normalized(weights, features).mean((1, 2))
        return pooled @ next(weights) + next(weights)

    return draw(_shapes(input_shape[2], classes, blocks, width)), logits


wrn16_4 = partial(wide_resnet, depth=16, width=4)
wrn40_4 = partial(wide_resnet, depth=40, width=4)


def _shapes(channels: int, classes: int, blocks: int, width: int) -> Iterator[Shape]:
    yield from _convolution(3, channels, _FIRST_CHANNELS)
    inputs = _FIRST_CHANNELS
    for outputs in (width * channels for channels in _STAGE_CHANNELS):
        yield from ((inputs,), (inputs,), *_convolution(3, inputs, outputs))
        yield from ((outputs,), (outputs,), (inputs,), (inputs,))
        yield from (*_convolution(3, outputs, outputs), *_convolution(1, inputs, outputs))
        for _ in range(2 * (blocks - 1)):
            yield from ((outputs,), (outputs,), *_convolution(3, outputs, outputs))
        inputs = outputs
    yield from ((inputs,), (inputs,), (inputs, classes), (classes,))


def _convolution(size: int, inputs: int, outputs: int) -> tuple[Shape, Shape, Shape]:
    return (size, size, inputs, outputs), (outputs,), (outputs,)


def _widening_block(weights: Iterator[jax.Array], inputs: jax.Array, stride: int) -> jax.Array:
    """With a convolution as its shortcut, which Keras counts between those of the branch."""
    branch = _convolved(weights, _normalized(weights, inputs), stride)
    branch = _normalized(weights, branch)
    shortcut = _normalized(weights, inputs)
    branch = _convolved(weights, branch)
    return branch + _convolved(weights, shortcut, stride)


def _normalized(weights: Iterator[jax.Array], inputs: jax.Array) -> jax.Array:
    return normalize(jax.nn.relu(inputs), _GROUPS) * next(weights) + next(weights)


def _convolved(weights: Iterator[jax.Array], inputs: jax.Array, stride: int = 1) -> jax.Array:
    kernel, bias, gain = next(weights), next(weights), next(weights)
    return convolve(inputs, gain * _standardized(kernel), stride) + bias


def _standardized(kernel: jax.Array) -> jax.Array:
    """Returns filters of mean 0 and length 1."""
    centered = kernel - kernel.mean((0, 1, 2))
    squares = jnp.square(centered).sum((0, 1, 2))
    return centered * lax.rsqrt(jnp.maximum(squares, _LEAST_SQUARED_LENGTH))
