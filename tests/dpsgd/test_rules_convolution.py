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

from tfdpzoo.dpsgd.gradients import GramProducts, Instantiated
from tfdpzoo.dpsgd.per_example import differentiate
from tfdpzoo.dpsgd.rules import convolution, rule_for
from tfdpzoo.dpsgd.rules.convolution import ConvolutionKernel, convolution_rule
from tfdpzoo.dpsgd.rules.convolution_forms import OneByOne, PixelGram

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
    with mock.patch.multiple(convolution, _MOST_COPIED_BYTES=0, _COST_OF_FORMING=0):
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
    ("side", "channels", "filters", "gpus", "form"),
    [
        (32, 64, 128, [], "one by one"),
        (16, 64, 128, [], "products"),
        (8, 256, 256, [], "pairs of pixels"),
        (8, 128, 128, [], "products"),
        (32, 64, 128, ["H100"], "products"),
        (4, 256, 256, ["H100"], "Gram matrices"),
    ],
)
def test_the_form_is_chosen_by_shape_and_device(side, channels, filters, gpus, form, monkeypatch):
    monkeypatch.setattr(convolution, "accelerators", lambda: gpus)
    layer = layers.Conv2D(filters, 3, padding="same", use_bias=False)
    layer.build((None, side, side, channels))
    with mock.patch.object(OneByOne, "of_examples") as one_by_one:
        (kernel,) = convolution_rule(
            layer, tf.zeros((2, side, side, channels)), tf.zeros((2, side, side, filters))
        )
        chosen = kernel.of_examples(1)
    untransposed = getattr(chosen, "rows", chosen)
    expected = {
        "products": Instantiated,
        "pairs of pixels": PixelGram,
        "Gram matrices": GramProducts,
    }
    assert one_by_one.called == (form == "one by one")
    assert one_by_one.called or isinstance(untransposed, expected[form])


@settings(max_examples=20)
@given(
    configurations,
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 4),
    st.tuples(*[st.integers(4, 7)] * 2),
    st.integers(0, 99),
)
def test_norms_from_pairs_of_pixels(configuration, strides, channels, filters, sides, seed):
    """The form for few positions, here for any number."""
    layer = layers.Conv2D(filters, **configuration, strides=strides)
    with mock.patch.object(convolution, "_COST_OF_FORMING", 1e9):
        check(layer, (*sides, channels), seed)


@settings(max_examples=15)
@given(
    configurations, st.integers(1, 3), st.integers(1, 4), st.integers(1, 4),
    st.tuples(*[st.integers(4, 9)] * 2), st.sampled_from([(0,), (1,), (0, 1), ()]),
    st.tuples(*[st.integers(1, 3)] * 2), st.integers(0, 99),
)  # fmt: skip
def test_sides_that_are_copied(
    configuration, channels, filters, views, sides, axes, dilation_rate, seed
):
    """Shifts of inputs along some axes and of gradients along the others give the same kernel."""
    extents = map(extent, configuration["kernel_size"], dilation_rate)
    assume(all(one <= side for one, side in zip(extents, sides, strict=True)))
    layer = layers.Conv2D(
        filters, configuration["kernel_size"],
        padding=configuration["padding"], dilation_rate=dilation_rate, use_bias=False,
    )  # fmt: skip
    layer.build((None, *sides, channels))
    random = np.random.default_rng(seed)
    inputs = tf.constant(random.normal(size=(2 * views, *sides, channels)), tf.float32)
    outputs = layer.compute_output_spec(keras.KerasTensor(inputs.shape)).shape
    gradients = tf.constant(random.normal(size=outputs), tf.float32)

    def gradients_with(axes):
        with mock.patch.object(ConvolutionKernel, "_axes_of_inputs", axes):
            products = ConvolutionKernel(layer, inputs, gradients)._products()
        return products.of_examples(views)

    expected = gradients_with((0, 1)).instantiate()
    found = gradients_with(axes)
    np.testing.assert_allclose(found.instantiate(), expected, atol=1e-4)
    np.testing.assert_allclose(
        found.weighted_sum(tf.constant([0.5, -2.0])),
        np.tensordot([0.5, -2.0], expected, axes=1),
        atol=1e-4,
    )


@pytest.mark.parametrize(
    "costs",
    [
        {"_COST_OF_FORMING": 0},
        {"_COST_OF_FORMING": 0, "_MOST_COPIED_BYTES": 0},
        {"_COST_OF_FORMING": 1e9},
    ],
    ids=["products", "one by one", "pairs of pixels"],
)
@pytest.mark.parametrize("strides", [(1, 2), (2, 1)])
def test_strides_that_differ(strides, costs):
    with mock.patch.multiple(convolution, **costs):
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


def pairs_of_pixels(inputs, gradients) -> PixelGram:
    layer = layers.Conv2D(gradients.shape[-1], 3, padding="same", use_bias=False)
    layer.build((None, *inputs.shape[1:]))
    return PixelGram(layer, inputs, gradients, views=1)


@given(st.floats(0.0, 7.0), st.integers(0, 1000))
def test_norms_from_pairs_of_pixels_are_never_shorter_than_what_is_added(size, seed):
    """Also where positions cancel, so that the sum is little more than rounding."""
    random = np.random.default_rng(seed)
    inputs = np.repeat(random.normal(size=(1, 1, 1, 5)), 16, axis=1).reshape(1, 4, 4, 5)
    gradients = np.repeat(random.normal(size=(1, 8, 3)), 2, axis=1)
    gradients[:, 1::2] *= -(1 + 10.0**-size)
    form = pairs_of_pixels(
        tf.constant(inputs, tf.float32), tf.constant(gradients.reshape(1, 4, 4, 3), tf.float32)
    )
    added = form.weighted_sum(tf.ones(1)).numpy().astype("float64")
    assert form.squared_norms().numpy()[0] >= (added**2).sum() * (1 - 1e-6)


@pytest.mark.parametrize("broken", [np.nan, np.inf])
@pytest.mark.parametrize("side", [0, 1])
def test_pairs_of_pixels_leave_out_broken_examples(broken, side):
    random = np.random.default_rng(0)
    images = [random.normal(size=(2, 4, 4, channels)).astype("float32") for channels in (5, 3)]
    images[side][1, 2, 3, 1] = broken
    form = pairs_of_pixels(*map(tf.constant, images))
    assert not np.isfinite(form.squared_norms().numpy()[1])
    kept = form.where(tf.constant([True, False]))
    assert np.isfinite(kept.weighted_sum(tf.constant([1.0, 0.0])).numpy()).all()
    norms = kept.squared_norms().numpy()
    assert norms[0] > 0 and norms[1] == 0


def test_pairs_of_pixels_multiply_filters():
    random = np.random.default_rng(0)
    form = pairs_of_pixels(
        *(tf.constant(random.normal(size=(2, 4, 4, channels)), tf.float32) for channels in (5, 3))
    )
    factors = tf.constant([1.0, -2.0, 0.0])
    np.testing.assert_allclose(
        form.times(factors).instantiate(), form.instantiate() * factors, atol=1e-4
    )
