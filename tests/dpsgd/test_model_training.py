"""What is trained on what: labels, tied, frozen and regularised weights, small samples, metrics."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from private_training import (
    BATCH,
    CLASSES,
    CROSS_ENTROPY,
    EXAMPLES,
    IMAGES,
    KEY,
    LABELS,
    linear_model,
    plan_of,
    private_model,
    small_model,
    train,
    weights_of,
)
from reference_gradients import (
    clipped_sum,
    gradients_one_at_a_time,
)

from tfdpzoo.dpsgd.execution import ExecutionSettings
from tfdpzoo.dpsgd.model import PrivateModel
from tfdpzoo.dpsgd.noise import GaussianNoise
from tfdpzoo.dpsgd.plan import PrivacyPlan
from tfdpzoo.dpsgd.secret_key import SecretKey
from tfdpzoo.errors import InputError

layers = keras.layers


def test_tied_weights_are_seen():
    """A kernel that another layer uses, too, gets the gradient of both uses."""

    class Transposed(layers.Layer):
        def __init__(self, other):
            super().__init__()
            self.other = other

        def call(self, inputs):
            return tf.matmul(inputs, self.other.kernel, transpose_b=True)

    keras.utils.set_random_seed(0)
    encode = layers.Dense(CLASSES, use_bias=False)
    model = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            layers.Flatten(),
            encode,
            Transposed(encode),
            layers.Dense(CLASSES),
        ]
    )
    start = weights_of(model)
    plan = plan_of(1)
    try:
        train(plan, model=model, averaging_decay=0)
    except InputError as refusal:
        assert "kernel" in str(refusal)
        return
    found = weights_of(model)
    for variable, value in zip(model.trainable_variables, start, strict=True):
        variable.assign(value)
    rows = plan.batches(IMAGES, LABELS, key=KEY).sample(0)
    sums = clipped_sum(gradients_one_at_a_time(model, IMAGES[rows], LABELS[rows]), plan.clip_norm)
    shapes = [variable.shape for variable in model.trainable_variables]
    drawn = GaussianNoise(KEY, shapes, 1.1 * 0.8, plan.noise_reach).draw(tf.constant(0, tf.int64))
    for now, before, total, draw in zip(found, start, sums, drawn, strict=True):
        np.testing.assert_allclose(now, before - 0.5 * (total + draw) / BATCH, atol=1e-5)


def test_a_subclassed_model_trains_as_its_functional_twin():
    """It need not know the shape of its output."""

    class Network(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(CLASSES)

        def call(self, inputs):
            return self.dense(tf.reshape(inputs, (-1, 36)))

    twin, model = linear_model(), Network()
    model(IMAGES[:1])
    model.set_weights(twin.get_weights())
    for found, expected in zip(
        weights_of(train(plan_of(2), model=model).model),
        weights_of(train(plan_of(2), model=twin).model),
        strict=True,
    ):
        np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float64", "uint8"])
def test_types_of_labels(dtype):
    plan = plan_of(1)
    private = train(plan, labels=LABELS.astype(dtype), compiling={"run_eagerly": True})
    assert private.ledger.updates == 1


def test_one_hot_labels_train_as_numbers_do():
    plan = plan_of(1)
    one_hot = np.eye(CLASSES, dtype="uint8")[LABELS]
    private = PrivateModel(linear_model(), plan, key=KEY)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    private.compile(optimizer=keras.optimizers.SGD(0.5), loss=loss, run_eagerly=True)
    private.fit(plan.batches(IMAGES, one_hot, key=KEY), verbose=0)
    sparse = train(plan, compiling={"run_eagerly": True})
    for one, other in zip(weights_of(private.model), weights_of(sparse.model), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_weight_regularizers_are_added_after_the_noise():
    """They depend on no example: neither clipped, nor divided by the batch."""
    plan = plan_of(1)
    regular = small_model(regularizer=keras.regularizers.L2(0.3))
    plain, decayed = (
        train(plan, model=model, averaging_decay=0) for model in (small_model(), regular)
    )
    kernel = weights_of(small_model())[0]
    # The gradient of 0.3 |w|^2 is 0.6 w, and the learning rate 0.5.
    expected = weights_of(plain.model)[0] - 0.5 * 0.6 * kernel
    np.testing.assert_allclose(weights_of(decayed.model)[0], expected, atol=1e-6)
    for one, other in zip(weights_of(plain.model)[1:], weights_of(decayed.model)[1:], strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_frozen_layers_get_neither_gradient_nor_noise():
    model = small_model()
    model.layers[0].trainable = False
    before = [variable.numpy() for variable in model.layers[0].variables]
    train(plan_of(2), model=model)
    for variable, value in zip(model.layers[0].variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)


def test_empty_and_small_samples_train_with_metrics():
    """Expected batch 1: most samples have 0, 1 or 2 examples."""
    plan = PrivacyPlan.from_noise_multiplier(
        noise_multiplier=2.0, delta=1e-3, examples=EXAMPLES, batch_size=1, updates=4
    )
    batches = plan.batches(IMAGES, LABELS, key=SecretKey.from_seed(3))
    assert min(len(batches.sample(update)) for update in range(4)) == 0
    private = private_model(plan, metrics=["accuracy", keras.metrics.SparseCategoricalAccuracy()])
    history = private.fit(batches, verbose=0).history
    assert private.ledger.updates == 4
    assert np.isfinite(history["loss"]).all() and np.isfinite(history["accuracy"]).all()


def test_losses_and_metrics_are_of_the_sampled_examples():
    plan = plan_of(1)
    private = private_model(plan, metrics=["accuracy"], execution=ExecutionSettings(chunk=32))
    batches = plan.batches(IMAGES, LABELS, key=KEY)
    rows = batches.sample(0)
    logits = linear_model()(IMAGES[rows]).numpy()
    history = private.fit(batches, verbose=0).history
    assert history["loss"][0] == pytest.approx(float(CROSS_ENTROPY(LABELS[rows], logits)), rel=1e-4)
    accuracy = np.mean(logits.argmax(axis=1) == LABELS[rows])
    assert history["accuracy"][0] == pytest.approx(accuracy, abs=1e-6)


@pytest.mark.parametrize(
    "engine",
    ["fast", pytest.param("tf-privacy", marks=pytest.mark.slow)],  # Its loop is long.
)
def test_broken_examples_change_nothing_and_are_reported(engine):
    """Pixels of 3e38 are finite, but nothing that is computed from them is.

    The weights are those of a run in which the broken examples' share of the sum is left out.
    """
    plan = plan_of(1)
    images = IMAGES.copy()
    batches = plan.batches(images, LABELS, key=KEY)
    rows = batches.sample(0)
    images[rows[:2]] = 3e38
    private = train(plan, images=images, engine=engine, averaging_decay=0)
    assert int(private.discarded_examples.numpy()) == 2
    model = linear_model()
    gradients = gradients_one_at_a_time(model, images[rows[2:]], LABELS[rows[2:]])
    shapes = [variable.shape for variable in model.trainable_variables]
    drawn = GaussianNoise(KEY, shapes, 1.1 * 0.8, plan.noise_reach).draw(tf.constant(0, tf.int64))
    for now, before, total, draw in zip(
        weights_of(private.model),
        weights_of(model),
        clipped_sum(gradients, 0.8),
        drawn,
        strict=True,
    ):
        np.testing.assert_allclose(now, before - 0.5 * (total + draw) / BATCH, atol=1e-5)


def test_schedules_count_updates():
    plan = plan_of(3)
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([1], [1.0, 0.0])
    history = []

    class Look(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            history.append(weights_of(private.model))

    private = private_model(
        plan,
        optimizer=keras.optimizers.SGD(schedule),
        execution=ExecutionSettings(chunk=2),
        averaging_decay=0,
    )
    start = weights_of(private.model)
    private.fit(plan.batches(IMAGES, LABELS, key=KEY), callbacks=[Look()], verbose=0)
    # Steps 0 and 1 have rate 1, though an update has several chunks; step 2 has rate 0.
    assert not np.allclose(history[0][0], start[0])
    assert not np.allclose(history[1][0], history[0][0])
    np.testing.assert_array_equal(history[2][0], history[1][0])


def test_momentum_comes_after_the_noise():
    """Keras' own optimizer, given the released gradients, ends at the same weights."""
    plan = plan_of(3)
    heavy = train(plan, optimizer=keras.optimizers.SGD(0.5, momentum=0.9), averaging_decay=0)
    model, optimizer = linear_model(), keras.optimizers.SGD(0.5, momentum=0.9)
    shapes = [variable.shape for variable in model.trainable_variables]
    noise = GaussianNoise(KEY, shapes, plan.noise_multiplier * plan.clip_norm, plan.noise_reach)
    for update in range(3):
        rows = plan.batches(IMAGES, LABELS, key=KEY).sample(update)
        sums = clipped_sum(
            gradients_one_at_a_time(model, IMAGES[rows], LABELS[rows]), plan.clip_norm
        )
        drawn = noise.draw(tf.constant(update, tf.int64))
        released = [(total + draw) / BATCH for total, draw in zip(sums, drawn, strict=True)]
        optimizer.apply(released, model.trainable_variables)
    for found, expected in zip(weights_of(heavy.model), weights_of(model), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)
