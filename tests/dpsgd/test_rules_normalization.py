"""Group normalisation, for every way to configure it, also where it is badly conditioned."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_gradients import LOSS, examples_of, gradients_one_at_a_time, relative_error

from tfdpzoo.dpsgd.per_example import differentiate
from tfdpzoo.dpsgd.rules import rule_for

layers = keras.layers


def model_with(layer: keras.layers.Layer, shape: tuple[int, ...], seed: int = 0) -> keras.Model:
    """Weights before and after, so that the gradient that is handed on counts too."""
    keras.utils.set_random_seed(seed)
    first = layers.Dense(shape[-1], activation="tanh")
    model = keras.Sequential(
        [
            keras.Input(shape),
            first,
            layer,
            layers.Activation("selu"),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )
    random = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        variable.assign(variable.numpy() + 0.2 * random.normal(size=variable.shape))
    return model


def check(model, images, tolerance=5e-5) -> None:
    """Where the model is sure of an example, 1 - p has lost digits, and the whole gradient them."""
    labels = np.arange(len(images)) % 2
    found = differentiate(model, LOSS, tf.constant(images), tf.constant(labels))
    expected = gradients_one_at_a_time(model, images, labels)
    rows = examples_of(found, len(images))
    for example in range(len(images)):
        one, other = ([row[example] for row in side] for side in (rows, expected))
        assert relative_error(one, other) < tolerance
    np.testing.assert_allclose(found.predictions, model(images), atol=1e-4)


@settings(max_examples=15)
@given(
    st.sampled_from([(1, 1), (4, 1), (4, 2), (4, 4), (6, 3), (6, -1)]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([1e-5, 1e-3, 0.1]),
    st.sampled_from([(3, 3), (5, 2), (7,), ()]),
    st.integers(0, 99),
)
def test_group_normalization(channels_and_groups, scale, center, epsilon, sides, seed):
    channels, groups = channels_and_groups
    if channels == 1 and sides == ():
        sides = (3,)  # One number, normalised by itself, is 0.
    layer = layers.GroupNormalization(groups, scale=scale, center=center, epsilon=epsilon)
    model = model_with(layer, (*sides, channels), seed)
    images = np.random.default_rng(seed).normal(size=(3, *sides, channels)).astype("float32")
    # Two channels in a group at one position: differences of nearly equal numbers.
    check(model, images, tolerance=1e-4 if sides == () else 5e-5)


@pytest.mark.parametrize("axis", [1, 2, 3, -2])
def test_other_axes(axis):
    layer = layers.GroupNormalization(2, axis=axis)
    model = model_with(layer, (4, 4, 4))
    check(model, np.random.default_rng(0).normal(size=(3, 4, 4, 4)).astype("float32"))


def test_constant_and_offset_images():
    """No variance at all, and a mean that is a thousand times the deviation."""
    model = model_with(layers.GroupNormalization(2), (4, 4, 4))
    constant = np.full((1, 4, 4, 4), 0.3, "float32")
    offset = 1000.0 + np.random.default_rng(0).normal(size=(1, 4, 4, 4)).astype("float32")
    check(model, np.concatenate([constant, offset]), tolerance=1e-3)


def test_examples_do_not_touch_each_other():
    """The written-out gradient of one example does not move when another is replaced."""
    model = model_with(layers.GroupNormalization(2), (4, 4, 4))
    random = np.random.default_rng(0)
    images = random.normal(size=(4, 4, 4, 4)).astype("float32")
    moved = images.copy()
    moved[[0, 1, 3]] = 1e6 * random.normal(size=(3, 4, 4, 4))
    first, second = (
        examples_of(differentiate(model, LOSS, tf.constant(x), tf.constant([0, 1, 0, 1])), 4)
        for x in (images, moved)
    )
    third = [row[2] for row in first]
    assert relative_error([row[2] for row in second], third) < 1e-6


def test_last_axis_has_a_rule_under_both_of_its_names():
    for axis, has_rule in [(-1, True), (3, True), (1, False)]:
        layer = layers.GroupNormalization(2, axis=axis)
        layer.build((None, 4, 4, 4))
        assert (rule_for(layer) is not None) == has_rule
