"""Equivariant ResNet-9 (D4, then D2; weight standardisation, Mish, field normalisation) in JAX.

The same network as `tfdpzoo.zoo.equivariant_resnet9` has by default, with the parameters in the
order in which Keras has them. Heights and widths are multiples of 16.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import jax
import numpy as np
from jax import numpy as jnp

from benchmarks.twins.group_filters import (
    D2,
    D4,
    Elements,
    group_sources,
    lifting_sources,
    restricted_channels,
    ring_basis,
)
from benchmarks.twins.jax_layers import (
    Parameters,
    Shape,
    average,
    convolve,
    draw,
    largest,
    normalize,
)

_NARROW, _WIDE, _WIDEST = 6, 13, 39
_EPSILON = 1e-5


def equivariant_resnet9(
    input_shape: tuple[int, int, int], classes: int
) -> tuple[Parameters, Callable[[Parameters, jax.Array], jax.Array]]:
    """Returns initial parameters, and the function from parameters and images to logits.

    Args:
        input_shape: Height, width and channels of an image.
        classes: How many classes there are.
    """
    return draw(_shapes(input_shape[2], classes)), _logits


def _shapes(channels: int, classes: int) -> Iterator[Shape]:
    yield from ((8, channels, _NARROW), (_NARROW,))
    for elements, inputs, outputs in (
        (D4, _NARROW, _WIDE),
        (D4, _WIDE, _WIDE),
        (D4, _WIDE, _WIDE),
        (D4, _WIDE, _WIDEST),
        (D2, 2 * _WIDEST, _WIDEST),
        (D2, _WIDEST, _WIDEST),
        (D2, _WIDEST, _WIDEST),
    ):
        yield from ((8, len(elements), inputs, outputs), (outputs,))
    yield from ((4 * _WIDEST, classes), (classes,))


def _logits(parameters: Parameters, images: jax.Array) -> jax.Array:
    weights = iter(parameters)
    features = _block(weights, images, lifting_sources())
    features = largest(_block(weights, features, group_sources(D4)), 2, 2)
    features = _residual_block(weights, features, D4)
    features = largest(_block(weights, features, group_sources(D4)), 2, 2)
    features = features[..., restricted_channels(_WIDEST)]
    features = largest(_block(weights, features, group_sources(D2)), 2, 2)
    features = _residual_block(weights, features, D2)
    fields = features.reshape(*features.shape[:-1], _WIDEST, len(D2)).max(-1)
    pooled = average(fields, fields.shape[1] // 2)
    return pooled.reshape(len(pooled), -1) @ next(weights) + next(weights)


def _residual_block(
    weights: Iterator[jax.Array], inputs: jax.Array, elements: Elements
) -> jax.Array:
    outputs = inputs
    for _ in range(2):
        outputs = _block(weights, outputs, group_sources(elements))
    return normalize(inputs + outputs, _groups(inputs.shape[-1] // len(elements)))


def _block(weights: Iterator[jax.Array], inputs: jax.Array, sources: np.ndarray) -> jax.Array:
    kernel, bias = next(weights), next(weights)
    order = sources.shape[-1]
    features = convolve(inputs, _filters(kernel, sources)) + jnp.repeat(bias, order)
    return normalize(jax.nn.mish(features), _groups(len(bias)))


def _filters(kernel: jax.Array, sources: np.ndarray) -> jax.Array:
    """Returns filters `(3, 3, inputs * |G|, outputs * |G|)`."""
    _, order_in, order_out = sources.shape
    inputs, outputs = kernel.shape[-2:]
    rows = order_out**-0.5 * jnp.tensordot(ring_basis(), _standardized(kernel), axes=1)
    filters = rows.reshape(-1, inputs, outputs)[sources].transpose(0, 3, 1, 4, 2)
    return filters.reshape(3, 3, inputs * order_in, outputs * order_out)


def _standardized(kernel: jax.Array) -> jax.Array:
    return (kernel - kernel.mean()) / (kernel.std() + _EPSILON)


def _groups(fields: int) -> int:
    """Returns how many groups of fields are normalised."""
    return 3 if fields == _WIDEST else 1
