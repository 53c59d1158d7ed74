"""Evaluation of an exported model."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from stand_in import CLASSES, SHAPE, StandIn

from tfdpzoo.errors import InputError
from tfdpzoo.evaluation import evaluate_saved_model
from tfdpzoo.saved_model import export


@pytest.fixture(scope="module")
def private() -> StandIn:
    return StandIn()


@pytest.fixture(scope="module")
def exported(private, tmp_path_factory):
    return export(private, tmp_path_factory.mktemp("models") / "small" / "1")


@pytest.fixture(scope="module")
def examples():
    generator = np.random.default_rng(4)
    images = generator.integers(0, 256, (50, *SHAPE)).astype(np.uint8)
    return images, generator.integers(0, CLASSES - 1, 50)


@pytest.mark.parametrize("batch_size", [1, 16, 50, 1000])
def test_the_measures_are_keras_own(private, exported, examples, batch_size):
    images, labels = examples
    evaluation = evaluate_saved_model(exported.parent, images, labels, batch_size)
    logits = private.model(images.astype(np.float32), training=False).numpy()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(labels, logits)
    correct = logits.argmax(axis=1) == labels
    assert evaluation.accuracy == correct.mean()
    assert evaluation.loss == pytest.approx(float(loss), rel=1e-5)
    assert evaluation.examples == 50
    shares = [correct[labels == each].mean() for each in range(CLASSES - 1)]
    assert evaluation.per_class_accuracy == (*shares, None)


def test_large_logits_give_a_finite_loss(tmp_path):
    flatten, dense = keras.layers.Flatten(), keras.layers.Dense(2)
    model = keras.Sequential([keras.Input((1, 1, 1)), flatten, dense])
    dense.set_weights([np.array([[100.0, -100.0]]), np.zeros(2)])
    path = export(StandIn(model), tmp_path / "1")
    evaluation = evaluate_saved_model(path, np.full((3, 1, 1, 1), 255.0), np.array([1, 1, 1]))
    assert evaluation.loss == pytest.approx(51_000)
    assert evaluation.accuracy == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda images, labels: (images[:, :, :, :1], labels),
            "The model takes images of shape 8 x 8 x 3; these are numbers of type uint8 and shape "
            "8 x 8 x 1.",
        ),
        (
            lambda images, labels: (images[0], labels),
            "The model takes images of shape 8 x 8 x 3; these are numbers of type uint8 and shape "
            "8 x 3.",
        ),
        (
            lambda images, labels: (images, labels - 1),
            "The label -1 is out of range: the model has the classes 0 to 3.",
        ),
        (
            lambda images, labels: (images, labels * 0 + 4),
            "The label 4 is out of range: the model has the classes 0 to 3.",
        ),
        (
            lambda images, labels: (images, labels[1:]),
            "50 images need as many whole-numbered labels; these have type int64 and shape 49.",
        ),
        (
            lambda images, labels: (images, labels.astype(float)),
            "50 images need as many whole-numbered labels; these have type float64 and shape 50.",
        ),
        (
            lambda images, labels: (images[:0], labels[:0]),
            "There are no images to evaluate the model on.",
        ),
        (
            lambda images, labels: (images / np.float32(-255), labels),
            "Pixels must be raw numbers from 0 to 255; these go from -1 to -0. The model "
            "normalises by itself.",
        ),
        (
            lambda images, labels: (np.where(images > 250, np.nan, images), labels),
            "Pixels must be raw numbers from 0 to 255; these go from nan to nan. The model "
            "normalises by itself.",
        ),
    ],
)
def test_examples_that_do_not_fit_are_refused(exported, examples, change, message):
    with pytest.raises(InputError) as caught:
        evaluate_saved_model(exported, *change(*examples))
    assert str(caught.value) == message


def test_a_batch_size_below_one_is_refused(exported, examples):
    with pytest.raises(InputError, match="batch size of 0 is too small; give at least 1"):
        evaluate_saved_model(exported, *examples, batch_size=0)


def test_folders_that_hold_no_model_of_ours_are_refused(tmp_path, examples):
    with pytest.raises(InputError, match="holds neither a SavedModel"):
        evaluate_saved_model(tmp_path, *examples)
    (tmp_path / "saved_model.pb").write_bytes(b"\xff" * 50)
    with pytest.raises(InputError, match="cannot be loaded; verify it"):
        evaluate_saved_model(tmp_path, *examples)
    tf.saved_model.save(tf.Module(), str(tmp_path / "2"))
    with pytest.raises(InputError, match="cannot be loaded; verify it"):
        evaluate_saved_model(tmp_path / "2", *examples)


def test_models_with_other_names_are_refused(tmp_path, examples):
    module = tf.Module()
    module.function = tf.function(
        lambda x: {"y": x}, input_signature=[tf.TensorSpec([None, *SHAPE], tf.float32)]
    )
    tf.saved_model.save(module, str(tmp_path / "1"), signatures=module.function)
    with pytest.raises(InputError, match="does not take images and give logits"):
        evaluate_saved_model(tmp_path / "1", *examples)
