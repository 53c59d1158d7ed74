"""Adaptive pooling, against a loop over its windows."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfdpzoo.errors import InputError
from tfdpzoo.layers import AdaptiveAveragePooling2D


def by_windows(images: np.ndarray, side: int) -> np.ndarray:
    """PyTorch's rule: from floor(i n / side) to ceil((i + 1) n / side), in rows and in columns."""
    batch, height, width, channels = images.shape
    outputs = np.zeros((batch, side, side, channels))
    for i in range(side):
        for j in range(side):
            rows = slice(math.floor(i * height / side), math.ceil((i + 1) * height / side))
            columns = slice(math.floor(j * width / side), math.ceil((j + 1) * width / side))
            outputs[:, i, j] = images[:, rows, columns].mean(axis=(1, 2))
    return outputs


@settings(max_examples=40)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 6), st.integers(1, 3))
def test_windows(height, width, side, channels):
    """Smaller, larger and no multiple of the side."""
    images = np.random.default_rng(0).normal(size=(2, height, width, channels)).astype("float32")
    layer = AdaptiveAveragePooling2D(side)
    found = layer(images)
    np.testing.assert_allclose(found, by_windows(images.astype("float64"), side), atol=1e-6)
    assert layer.compute_output_shape((None, height, width, channels)) == (
        None, side, side, channels,
    )  # fmt: skip


def test_equal_sides_change_nothing():
    images = np.random.default_rng(0).normal(size=(2, 4, 4, 3)).astype("float32")
    np.testing.assert_allclose(AdaptiveAveragePooling2D(4)(images), images, atol=1e-7)


def test_types():
    images = np.ones((1, 7, 5, 2), "float32")
    assert AdaptiveAveragePooling2D(4, dtype="mixed_bfloat16")(images).dtype == "bfloat16"
    assert AdaptiveAveragePooling2D(4, dtype="float64")(images).dtype == "float64"


def test_saved_and_loaded_it_is_the_same(tmp_path):
    layer = AdaptiveAveragePooling2D(3, name="pool")
    assert (
        AdaptiveAveragePooling2D.from_config(layer.get_config()).get_config() == layer.get_config()
    )
    model = keras.Sequential([keras.Input((7, 5, 2)), layer])
    model.save(tmp_path / "pool.keras")
    images = np.random.default_rng(0).normal(size=(2, 7, 5, 2)).astype("float32")
    loaded = keras.models.load_model(tmp_path / "pool.keras")
    np.testing.assert_array_equal(loaded(images), model(images))


@pytest.mark.parametrize("side", [0, -1, 2.5])
def test_bad_sides_are_one_sentence(side):
    with pytest.raises(InputError, match=f"side is {side}; it must be a whole number"):
        AdaptiveAveragePooling2D(side)
