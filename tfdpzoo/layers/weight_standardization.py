"""Weights of mean 0 and a fixed spread, whatever the optimizer makes of them."""

from __future__ import annotations

from typing import Any

import keras

EPSILON = 1e-5
"""What is added to the standard deviation, so that equal weights do not divide by zero."""


def standardize(weights: Any) -> Any:
    """Returns weights of mean 0 and standard deviation 1 over all of them.

    One mean and one deviation for a whole layer, and no factor for the fan-in, as in the code of
    Hoelzl, Rueckert and Kaissis 2023 (arXiv 2301.13104); Qiao et al. 2019 (arXiv 1903.10520) have
    one of each for every output channel.

    Args:
        weights: A tensor of any shape.

    Example:
        >>> [round(float(x), 3) for x in standardize(keras.ops.array([1.0, 2.0, 3.0, 4.0]))]
        [-1.342, -0.447, 0.447, 1.342]
    """
    centered = weights - keras.ops.mean(weights)
    return centered / (_deviation(centered) + EPSILON)


def standardized_gradients(weights: Any, gradients: Any) -> Any:
    """Takes gradients at standardised weights back to the weights themselves.

    The derivative of `standardize` is a symmetric matrix: it removes the mean and shortens what
    points along the weights.

    Args:
        weights: What was standardised, of any shape.
        gradients: `(B, *shape)`, at `standardize(weights)`.

    Returns:
        `(B, *shape)`, at the weights.
    """
    centered = weights - keras.ops.mean(weights)
    deviation = _deviation(centered)
    spread = deviation + EPSILON
    axes = tuple(range(1, len(gradients.shape)))
    along = keras.ops.mean(gradients * centered, axis=axes, keepdims=True)
    # Equal weights have no direction: what points along them is then 0 of 0.
    along = keras.ops.divide_no_nan(along, deviation * spread)
    means = keras.ops.mean(gradients, axis=axes, keepdims=True)
    return (gradients - means - along * centered) / spread


def _deviation(centered: Any) -> Any:
    return keras.ops.sqrt(keras.ops.mean(keras.ops.square(centered)))
