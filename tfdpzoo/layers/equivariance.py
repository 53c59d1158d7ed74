"""How images and features move under a group, and how far a function is from moving with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tfdpzoo.layers.groups import SquareGroup

Move = Callable[[np.ndarray, SquareGroup, int], np.ndarray]
"""`(values, group, position of the element) -> moved values`."""


def move_images(images: np.ndarray, group: SquareGroup, position: int) -> np.ndarray:
    """Moves images by an element of a group and leaves their channels alone.

    Args:
        images: `(batch, side, side, channels)`.
        group: The group.
        position: The element's position in `group.elements`.
    """
    return np.ascontiguousarray(group.transform(images, position, axes=(1, 2)))


def move_features(features: np.ndarray, group: SquareGroup, position: int) -> np.ndarray:
    """Moves group features: each map by g, and the map of h to the place of g h.

    Args:
        features: `(batch, side, side, fields * |G|)`.
        group: The group.
        position: The position of g in `group.elements`.
    """
    by_element = features.reshape(*features.shape[:-1], -1, group.order)
    permuted = np.empty_like(by_element)
    permuted[..., group.products[position]] = by_element
    return move_images(permuted.reshape(features.shape), group, position)


def equivariance_error(
    function: Callable[[np.ndarray], Any],
    inputs: np.ndarray,
    group: SquareGroup,
    move_inputs: Move = move_features,
    move_outputs: Move = move_features,
) -> float:
    """Measures how far `function(g x)` is from `g function(x)`.

    Args:
        function: A layer or a model.
        inputs: What to measure with, `(batch, side, side, channels)`.
        group: All of its elements g are tried.
        move_inputs: How g moves the inputs.
        move_outputs: How g moves the outputs.

    Returns:
        The largest difference, relative to the largest output.

    Example:
        >>> from tfdpzoo.layers import LiftingConv2D
        >>> from tfdpzoo.layers.groups import square_group
        >>> images = np.random.default_rng(0).normal(size=(1, 8, 8, 3)).astype("float32")
        >>> layer = LiftingConv2D(2, 3, "p4m")
        >>> equivariance_error(layer, images, square_group("p4m"), move_images) < 1e-5
        True
    """
    outputs = np.asarray(function(inputs), "float64")
    differences = [
        np.abs(
            np.asarray(function(move_inputs(inputs, group, g)), "float64")
            - move_outputs(outputs, group, g)
        ).max()
        for g in range(group.order)
    ]
    return float(max(differences) / np.abs(outputs).max())
