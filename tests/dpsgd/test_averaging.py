"""The moving average of the weights, against its formula."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdpzoo.dpsgd.averaging import WeightAverage
from tfdpzoo.errors import InputError


def variables() -> list[keras.Variable]:
    return [keras.Variable(np.full(shape, 3.0, "float32")) for shape in [(2, 3), (), (4,)]]


@pytest.mark.parametrize("decay", [0.5, 0.9, 0.999])
def test_formula(decay):
    """d_t = min(d, (1 + t) / (10 + t)); a_t = d_t a_(t-1) + (1 - d_t) w_t, from a_0 = w_0."""
    weights = variables()
    average = WeightAverage(weights, decay)
    expected = [weight.numpy().astype("float64") for weight in weights]
    random = np.random.default_rng(0)
    for update in range(1, 60):
        factor = min(decay, (1 + update) / (10 + update))
        for index, weight in enumerate(weights):
            weight.assign(random.normal(size=weight.shape))
            expected[index] = factor * expected[index] + (1 - factor) * weight.numpy()
        average.update(tf.constant(update, tf.int64))
    for value, found in zip(expected, average.averages, strict=True):
        # Float32 against float64 over sixty steps.
        np.testing.assert_allclose(found.numpy(), value, atol=1e-6)


def test_constant_weights_are_their_own_average():
    weights = variables()
    average = WeightAverage(weights, 0.999)
    for update in range(1, 20):
        average.update(tf.constant(update, tf.int64))
    for weight, found in zip(weights, average.averages, strict=True):
        np.testing.assert_array_equal(weight.numpy(), found.numpy())


def test_weights_are_back_afterwards_also_when_something_fails():
    weights = variables()
    average = WeightAverage(weights, 0.9)
    for weight in weights:
        weight.assign(np.full(weight.shape, 5.0))
    average.update(tf.constant(1, tf.int64))
    # At update 1 the decay is 2 / 11.
    expected = 2 / 11 * 3.0 + 9 / 11 * 5.0
    with pytest.raises(KeyboardInterrupt), average.in_place():
        np.testing.assert_allclose(weights[0].numpy(), expected, rtol=1e-6)
        with average.in_place():
            np.testing.assert_allclose(weights[0].numpy(), expected, rtol=1e-6)
        np.testing.assert_allclose(weights[0].numpy(), expected, rtol=1e-6)
        raise KeyboardInterrupt
    for weight in weights:
        np.testing.assert_array_equal(weight.numpy(), np.full(weight.shape, 5.0))


@pytest.mark.parametrize("decay", [-0.1, 1.0, 1.5, float("nan")])
def test_decay_out_of_range(decay):
    with pytest.raises(InputError, match=f"averaging_decay is {decay}"):
        WeightAverage(variables(), decay)
