"""The plain convolutional network with tanh, in its layout for CIFAR-10, in JAX.

The same network as `tfdpzoo.zoo.tanh_cnn` has by default, with the parameters in the order in which
Keras has them. Heights and widths are multiples of 8.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import jax
from jax import numpy as jnp

from benchmarks.twins.jax_layers import Parameters, Shape, convolve, draw, largest

_WIDTHS = (32, 64, 128)
_HIDDEN = 128


def tanh_cnn(
    input_shape: tuple[int, int, int], classes: int
) -> tuple[Parameters, Callable[[Parameters, jax.Array], jax.Array]]:
    """Returns initial parameters, and the function from parameters and images to logits.

    Args:
        input_shape: Height, width and channels of an image.
        classes: How many classes there are.
    """
    return draw(_shapes(input_shape, classes)), _logits


def _shapes(input_shape: tuple[int, int, int], classes: int) -> Iterator[Shape]:
    height, width, channels = input_shape
    for inputs, outputs in itertools.pairwise((channels, *_WIDTHS)):
        yield from ((3, 3, inputs, outputs), (outputs,))
        yield from ((3, 3, outputs, outputs), (outputs,))
    pooled = (height // 8) * (width // 8) * _WIDTHS[-1]
    yield from ((pooled, _HIDDEN), (_HIDDEN,), (_HIDDEN, classes), (classes,))


def _logits(parameters: Parameters, images: jax.Array) -> jax.Array:
    weights = iter(parameters)
    features = images
    for _ in _WIDTHS:
        for _ in range(2):
            features = jnp.tanh(convolve(features, next(weights)) + next(weights))
        features = largest(features, 2, 2)
    flat = features.reshape(len(features), -1)
    hidden = jnp.tanh(flat @ next(weights) + next(weights))
    return hidden @ next(weights) + next(weights)
