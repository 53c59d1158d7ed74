"""The rule of dense layers, on vectors and on rows."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from reference_gradients import LOSS, examples_of, gradients_one_at_a_time, relative_error

from tfdpzoo.dpsgd.per_example import differentiate
from tfdpzoo.dpsgd.rules import rule_for

layers = keras.layers


@pytest.mark.parametrize("activation", [None, "softmax", "gelu"])
@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("shape", [(6,), (3, 4), (2, 3, 4)], ids=str)
def test_dense(shape, use_bias, activation):
    keras.utils.set_random_seed(0)
    layer = layers.Dense(3, use_bias=use_bias, activation=activation)
    model = keras.Sequential([keras.Input(shape), layer, layers.Flatten(), layers.Dense(2)])
    random = np.random.default_rng(0)
    images = random.normal(size=(3, *shape)).astype("float32")
    labels = random.integers(0, 2, 3)
    found = differentiate(model, LOSS, tf.constant(images), tf.constant(labels))
    expected = gradients_one_at_a_time(model, images, labels)
    assert relative_error(examples_of(found, 3), expected) < 1e-5
    squares = sum(gradient.squared_norms() for gradient in found.gradients)
    norms = sum((row.reshape(3, -1) ** 2).sum(axis=1) for row in expected)
    np.testing.assert_allclose(squares, norms, rtol=1e-5)


@pytest.mark.parametrize("positions", [2, 64])
def test_norm_is_right_where_rows_cancel(positions):
    """As for convolutions: half of the rows undo the other half but for 1 in 1e4.

    Norms from Gram matrices are longer by what float32 may round: 2 ** -20 of 2 * 1e4 per pair.
    """
    layer = layers.Dense(1, use_bias=False)
    model = keras.Sequential(
        [keras.Input((positions, 1)), layer, layers.Flatten(), layers.Dense(1)]
    )
    signs = np.repeat([1e4, -1e4], positions // 2)
    signs[0] += 1.0
    model.layers[-1].kernel.assign(signs[:, None].astype("float32"))
    model.layers[-1].trainable = False

    def loss(labels, predictions):
        return tf.reshape(predictions, (-1,))

    images = np.ones((1, positions, 1), "float32")
    found = differentiate(model, loss, tf.constant(images), tf.constant([0])).gradients
    norm = np.sqrt(found[0].squared_norms().numpy()[0])
    assert 1.0 - 1e-3 <= norm <= 1.0 + 1.01 * positions * 1e4 * 2.0**-20


def test_adapted_layers_have_no_rule():
    """LoRA adds variables of its own that the rule knows nothing of."""
    layer = layers.Dense(3)
    model = keras.Sequential([keras.Input((6,)), layer])
    assert rule_for(layer) is not None
    layer.enable_lora(2)
    assert rule_for(layer) is None
    for variable in layer.trainable_variables:
        variable.assign(np.random.default_rng(0).normal(size=variable.shape))
    images = np.random.default_rng(1).normal(size=(3, 6)).astype("float32")
    labels = np.array([0, 1, 2])
    found = differentiate(model, LOSS, tf.constant(images), tf.constant(labels))
    expected = gradients_one_at_a_time(model, images, labels)
    assert relative_error(examples_of(found, 3), expected) < 1e-5
