"""Standardised filters are as published, and the layer is used as any other of Keras."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfdpzoo.layers import StandardizedConv2D
from tfdpzoo.layers.standardized_convolution import (
    standardize_filters,
    standardized_filter_gradients,
)

IMAGES = np.random.default_rng(0).normal(size=(2, 7, 6, 4)).astype("float32")


def random_layer(*arguments, channels=4, **named) -> StandardizedConv2D:
    layer = StandardizedConv2D(*arguments, **named)
    layer.build((None, None, None, channels))
    random = np.random.default_rng(0)
    for variable in layer.trainable_variables:
        variable.assign(random.normal(1, 1, size=variable.shape))
    return layer


def published_filters(kernel: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """Brock et al. 2021, filter by filter in float64, without the bound."""
    filters = np.empty(kernel.shape)
    for index in range(kernel.shape[-1]):
        weights = kernel[..., index].astype("float64")
        filters[..., index] = (weights - weights.mean()) / np.sqrt(weights.size * weights.var())
    return filters * gain


@pytest.mark.parametrize("arguments", [{}, {"strides": 2, "padding": "same"}, {"groups": 2}])
def test_outputs_are_those_of_a_convolution_with_the_published_filters(arguments):
    layer = random_layer(6, 3, activation="tanh", **arguments)
    plain = keras.layers.Conv2D(6, 3, activation="tanh", **arguments)
    plain.build((None, None, None, 4))
    plain.kernel.assign(published_filters(layer.kernel.numpy(), layer.gain.numpy()))
    plain.bias.assign(layer.bias)
    # Float32 sums of 36 terms of the order of 1.
    np.testing.assert_allclose(layer(IMAGES), plain(IMAGES), atol=1e-5)


@settings(max_examples=20)
@given(
    st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(2, 5)),
    st.integers(1, 4),
    st.floats(-3, 3),
    st.floats(0.1, 10),
    st.integers(0, 99),
)
def test_neither_shift_nor_scale_of_a_filter_counts(shape, filters, shift, scale, seed):
    kernel = np.random.default_rng(seed).normal(size=(*shape, filters)).astype("float32")
    found = standardize_filters(kernel).numpy()
    rows = found.reshape(-1, filters)
    np.testing.assert_allclose(rows.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=0), 1, rtol=1e-5)
    # Two weights can lie near each other, and a shift rounds them by 1e-7 of its own size.
    moved = standardize_filters(scale * kernel + shift).numpy()
    np.testing.assert_allclose(moved, found, atol=1e-3)


def test_an_input_of_independent_values_keeps_its_variance():
    layer = StandardizedConv2D(64, 3, use_bias=False)
    images = np.random.default_rng(0).normal(size=(8, 16, 16, 32)).astype("float32")
    # Of a hundred thousand values, a tenth of them independent.
    assert np.var(layer(images)) == pytest.approx(1, rel=0.05)


@pytest.mark.parametrize("spread", [0.0, 1e-4, 1e-2, 1.0])
def test_gradients_are_those_of_automatic_differentiation(spread):
    """Below the bound of 1e-4 as well, where 18 weights spread by 1e-4 lie."""
    random = np.random.default_rng(0)
    kernel = tf.constant(1 + spread * random.normal(size=(3, 3, 2, 4)), tf.float32)
    gain = tf.constant(random.normal(size=4), tf.float32)
    gradients = random.normal(size=(5, *kernel.shape)).astype("float32")
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(kernel)
        outputs = gain * standardize_filters(kernel)
    expected = [tape.gradient(outputs, kernel, row) for row in gradients]
    found = standardized_filter_gradients(kernel, gain, gradients)
    assert np.isfinite(found).all()
    # Float32 sums of 18 terms; gradients grow as filters shrink.
    largest = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(found, np.stack(expected), atol=1e-5 * largest)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"strides": 2, "padding": "same", "use_bias": False},
        {"dilation_rate": (2, 2), "activation": "mish", "name": "third", "groups": 2},
        {"gain_initializer": keras.initializers.Constant(0.5), "dtype": "mixed_bfloat16"},
        {"kernel_initializer": "he_normal", "kernel_regularizer": keras.regularizers.L2(0.1)},
    ],
)
def test_configuration_round_trip(arguments):
    layer = StandardizedConv2D(4, 3, **arguments)
    before = layer.get_config()
    layer.build((None, 9, 9, 4))
    assert layer.get_config() == before
    again = StandardizedConv2D.from_config(before)
    assert again.get_config() == before
    again.build((None, 9, 9, 4))
    np.testing.assert_array_equal(again.gain, layer.gain)
    assert again.count_params() == layer.count_params()
    assert again.compute_dtype == layer.compute_dtype


def test_saved_and_loaded_it_is_the_same(tmp_path):
    layers = [
        random_layer(3, 3, padding="same", activation="selu"),
        random_layer(2, 2, channels=3, use_bias=False),
    ]
    model = keras.Sequential([keras.Input(IMAGES.shape[1:]), *layers])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(IMAGES), model(IMAGES))


def test_shapes_may_be_unknown():
    inputs = keras.Input((None, None, 4))
    layer = StandardizedConv2D(5, 3, strides=2, padding="same")
    outputs = layer(inputs)
    assert outputs.shape == (None, None, None, 5)
    model = keras.Model(inputs, outputs)
    for shape in [(1, 7, 7, 4), (3, 9, 8, 4)]:
        assert model(np.zeros(shape, "float32")).shape == layer.compute_output_shape(shape)


def test_bfloat16_computes_in_bfloat16_with_float32_weights():
    mixed = random_layer(5, 3, dtype="mixed_bfloat16")
    outputs = mixed(IMAGES)
    assert outputs.dtype == "bfloat16"
    assert {variable.dtype for variable in mixed.variables} == {"float32"}
    expected = random_layer(5, 3)(IMAGES).numpy()
    error = np.linalg.norm(np.asarray(outputs, "float32") - expected) / np.linalg.norm(expected)
    # bfloat16 rounds to 2^-9.
    assert error < 0.02


@pytest.mark.parametrize("use_bias", [True, False])
def test_baked_filters_give_the_same_output(use_bias):
    layer = random_layer(5, 3, use_bias=use_bias, activation="selu")
    expected = layer(IMAGES).numpy()
    with layer.baked() as made:
        assert [each.name for each in made] == ["filters", "biases"][: 1 + use_bias]
        layer.gain.assign(0 * layer.gain)
        np.testing.assert_array_equal(layer(IMAGES), expected)
    assert not np.allclose(layer(IMAGES), expected)
    assert len(layer.weights) == 2 + use_bias


@pytest.mark.parametrize("arguments", [{}, {"strides": 2, "use_bias": False}, {"groups": 2}])
def test_a_plain_convolution_with_the_baked_filters_gives_the_same_output(arguments):
    layer = random_layer(6, 3, padding="same", activation="selu", **arguments)
    plain = layer.plain_convolution()
    plain.build(IMAGES.shape)
    with layer.baked() as made:
        for variable, value in zip(plain.weights, made, strict=True):
            variable.assign(value)
    assert type(plain) is keras.layers.Conv2D
    np.testing.assert_allclose(plain(IMAGES), layer(IMAGES), rtol=1e-6, atol=1e-6)
