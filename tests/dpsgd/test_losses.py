"""One loss for each example, whatever a Keras loss does to a batch."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdpzoo.dpsgd.losses import per_example_loss
from tfdpzoo.errors import InputError

LOGITS = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
LABELS = np.array([0, 2, 1, 1, 0])
EXPECTED = -np.log(np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True))[range(5), LABELS]


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "none", None, "mean"])
def test_reduction_does_not_matter(reduction):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=reduction)
    found = per_example_loss(loss)(tf.constant(LABELS), tf.constant(LOGITS))
    np.testing.assert_allclose(found, EXPECTED, rtol=1e-5)


@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64", "float32", "float64"])
def test_types_of_labels(dtype):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    found = per_example_loss(loss)(tf.constant(LABELS.astype(dtype)), tf.constant(LOGITS))
    np.testing.assert_allclose(found, EXPECTED, rtol=1e-5)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_one_hot_labels(dtype):
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    one_hot = np.eye(3, dtype=dtype)[LABELS]
    found = per_example_loss(loss)(tf.constant(one_hot), tf.constant(LOGITS))
    np.testing.assert_allclose(found, EXPECTED, rtol=1e-5)


def test_label_smoothing_and_other_settings_are_kept():
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.3)
    one_hot = np.eye(3, dtype="float32")[LABELS]
    found = per_example_loss(loss)(tf.constant(one_hot), tf.constant(LOGITS))
    one_by_one = [loss(one_hot[i : i + 1], LOGITS[i : i + 1]) for i in range(5)]
    np.testing.assert_allclose(found, one_by_one, rtol=1e-5)


def test_names_and_functions():
    targets, predictions = tf.zeros((4, 2)), tf.constant([[1.0, 3.0]] * 4)
    for loss in ("mean_squared_error", "mse", keras.losses.MeanSquaredError()):
        np.testing.assert_allclose(per_example_loss(loss)(targets, predictions), [5.0] * 4)
    squares = per_example_loss(lambda labels, outputs: tf.square(labels - outputs))
    np.testing.assert_allclose(squares(targets, predictions), [5.0] * 4)


def test_bfloat16_predictions_give_float32_losses():
    loss = per_example_loss(keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    assert loss(tf.constant(LABELS), tf.cast(LOGITS, tf.bfloat16)).dtype == tf.float32


def _missing_axis(labels, outputs):
    return tf.square(labels - outputs)  # (B,) minus (B, 1) is (B, B).


def _of_the_batch(labels, outputs):
    return tf.reduce_mean(tf.square(labels[:, None] - outputs))


def _balanced(labels, outputs):
    same = tf.reduce_sum(tf.cast(labels[:, None] == labels, tf.float32), axis=1)
    return tf.square(labels - outputs[:, 0]) / same


@pytest.mark.parametrize("function", [_missing_axis, _of_the_batch, _balanced])
@pytest.mark.parametrize("examples", [3, 20])
def test_examples_are_alone_whatever_the_function_makes_of_a_batch(function, examples):
    """Eagerly one after the other, vectorised, and in a graph: neither values nor gradients mix."""
    random = np.random.default_rng(0)
    labels = tf.constant(random.integers(0, 3, examples), tf.float32)
    outputs = tf.constant(random.normal(size=(examples, 1)), tf.float32)
    loss = per_example_loss(function)
    for compute in (loss, tf.function(loss.__call__)):
        with tf.GradientTape() as tape:
            tape.watch(outputs)
            losses = compute(labels, outputs)
            last = losses[-1]
        np.testing.assert_allclose(losses, tf.square(labels - outputs[:, 0]), rtol=1e-6)
        gradient = tape.gradient(last, outputs).numpy()
        assert not gradient[:-1].any() and gradient[-1] != 0


@pytest.mark.parametrize("loss", [None, ["mse", "mse"], ("mse",), {"logits": "mse"}])
def test_no_loss_or_several_are_refused(loss):
    with pytest.raises(InputError, match="needs one loss"):
        per_example_loss(loss)
