"""Models that take raw pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np

if TYPE_CHECKING:
    from tfdpzoo.data import Normalization


def take_pixels(model: keras.Model, normalization: Normalization) -> keras.Model:
    """Puts a normalisation by constants in front of a model, so that it takes pixels from 0 to 255.

    Args:
        model: A model of normalised images.
        normalization: Published or fixed constants, in pixel units.

    Returns:
        A model of the same name from pixels to the model's output, with the same variables.

    Example:
        >>> from tfdpzoo.data import Normalization
        >>> inner = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten()])
        >>> outer = take_pixels(inner, Normalization.centered(1))
        >>> float(outer(np.full((1, 8, 8, 1), 255.0))[0, 0])
        1.0
    """
    mean = np.asarray(normalization.mean, np.float32)
    variance = np.square(np.asarray(normalization.std, np.float32))
    pixels = keras.Input(model.input_shape[1:], name="pixels")
    normalized = keras.layers.Normalization(mean=mean, variance=variance)(pixels)
    return keras.Model(pixels, model(normalized), name=model.name)
