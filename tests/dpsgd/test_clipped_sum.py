"""The public function: the definition of a clipped sum, on any model."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from reference_gradients import clipped_sum, gradients_one_at_a_time, relative_error

import tfdpzoo.dpsgd
from tfdpzoo.dpsgd import clipped_gradient_sum
from tfdpzoo.errors import InputError
from tfdpzoo.zoo.smoothnet.architecture import smoothnet

CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
EXAMPLES = 5


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    return smoothnet(width=1, depth=1, input_shape=(8, 8, 1), classes=3)


@pytest.fixture(scope="module")
def batch() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    images = random.normal(size=(EXAMPLES, 8, 8, 1)).astype("float32")
    return images, random.integers(0, 3, EXAMPLES)


@pytest.fixture(scope="module")
def gradients(model, batch) -> list[np.ndarray]:
    return gradients_one_at_a_time(model, *batch)


@pytest.fixture(scope="module")
def norms(gradients) -> np.ndarray:
    return np.sqrt(sum((each.reshape(EXAMPLES, -1) ** 2).sum(axis=1) for each in gradients))


@pytest.mark.parametrize("chunk", [None, 1, 2, 9])
def test_sum_and_norms_are_the_definition(model, batch, gradients, norms, chunk):
    clip_norm = float(np.median(norms))
    found = clipped_gradient_sum(model, CROSS_ENTROPY, *batch, clip_norm, chunk=chunk)
    assert relative_error(found.gradients, clipped_sum(gradients, clip_norm)) < 1e-5
    np.testing.assert_allclose(found.norms, norms, rtol=1e-5)
    assert [each.shape for each in found.gradients] == [
        variable.shape for variable in model.trainable_variables
    ]


def test_examples_of_weight_zero_contribute_nothing(model, batch, gradients):
    images, labels = batch
    spoilt = images.copy()
    spoilt[[1, 4]] = np.nan
    weights = np.array([1.0, 0.0, 1.0, 1.0, 0.0])
    found = clipped_gradient_sum(model, CROSS_ENTROPY, spoilt, labels, 1.0, weights)
    assert relative_error(found.gradients, clipped_sum(gradients, 1.0, weights)) < 1e-5


def test_in_a_graph_it_is_checked_once_and_gives_the_same(model, batch, gradients):
    traced = tf.function(
        lambda images, labels: clipped_gradient_sum(
            model, CROSS_ENTROPY, images, labels, 1.0, chunk=2
        ),
        input_signature=[
            tf.TensorSpec((None, 8, 8, 1), tf.float32),
            tf.TensorSpec((None,), tf.int64),
        ],
        autograph=False,
    )
    for rows in (EXAMPLES, 3):
        images, labels = (values[:rows] for values in batch)
        expected = clipped_sum([each[:rows] for each in gradients], 1.0)
        found = traced(tf.constant(images), tf.constant(labels))
        assert relative_error(found.gradients, expected) < 1e-5


def test_one_hot_labels_and_losses_by_name(model, batch):
    images, labels = batch
    rows = np.eye(3, dtype="float32")[labels]
    probabilities = keras.Sequential([model, keras.layers.Softmax()])
    probabilities.build((None, 8, 8, 1))
    found = clipped_gradient_sum(probabilities, "categorical_crossentropy", images, rows, 1.0)
    expected = clipped_gradient_sum(model, CROSS_ENTROPY, images, labels, 1.0)
    assert relative_error(found.gradients, expected.gradients) < 1e-4


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"clip_norm": 0.0}, "clip_norm is 0.0; it must be above 0"),
        ({"clip_norm": float("nan")}, "clip_norm is nan"),
        ({"clip_norm": 1.0, "chunk": 0}, "chunk is 0; give the number of examples"),
    ],
)
def test_bad_numbers_are_refused(model, batch, arguments, text):
    with pytest.raises(InputError, match=text):
        clipped_gradient_sum(model, CROSS_ENTROPY, *batch, **arguments)


def test_models_and_losses_that_mix_examples_are_refused(batch):
    mixing = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dense(3),
        ]
    )
    with pytest.raises(InputError, match="BatchNormalization"):
        clipped_gradient_sum(mixing, CROSS_ENTROPY, *batch, 1.0)


def test_only_public_names():
    with pytest.raises(AttributeError, match=r"'tfdpzoo\.dpsgd' has no attribute 'clip'"):
        tfdpzoo.dpsgd.clip  # noqa: B018
