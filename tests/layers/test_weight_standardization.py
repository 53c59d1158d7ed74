"""Standardised weights, and how gradients come back through them."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfdpzoo.layers.weight_standardization import standardize, standardized_gradients


def test_mean_and_deviation():
    weights = np.random.default_rng(0).normal(3, 5, size=(3, 4, 5)).astype("float32")
    found = standardize(weights).numpy()
    assert abs(found.mean()) < 1e-6 and abs(found.std() - 1) < 1e-4


def test_gradients_are_those_of_automatic_differentiation():
    random = np.random.default_rng(0)
    weights = tf.constant(random.normal(1, 0.3, size=(3, 4)), tf.float32)
    gradients = random.normal(size=(5, 3, 4)).astype("float32")
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(weights)
        outputs = standardize(weights)
    expected = [tape.gradient(outputs, weights, output_gradients=row) for row in gradients]
    np.testing.assert_allclose(standardized_gradients(weights, gradients), expected, atol=1e-5)


def test_equal_weights_have_finite_gradients():
    """A kernel of one number, as of a 1x1 convolution from one channel to one, has no spread."""
    gradients = np.array([[[3.0]], [[-2.0]]], "float32")
    found = standardized_gradients(tf.constant([[5.0]]), tf.constant(gradients))
    np.testing.assert_array_equal(found, np.zeros((2, 1, 1)))
