"""ResNet-9 with ScaleNorm (group normalisation, Mish) in JAX.

The same network as `tfdpzoo.zoo.resnet9` has by default, with the parameters in the order in which
Keras has them. Heights and widths are multiples of 16.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import jax

from benchmarks.twins.jax_layers import Parameters, Shape, convolve, draw, largest, normalize

_NARROW, _WIDE, _WIDEST = 64, 128, 256
_GROUPS = 32


def resnet9(
    input_shape: tuple[int, int, int], classes: int
) -> tuple[Parameters, Callable[[Parameters, jax.Array], jax.Array]]:
    """Returns initial parameters, and the function from parameters and images to logits.

    Args:
        input_shape: Height, width and channels of an image.
        classes: How many classes there are.
    """
    return draw(_shapes(input_shape[2], classes)), _logits


def _shapes(channels: int, classes: int) -> Iterator[Shape]:
    yield from _block_shapes(channels, _NARROW)
    yield from _block_shapes(_NARROW, _WIDE)
    yield from _residual_shapes(_WIDE)
    yield from _block_shapes(_WIDE, _WIDEST)
    yield from _block_shapes(_WIDEST, _WIDEST)
    yield from _residual_shapes(_WIDEST)
    yield from ((4 * _WIDEST, classes), (classes,))


def _residual_shapes(channels: int) -> Iterator[Shape]:
    for _ in range(2):
        yield from _block_shapes(channels, channels)
    yield from ((channels,), (channels,))


def _block_shapes(inputs: int, outputs: int) -> tuple[Shape, ...]:
    return (3, 3, inputs, outputs), (outputs,), (outputs,)


def _logits(parameters: Parameters, images: jax.Array) -> jax.Array:
    weights = iter(parameters)
    features = _block(weights, images)
    features = largest(_block(weights, features), 2, 2)
    features = _residual_block(weights, features)
    features = largest(_block(weights, features), 2, 2)
    features = largest(_block(weights, features), 2, 2)
    features = _residual_block(weights, features)
    half = features.shape[1] // 2
    pooled = largest(features, half, half)
    return pooled.reshape(len(pooled), -1) @ next(weights) + next(weights)


def _residual_block(weights: Iterator[jax.Array], inputs: jax.Array) -> jax.Array:
    outputs = _block(weights, _block(weights, inputs))
    return _normalized(weights, outputs + inputs)


def _block(weights: Iterator[jax.Array], inputs: jax.Array) -> jax.Array:
    return jax.nn.mish(_normalized(weights, convolve(inputs, next(weights))))


def _normalized(weights: Iterator[jax.Array], features: jax.Array) -> jax.Array:
    return normalize(features, _GROUPS) * next(weights) + next(weights)
