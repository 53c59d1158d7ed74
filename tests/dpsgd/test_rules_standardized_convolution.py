"""The rule of the standardised convolution, for every way to configure one."""

from __future__ import annotations

from unittest import mock

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from reference_gradients import LOSS, examples_of, gradients_one_at_a_time, relative_error

from tfdpzoo.dpsgd.clipped_sum import clipped_gradient_sum
from tfdpzoo.dpsgd.gradients import Instantiated
from tfdpzoo.dpsgd.per_example import differentiate
from tfdpzoo.dpsgd.rules import convolution, rule_for
from tfdpzoo.dpsgd.rules.convolution_forms import PixelGram
from tfdpzoo.dpsgd.rules.standardized_convolution import KernelAndGain, StandardizedKernel
from tfdpzoo.layers import StandardizedConv2D
from tfdpzoo.layers.standardized_convolution import standardize_filters

layers = keras.layers

sizes = st.tuples(st.integers(1, 3), st.integers(1, 3))
configurations = st.fixed_dictionaries(
    {
        "kernel_size": sizes,
        "padding": st.sampled_from(["same", "valid"]),
        "use_bias": st.booleans(),
        "activation": st.sampled_from([None, "tanh"]),
        "gain_initializer": st.sampled_from(["ones", "random_normal"]),
    }
)
# Keras does not combine strides with dilation. Strides are equal: with (1, 3) TensorFlow's own
# convolution leaves numbers of a small image unwritten (oneDNN, one channel, 3 columns of 5).
steps = st.one_of(
    st.integers(1, 3).map(lambda stride: {"strides": stride}),
    sizes.map(lambda pair: {"dilation_rate": pair}),
)


def model_with(
    layer: keras.layers.Layer, shape: tuple[int, int, int], seed: int = 0
) -> keras.Model:
    keras.utils.set_random_seed(seed)
    return keras.Sequential([keras.Input(shape), layer, layers.Flatten(), layers.Dense(2)])


def check(model: keras.Model, views: int = 1, seed: int = 0) -> list:
    """Compares gradients and norms of three examples with those of one at a time."""
    random = np.random.default_rng(seed)
    images = random.normal(size=(3 * views, *model.input_shape[1:])).astype("float32")
    labels = np.repeat(random.integers(0, 2, 3), views)
    found = differentiate(model, LOSS, tf.constant(images), tf.constant(labels), views=views)
    of_views = gradients_one_at_a_time(model, images, labels)
    expected = [row.reshape(3, views, *row.shape[1:]).mean(axis=1) for row in of_views]
    rows = examples_of(found, 3)
    for example in range(3):
        one, other = ([row[example] for row in side] for side in (rows, expected))
        # Float32 sums of at most a few hundred terms.
        assert relative_error(one, other) < 1e-5
    squares = sum(gradient.squared_norms() for gradient in found.gradients)
    norms = sum((row.reshape(3, -1) ** 2).sum(axis=1) for row in expected)
    np.testing.assert_allclose(squares, norms, rtol=1e-4)
    return rows


@settings(max_examples=20)
@given(
    configurations,
    steps,
    st.integers(1, 3),
    st.integers(1, 4),
    st.tuples(*[st.integers(7, 9)] * 2),
    st.sampled_from([1, 3]),
    st.sampled_from([0, 1e9]),
    st.integers(0, 99),
)
def test_standardized_convolution(
    configuration, step, channels, filters, sides, views, cost_of_forming, seed
):
    """With gradients of filters that are formed, and with such as are not."""
    # Of one weight the mean is all that there is.
    assume(np.prod(configuration["kernel_size"]) * channels > 1)
    layer = StandardizedConv2D(filters, **configuration, **step)
    with mock.patch.object(convolution, "_COST_OF_FORMING", cost_of_forming):
        check(model_with(layer, (*sides, channels), seed), views, seed)
    assert rule_for(layer) is not None


@pytest.mark.parametrize("views", [1, 2])
def test_many_channels_and_few_filters(views):
    """The convolution's rule then unfolds gradients instead of inputs."""
    check(model_with(StandardizedConv2D(2, 3, padding="same"), (5, 4, 6)), views)


@pytest.mark.parametrize("views", [1, 2])
def test_few_positions(views):
    """Norms of the filters then come from pairs of pixels, and so must those of the kernel."""
    layer = StandardizedConv2D(48, 3, padding="same", gain_initializer="random_normal")
    model = model_with(layer, (3, 3, 16))
    check(model, views)
    images, labels = tf.ones((2 * views, 3, 3, 16)), tf.zeros(2 * views, tf.int32)
    found = differentiate(model, LOSS, images, labels, views=views)
    assert isinstance(found.gradients[0].filters, PixelGram)


@pytest.mark.parametrize("groups", [2, 4])
def test_groups(groups):
    layer = StandardizedConv2D(8, (3, 2), groups=groups, strides=2, padding="same")
    check(model_with(layer, (6, 5, 4)))
    assert rule_for(layer) is not None


@pytest.mark.parametrize("cost_of_forming", [0, 1e9])
@pytest.mark.parametrize("kernel", ["zeros", "ones"])
def test_equal_weights_have_finite_gradients(kernel, cost_of_forming, monkeypatch):
    """The filters are then 0: nothing but the kernel can learn, and its gradient is large."""
    monkeypatch.setattr(convolution, "_COST_OF_FORMING", cost_of_forming)
    layer = StandardizedConv2D(3, 3, kernel_initializer=kernel)
    of_kernel, _, of_gain, *_ = check(model_with(layer, (5, 5, 2)))
    assert np.isfinite(of_kernel).all() and np.abs(of_kernel).max() > 0
    np.testing.assert_array_equal(of_gain, 0)


def test_almost_equal_weights_are_below_the_bound():
    layer = StandardizedConv2D(3, 3, kernel_initializer=keras.initializers.RandomNormal(0, 1e-3))
    check(model_with(layer, (5, 5, 2)))


def test_the_gradient_of_the_kernel_keeps_mean_and_length():
    layer = StandardizedConv2D(4, 3)
    model = model_with(layer, (6, 6, 2))
    of_kernel, *_ = check(model)
    kernel = layer.kernel.numpy()
    axes = (1, 2, 3)
    scale = np.abs(of_kernel).max()
    np.testing.assert_allclose(of_kernel.mean(axis=axes), 0, atol=1e-6 * scale)
    along = (of_kernel * (kernel - kernel.mean(axis=(0, 1, 2)))).sum(axis=axes)
    np.testing.assert_allclose(along, 0, atol=1e-5 * scale)


@pytest.mark.parametrize("cost_of_forming", [0, 1e9])
def test_every_form_of_the_gradients_is_the_same(cost_of_forming, monkeypatch):
    monkeypatch.setattr(convolution, "_COST_OF_FORMING", cost_of_forming)
    layer = StandardizedConv2D(3, 3, gain_initializer="random_normal")
    model = model_with(layer, (6, 5, 2))
    images = np.random.default_rng(0).normal(size=(4, 6, 5, 2)).astype("float32")
    found = differentiate(model, LOSS, tf.constant(images), tf.constant([0, 1, 1, 0]))
    gradients = found.gradients[0]
    values = gradients.instantiate().numpy()
    np.testing.assert_allclose(
        gradients.weighted_sum(tf.constant([1.0, -2.0, 0.0, 3.0])),
        np.tensordot([1.0, -2.0, 0.0, 3.0], values, axes=1),
        atol=1e-5 * np.abs(values).max(),
    )
    squares = (values.reshape(4, -1) ** 2).sum(axis=1)
    np.testing.assert_allclose(gradients.squared_norms(), squares, rtol=1e-4)
    kept = gradients.where(tf.constant([True, False, True, False]))
    np.testing.assert_array_equal(kept.squared_norms() == 0, [False, True, False, True])
    np.testing.assert_array_equal(kept.instantiate()[::2], values[::2])
    pairs = gradients.of_examples(2)
    summed = values.reshape(2, 2, *values.shape[1:]).sum(axis=1)
    np.testing.assert_allclose(pairs.instantiate(), summed, atol=1e-5 * np.abs(values).max())
    squares = (summed.reshape(2, -1) ** 2).sum(axis=1)
    np.testing.assert_allclose(pairs.squared_norms(), squares, rtol=1e-4)


@pytest.mark.parametrize("rest", [0.0, 1e-4, 1e-3, 1e-2])
def test_no_norm_is_below_what_is_added(rest):
    """Gradients along the filters, of which next to nothing is left for the kernel."""
    layer = StandardizedConv2D(4, 3)
    layer.build((None, 8, 8, 32))
    directions = standardize_filters(layer.kernel.value)
    random = np.random.default_rng(0)
    for _ in range(20):
        others = rest * random.normal(size=directions.shape).astype("float32")
        filters = (1e3 * directions + others)[None]
        along = Instantiated(tf.reduce_sum(filters * directions, axis=(1, 2, 3)))
        sums = Instantiated(tf.reduce_sum(filters, axis=(1, 2, 3)))
        gradients = StandardizedKernel(layer, Instantiated(filters), sums, along)
        added = np.linalg.norm(gradients.weighted_sum(tf.ones(1)))
        assert added <= np.sqrt(gradients.squared_norms().numpy().item())


def test_no_norm_from_pairs_of_pixels_is_below_what_is_added():
    """The output's gradient is that of the filters' length, which standardisation takes out."""
    layer = StandardizedConv2D(1, 3, use_bias=False)
    layer.build((None, 3, 3, 32))
    directions = standardize_filters(layer.kernel.value)
    random = np.random.default_rng(0)
    for rest in (0.0, 1e-4, 1e-3, 1e-2):
        inputs = directions[None, ..., 0] + rest * random.normal(size=(1, 3, 3, 32))
        kernel = KernelAndGain(layer, PixelGram(layer, inputs, tf.fill((1, 1, 1, 1), 1e3), views=1))
        gradients, _ = kernel.of_examples(1)
        added = np.linalg.norm(gradients.weighted_sum(tf.ones(1)))
        assert added <= np.sqrt(gradients.squared_norms().numpy().item())


def test_a_stack_gives_the_clipped_sum_of_its_examples():
    """Standardised layers one after the other, clipped in chunks within a graph."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            StandardizedConv2D(4, 3, padding="same"),
            layers.Activation("relu"),
            layers.GroupNormalization(2),
            StandardizedConv2D(3, 3, strides=2, padding="same", use_bias=False),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2),
        ]
    )
    random = np.random.default_rng(0)
    images, labels = random.normal(size=(4, 6, 6, 1)).astype("float32"), np.array([0, 1, 1, 0])
    expected = gradients_one_at_a_time(model, images, labels)
    norms = np.sqrt(sum((row.reshape(4, -1) ** 2).sum(axis=1) for row in expected))
    found = clipped_gradient_sum(model, LOSS, images, labels, float(np.median(norms)), chunk=2)
    np.testing.assert_allclose(found.norms, norms, rtol=1e-4)
    factors = np.minimum(1.0, np.median(norms) / norms)
    sums = [np.tensordot(factors, row, axes=1) for row in expected]
    assert relative_error(found.gradients, sums) < 1e-5
