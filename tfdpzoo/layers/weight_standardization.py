"""Weights of mean 0 and a fixed spread, whatever the optimizer makes of them."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

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


class StandardizationSlope(NamedTuple):
    """The derivative of `standardize`, `factor * (1 - mean - share * direction direction^T)`.

    A symmetric matrix: it removes the mean, shortens what points along the weights, and multiplies.

    Attributes:
        direction: The centred weights at length 1, or 0 where all weights are equal.
        share: How much of what points along them is removed: all but what `EPSILON` leaves.
        factor: One over the standard deviation, bounded by `EPSILON`.
    """

    direction: Any
    share: Any
    factor: Any


def standardization_slope(weights: Any) -> StandardizationSlope:
    """Returns the derivative of `standardize` at weights of any shape."""
    centered = weights - keras.ops.mean(weights)
    deviation = _deviation(centered)
    length = deviation * math.prod(weights.shape) ** 0.5
    factor = 1.0 / (deviation + EPSILON)
    return StandardizationSlope(
        keras.ops.divide_no_nan(centered, length), deviation * factor, factor
    )


def standardized_gradients(weights: Any, gradients: Any) -> Any:
    """Takes gradients at standardised weights back to the weights themselves.

    Args:
        weights: What was standardised, of any shape.
        gradients: `(B, *shape)`, at `standardize(weights)`.

    Returns:
        `(B, *shape)`, at the weights.
    """
    slope = standardization_slope(weights)
    axes = tuple(range(1, len(gradients.shape)))
    along = keras.ops.sum(gradients * slope.direction, axis=axes, keepdims=True)
    means = keras.ops.mean(gradients, axis=axes, keepdims=True)
    return slope.factor * (gradients - means - slope.share * along * slope.direction)


def _deviation(centered: Any) -> Any:
    return keras.ops.sqrt(keras.ops.mean(keras.ops.square(centered)))
