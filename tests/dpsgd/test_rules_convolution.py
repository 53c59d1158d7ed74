"""Rules of convolutions, for every way to configure one."""

from __future__ import annotations

from unittest import mock

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from reference_gradients import LOSS, examples_of, gradients_one_at_a_time, relative_error

from tfdpzoo.dpsgd.per_example import differentiate
from tfdpzoo.dpsgd.rules import convolution, rule_for
from tfdpzoo.dpsgd.rules.convolution import OneByOne, convolution_rule

layers = keras.layers

sizes = st.tuples(st.integers(1, 4), st.integers(1, 4))
configurations = st.fixed_dictionaries(
    {
        "kernel_size": sizes,
        "padding": st.sampled_from(["same", "valid"]),
        "use_bias": st.booleans(),
        "activation": st.sampled_from([None, "selu", "tanh"]),
    }
)
# Keras does not combine strides with dilation. Strides that differ have a test of their own: with
# some, as (1, 3) on one channel, oneDNN's forward pass reads memory that nobody has written.
steps = st.one_of(
    st.integers(1, 3).map(lambda stride: {"strides": (stride, stride)}),
    sizes.map(lambda pair: {"dilation_rate": pair}),
)


def check(layer: keras.layers.Layer, shape: tuple[int, int, int], seed: int) -> None:
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input(shape), layer, layers.Flatten(), layers.Dense(2)])
    random = np.random.default_rng(seed)
    images = random.normal(size=(3, *shape)).astype("float32")
    labels = random.integers(0, 2, 3)
    found = differentiate(model, LOSS, tf.constant(images), tf.constant(labels))
    rows = examples_of(found, 3)
    expected = gradients_one_at_a_time(model, images, labels)
    for example in range(3):
        one, other = ([row[example] for row in side] for side in (rows, expected))
        assert relative_error(one, other) < 1e-5
    squares = sum(gradient.squared_norms() for gradient in found.gradients)
    norms = sum((row.reshape(3, -1) ** 2).sum(axis=1) for row in expected)
    np.testing.assert_allclose(squares, norms, rtol=1e-4)


def extent(kernel: int, dilation: int) -> int:
    return (kernel - 1) * dilation + 1


@settings(max_examples=20)
@given(
    configurations,
    steps,
    st.integers(1, 3),
    st.integers(1, 4),
    st.tuples(*[st.integers(4, 9)] * 2),
    st.integers(0, 99),
)
def test_convolution(configuration, step, channels, filters, sides, seed):
    dilation = step.get("dilation_rate", (1, 1))
    if configuration["padding"] == "valid":
        reach = [extent(k, d) for k, d in zip(configuration["kernel_size"], dilation, strict=True)]
        assume(all(one <= side for one, side in zip(reach, sides, strict=True)))
    layer = layers.Conv2D(filters, **configuration, **step)
    check(layer, (*sides, channels), seed)
    assert rule_for(layer) is not None


@settings(max_examples=15)
@given(
    configurations,
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 4),
    st.tuples(*[st.integers(4, 9)] * 2),
    st.integers(0, 99),
)
def test_one_by_one(configuration, strides, channels, filters, sides, seed):
    """The form for large images, here for small ones."""
    layer = layers.Conv2D(filters, **configuration, strides=strides)
    with mock.patch.object(convolution, "_MOST_COPIED_BYTES", 0):
        check(layer, (*sides, channels), seed)


@pytest.mark.parametrize("views", [1, 3])
def test_one_by_one_adds_up_views(views):
    layer = layers.Conv2D(5, 3, padding="same", use_bias=False)
    layer.build((None, 6, 7, 2))
    random = np.random.default_rng(0)
    inputs, gradients = (
        tf.constant(random.normal(size=(6, 6, 7, channels)), tf.float32) for channels in (2, 5)
    )
    (patches,) = convolution_rule(layer, inputs, gradients)
    found = OneByOne(layer, inputs, gradients).of_examples(views).values
    np.testing.assert_allclose(found, patches.of_examples(views).instantiate(), atol=1e-4)


@pytest.mark.parametrize(
    ("side", "gpus", "form"), [(32, [], True), (16, [], False), (32, ["H100"], False)]
)
def test_large_images_go_one_by_one_on_a_cpu(side, gpus, form, monkeypatch):
    monkeypatch.setattr(convolution, "accelerators", lambda: gpus)
    layer = layers.Conv2D(64, 3, padding="same", use_bias=False)
    layer.build((None, side, side, 64))
    (found,) = convolution_rule(layer, tf.zeros((2, side, side, 64)), tf.zeros((2, side, side, 64)))
    assert isinstance(found, OneByOne) == form


@pytest.mark.parametrize("most_copied", [0, 2**21])
@pytest.mark.parametrize("strides", [(1, 2), (2, 1)])
def test_strides_that_differ(strides, most_copied, monkeypatch):
    monkeypatch.setattr(convolution, "_MOST_COPIED_BYTES", most_copied)
    check(layers.Conv2D(4, 3, strides=strides, padding="same"), (8, 7, 3), 0)


@settings(max_examples=12)
@given(
    configurations, st.integers(1, 3), st.integers(1, 3), st.integers(1, 3),
    st.tuples(*[st.integers(4, 9)] * 2), st.integers(0, 99),
)  # fmt: skip
def test_depthwise_convolution(configuration, stride, multiplier, channels, sides, seed):
    """TensorFlow has depthwise strides of one number only."""
    layer = layers.DepthwiseConv2D(**configuration, strides=stride, depth_multiplier=multiplier)
    check(layer, (*sides, channels), seed)


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_depthwise_convolution_with_dilation(padding):
    check(layers.DepthwiseConv2D(2, dilation_rate=2, padding=padding), (7, 6, 2), 0)


@pytest.mark.parametrize("groups", [2, 4])
@pytest.mark.parametrize("use_bias", [True, False])
def test_groups(groups, use_bias):
    layer = layers.Conv2D(8, (3, 2), groups=groups, strides=2, padding="same", use_bias=use_bias)
    check(layer, (6, 5, 4), 0)
    assert rule_for(layer) is not None


def test_subclasses_have_no_rule_and_are_right():
    """A subclass may compute something else than its parent's rule says."""

    class Doubled(layers.Conv2D):
        def call(self, inputs):
            return 2.0 * super().call(inputs) + tf.reduce_sum(self.kernel)

    layer = Doubled(2, 3)
    check(layer, (6, 6, 1), 0)
    assert rule_for(layer) is None


def test_norm_is_right_where_positions_cancel():
    """A norm that is put together from products of pairs of positions would be lost in rounding.

    Two halves of the image have the same patches and opposite output gradients of 1e4: the kernel's
    gradient is the difference of 1, its pairwise terms are 1e8. A norm that reads too small is an
    example that is not clipped.
    """
    layer = layers.Conv2D(1, 1, use_bias=False)
    model = keras.Sequential([keras.Input((4, 4, 1)), layer, layers.Flatten(), layers.Dense(1)])
    signs = np.repeat([1e4, -1e4], 8)
    signs[0] += 1.0
    model.layers[-1].kernel.assign(signs[:, None].astype("float32"))
    model.layers[-1].trainable = False

    def loss(labels, predictions):
        return tf.reshape(predictions, (-1,))

    images = np.ones((1, 4, 4, 1), "float32")
    found = differentiate(model, loss, tf.constant(images), tf.constant([0])).gradients
    assert found[0].squared_norms().numpy()[0] == pytest.approx(1.0, rel=1e-3)
    assert found[0].weighted_sum(tf.ones(1)).numpy().item() == pytest.approx(1.0, rel=1e-3)
