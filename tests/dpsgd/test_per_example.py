"""Per-example gradients of whole models, against one example and one tape at a time."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from random_models import CLASSES, EXAMPLES, PARTS, STACKABLE, Bend, batch, build
from reference_gradients import LOSS, examples_of, gradients_one_at_a_time, relative_error

from tfdpzoo.dpsgd.per_example import differentiate, layers_with_weights

layers = keras.layers
# Float32 gradients of a few layers are right to about 1e-6; ten times that for every example alone.
TOLERANCE = 1e-5


def assert_gradients_are_right(model: keras.Model, images, labels, tolerance=TOLERANCE) -> None:
    found = differentiate(model, LOSS, tf.constant(images), tf.constant(labels))
    expected = gradients_one_at_a_time(model, images, labels)
    rows = examples_of(found, len(images))
    assert [row.shape for row in rows] == [row.shape for row in expected]
    for example in range(len(images)):
        one, other = [row[example] for row in rows], [row[example] for row in expected]
        assert relative_error(one, other) < tolerance
    squares = sum(gradient.squared_norms().numpy() for gradient in found.gradients)
    norms = sum((row.reshape(len(row), -1) ** 2).sum(axis=1) for row in expected)
    np.testing.assert_allclose(squares, norms, rtol=10 * tolerance)
    np.testing.assert_allclose(found.predictions, model(images, training=True), atol=1e-5)
    np.testing.assert_allclose(found.losses, LOSS(labels, model(images, training=True)), atol=1e-5)


@pytest.mark.parametrize("part", PARTS)
def test_every_kind_of_layer(part):
    assert_gradients_are_right(build([part]), *batch())


@settings(max_examples=10)
@given(
    parts=st.lists(st.sampled_from(STACKABLE), min_size=2, max_size=3),
    head=st.sampled_from(["flatten", "mean"]),
    seed=st.integers(0, 1_000),
)
def test_random_models(parts, head, seed):
    assert_gradients_are_right(build(parts, head=head, seed=seed), *batch(seed))


@pytest.mark.slow  # A larger draw of the same.
@settings(max_examples=100)
@given(
    parts=st.lists(st.sampled_from(STACKABLE), min_size=1, max_size=3),
    head=st.sampled_from(["flatten", "mean"]),
    seed=st.integers(0, 1_000),
)
def test_many_random_models(parts, head, seed):
    assert_gradients_are_right(build(parts, head=head, seed=seed), *batch(seed))


def test_functional_graph_with_branches_and_a_shared_layer():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 1))
    shared = layers.Conv2D(3, 3, padding="same", activation="selu")
    left = shared(inputs)
    right = shared(layers.AveragePooling2D(3, strides=1, padding="same")(inputs))
    merged = layers.Concatenate()([left, right, layers.Multiply()([left, right])])
    inner = keras.Model(inputs, layers.GroupNormalization(3)(merged))
    again = keras.Input((8, 8, 1))
    features = layers.Flatten()(inner(again))
    model = keras.Model(again, layers.Dense(CLASSES)(layers.Dense(4, activation="gelu")(features)))
    assert_gradients_are_right(model, *batch())


def test_subclassed_model():
    class Network(keras.Model):
        def __init__(self):
            super().__init__()
            self.convolutions = [layers.Conv2D(3, 3, activation="selu") for _ in range(2)]
            self.head = layers.Dense(CLASSES)
            self.temperature = self.add_weight(shape=(), initializer="ones", name="temperature")

        def call(self, inputs, training=None):
            for convolution in self.convolutions:
                inputs = convolution(inputs)
            return self.head(tf.reduce_mean(inputs, axis=(1, 2))) * self.temperature

    keras.utils.set_random_seed(0)
    model = Network()
    model(tf.zeros((1, 8, 8, 1)))
    assert layers_with_weights(model) == [model]
    assert_gradients_are_right(model, *batch())


def test_recurrent_layer():
    """A recurrent layer is one unit: its cell is called in a loop."""
    keras.utils.set_random_seed(0)
    recurrent = layers.GRU(3, unroll=True)
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Reshape((2, 32)), recurrent, layers.Dense(CLASSES)]
    )
    assert layers_with_weights(model)[0] is recurrent
    assert_gradients_are_right(model, *batch())


@pytest.mark.slow  # Vectorising a loop over time takes long to trace.
def test_recurrent_layers_with_loops():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Reshape((8, 8)),
            layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
            layers.TimeDistributed(layers.Dense(4, activation="tanh")),
            layers.Flatten(),
            layers.Dense(CLASSES),
        ]
    )
    assert_gradients_are_right(model, *batch())


def test_dropout_between_layers_is_differentiated_as_it_was_drawn():
    """With the same seeds an ordinary pass over the same batch drops the same."""
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Flatten(),
            layers.GaussianNoise(0.5, seed=1),
            layers.Dense(8, activation="relu"),
            layers.Dropout(0.5, seed=2),
            layers.Dense(CLASSES),
        ]
    )
    images, labels = batch()
    states = [layer.seed_generator.state for layer in (model.layers[1], model.layers[3])]
    before = [state.numpy() for state in states]
    found = differentiate(model, LOSS, tf.constant(images), tf.constant(labels)).gradients
    for state, value in zip(states, before, strict=True):
        state.assign(value)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(LOSS(labels, model(images, training=True)))
    expected = tape.gradient(total, [variable.value for variable in model.trainable_variables])
    sums = [gradient.weighted_sum(tf.ones(EXAMPLES)) for gradient in found]
    assert relative_error(sums, expected) < TOLERANCE


def test_training_flag_reaches_the_layers():
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Flatten(), layers.Dropout(0.9), layers.Dense(CLASSES)]
    )
    images, labels = batch()
    quiet = differentiate(model, LOSS, tf.constant(images), tf.constant(labels), training=False)
    np.testing.assert_allclose(quiet.predictions, model(images, training=False), atol=1e-6)
    noisy = differentiate(model, LOSS, tf.constant(images), tf.constant(labels))
    assert np.abs(noisy.predictions - quiet.predictions).max() > 0.01


def test_variables_without_a_gradient_get_zeros():
    model = build(["a layer used twice"])
    found = differentiate(model, LOSS, *(tf.constant(values) for values in batch()))
    names = [variable.path for variable in model.trainable_variables]
    for name, gradient in zip(names, found.gradients, strict=True):
        if "twice" in name and "/dense" in name:
            assert not gradient.squared_norms().numpy().any()


def test_layers_are_as_before():
    """Recording replaces calls; nothing of it stays, also when the pass fails."""
    model = build(["convolution", "group normalisation", "without a rule"])
    state = [(dict(vars(layer)).keys(), layer.call) for layer in model.layers]
    images, labels = batch()
    outputs = model(images).numpy()
    differentiate(model, LOSS, tf.constant(images), tf.constant(labels))
    with pytest.raises(ZeroDivisionError):
        differentiate(model, lambda *_: 1 / 0, tf.constant(images), tf.constant(labels))
    assert [(dict(vars(layer)).keys(), layer.call) for layer in model.layers] == state
    np.testing.assert_array_equal(model(images).numpy(), outputs)


def test_units_with_weights():
    dense, inner = layers.Dense(2), layers.Dense(3)
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Flatten(), keras.Sequential([inner]), Bend(), dense]
    )
    assert layers_with_weights(model) == [inner, model.layers[2], dense]
    inner.trainable = False
    assert layers_with_weights(model) == [model.layers[2], dense]
