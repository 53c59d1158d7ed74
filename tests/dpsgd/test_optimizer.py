"""The optimizer is TF-Privacy's, on Keras 3, with its own noise off."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdpzoo.dpsgd.optimizer import apply_private_gradients, make_private_optimizer
from tfdpzoo.errors import InputError

KINDS = [
    keras.optimizers.SGD(0.5, momentum=0.9, nesterov=True),
    keras.optimizers.Adam(0.1, beta_1=0.5),
    keras.optimizers.AdamW(0.1, weight_decay=0.01),
    keras.optimizers.RMSprop(0.1),
    keras.optimizers.SGD(0.5, weight_decay=0.1, clipnorm=0.2),
    keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(1.0, 5)),
]


def copy_of(optimizer):
    return type(optimizer).from_config(optimizer.get_config())


@pytest.mark.parametrize("original", KINDS, ids=lambda optimizer: optimizer.name)
def test_steps_are_those_of_the_keras_optimizer(original):
    """With the same gradients, momentum, schedules and weight decay move the weights alike."""
    random = np.random.default_rng(0)
    start = random.normal(size=(3, 2)).astype("float32")
    ours, theirs = keras.Variable(start), keras.Variable(start)
    private, plain = make_private_optimizer(original, clip_norm=1.0), copy_of(original)
    for _ in range(8):
        gradient = tf.constant(random.normal(size=(3, 2)), tf.float32)
        apply_private_gradients(private, [gradient], [ours])
        plain.apply([gradient], [theirs])
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-6)
    assert not np.allclose(ours.numpy(), start)
    assert int(private.iterations) == 8


def test_a_function_as_learning_rate_is_kept():
    def quarter():
        return 0.25

    private = make_private_optimizer(keras.optimizers.SGD(quarter), clip_norm=1.0)
    variable = keras.Variable(np.ones(2, "float32"))
    apply_private_gradients(private, [tf.ones(2)], [variable])
    np.testing.assert_allclose(variable.numpy(), [0.75, 0.75])


def test_class_is_made_by_tf_privacy():
    private = make_private_optimizer(keras.optimizers.Adam(0.1), clip_norm=0.7)
    assert type(private).__name__ == "VectorizedDPKerasAdam"
    assert isinstance(private, keras.optimizers.Adam)
    module = "tensorflow_privacy.privacy.optimizers.dp_optimizer_keras_vectorized"
    assert type(private)._compute_gradients.__module__ == module
    assert private._l2_norm_clip == 0.7
    # Noise is added once for an update, not by the optimizer for each call.
    assert private._noise_multiplier == 0.0


def test_gradients_that_nobody_made_private_are_refused():
    """TF-Privacy's guard is alive: only `apply_private_gradients` passes it."""
    private = make_private_optimizer("sgd", clip_norm=1.0)
    variable = keras.Variable(np.ones(2, "float32"))
    with pytest.raises(AssertionError, match="_compute_gradients"):
        private.apply_gradients([(tf.ones(2), variable)])
    np.testing.assert_array_equal(variable.numpy(), np.ones(2))


def test_names_and_configurations_are_taken():
    for given in ("adam", {"class_name": "Adam", "config": {"learning_rate": 0.25}}):
        assert isinstance(make_private_optimizer(given, 1.0), keras.optimizers.Adam)
    private = make_private_optimizer(keras.optimizers.serialize(keras.optimizers.Adam(0.25)), 1.0)
    assert float(private.learning_rate) == 0.25


def test_an_optimizer_can_be_given_twice():
    """Each model gets its own: no slot of the first run is in the second."""
    original = keras.optimizers.SGD(1.0, momentum=0.9)
    first, second = (make_private_optimizer(original, 1.0) for _ in range(2))
    variable = keras.Variable(np.zeros(2, "float32"))
    apply_private_gradients(first, [tf.ones(2)], [variable])
    assert first is not second and int(second.iterations) == 0


def test_schedule_counts_updates():
    private = make_private_optimizer(
        keras.optimizers.SGD(
            keras.optimizers.schedules.PiecewiseConstantDecay([1, 2], [1.0, 10.0, 100.0])
        ),
        clip_norm=1.0,
    )
    variable = keras.Variable(np.zeros(1, "float32"))
    steps = []
    for _ in range(5):
        before = variable.numpy().copy()
        apply_private_gradients(private, [tf.ones(1)], [variable])
        steps.append(float((before - variable.numpy())[0]))
    assert steps == pytest.approx([1, 1, 10, 100, 100])


@pytest.mark.parametrize(
    "setting", [{"gradient_accumulation_steps": 4}, {"loss_scale_factor": 1024.0}]
)
def test_accumulation_and_loss_scaling_are_refused(setting):
    ((name, value),) = setting.items()
    with pytest.raises(InputError, match=f"{name}={value}, which private training cannot use"):
        make_private_optimizer(keras.optimizers.SGD(0.1, **setting), clip_norm=1.0)
