from __future__ import annotations

import keras
import numpy as np
import pytest

from tfdpzoo.data import Normalization
from tfdpzoo.preprocessing import take_pixels


def _inner() -> keras.Model:
    return keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(2)], name="inner"
    )


def test_pixels_are_normalised_channel_by_channel() -> None:
    inner = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten()])
    normalization = Normalization((10.0, 20.0, 30.0), (1.0, 2.0, 4.0), "a test")

    outputs = take_pixels(inner, normalization)(np.full((2, 8, 8, 3), 50.0))

    assert np.asarray(outputs[0])[:3] == pytest.approx([40.0, 15.0, 5.0])


def test_whole_numbers_are_taken() -> None:
    outer = take_pixels(_inner(), Normalization.centered(3))
    pixels = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), np.uint8)

    assert np.array_equal(outer(pixels), outer(pixels.astype("float32")))


def test_the_constants_are_no_variables() -> None:
    inner = _inner()

    outer = take_pixels(inner, Normalization.centered(3))

    assert outer.name == inner.name
    assert [id(weight) for weight in outer.weights] == [id(weight) for weight in inner.weights]
    assert outer.count_params() == inner.count_params()
