"""What an audit of the private step found, each case now refused or mended.

Sorted by what is at stake: first cases in which an example moves the released sum by more than C or
the noise is not what is accounted, then wrong gradients.
"""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from audited_training import (
    CROSS_ENTROPY,
    IMAGES,
    KEY,
    LABELS,
    Function,
    audited_plan,
    fit,
    sequential,
)

from tfdpzoo.dpsgd.engine import FastEngine
from tfdpzoo.dpsgd.losses import per_example_loss
from tfdpzoo.dpsgd.model import PrivateModel
from tfdpzoo.dpsgd.plan import PrivacyPlan
from tfdpzoo.dpsgd.validate import require_private_trainable, rules_see_examples
from tfdpzoo.errors import InputError

layers = keras.layers


@pytest.fixture(scope="module")
def plan() -> PrivacyPlan:
    return audited_plan()


# Privacy: losses that mix examples.


def _missing_axis(labels, predictions):
    # Labels (B,) minus predictions (B, 1) is (B, B): the classic slip.
    return tf.square(tf.cast(labels, tf.float32) - predictions)


def _balanced_in_batch(labels, predictions):
    labels = tf.cast(labels, tf.int32)
    counts = tf.cast(tf.gather(tf.math.bincount(labels, minlength=2), labels), tf.float32)
    return keras.losses.sparse_categorical_crossentropy(labels, predictions) / counts


def _hard_examples_only(labels, predictions):
    losses = keras.losses.sparse_categorical_crossentropy(labels, predictions)
    return tf.where(losses >= tf.reduce_max(losses), losses, 0 * losses)


def _contrastive(labels, predictions):
    distances = tf.norm(predictions[:, None] - predictions[None] + 1e-6, axis=-1)
    pushed = tf.reduce_mean(tf.nn.relu(0.1 - distances), axis=1)
    return keras.losses.sparse_categorical_crossentropy(labels, predictions) + pushed


def _mixed_in_gradient_only(labels, predictions):
    mean = tf.reduce_mean(predictions)
    own = keras.losses.sparse_categorical_crossentropy(labels, predictions)
    return own + mean - tf.stop_gradient(mean)


@pytest.mark.parametrize(
    ("loss", "units"),
    [
        (_missing_axis, 1),
        (_balanced_in_batch, 2),
        (_hard_examples_only, 2),
        (_contrastive, 2),
    ],
)
def test_losses_that_mix_examples_are_refused(plan, loss, units):
    activation = "softmax" if units > 1 else None
    model = sequential(layers.Flatten(), layers.Dense(units, activation=activation))
    with pytest.raises(InputError, match="mixes examples"):
        fit(model, plan, loss=loss)


def test_a_loss_that_mixes_in_its_gradient_alone_is_isolated():
    loss = per_example_loss(_mixed_in_gradient_only)
    predictions = tf.constant([[0.3, 0.7], [0.6, 0.4], [0.5, 0.5]])
    with tf.GradientTape() as tape:
        tape.watch(predictions)
        last = loss(tf.constant([0, 1, 1]), predictions)[-1]
    assert tf.reduce_all(tape.gradient(last, predictions)[:-1] == 0)


# Privacy: layers that mix examples.


@tf.custom_gradient
def _clip_gradient_of_batch(values):
    return tf.identity(values), lambda upstream: tf.clip_by_norm(upstream, 1e-3)


MIXING = {
    "batch statistics without gradient, in training only": lambda x, training: (
        x - tf.stop_gradient(tf.reduce_mean(x, axis=0)) if training else x
    ),
    "a sum over later examples": lambda x, training: tf.cumsum(x, axis=0, reverse=True),
    "one gradient norm for the batch": lambda x, training: _clip_gradient_of_batch(x),
    "not a number for the probe": lambda x, training: tf.sqrt(x) - tf.reduce_mean(x, axis=0),
}


@pytest.mark.parametrize("name", MIXING)
def test_layers_that_mix_examples_are_refused(plan, name):
    model = sequential(Function(MIXING[name]), layers.Flatten(), layers.Dense(2))
    with pytest.raises(InputError):
        fit(model, plan, images=np.abs(IMAGES) * 100)


def test_mixup_is_refused_every_time():
    accepted = 0
    for _ in range(10):
        model = sequential(layers.MixUp(), layers.Flatten(), layers.Dense(2), shape=(8, 8, 3))
        try:
            require_private_trainable(model)
            accepted += 1
        except InputError:
            pass
    assert accepted == 0


def test_state_in_a_bare_tensorflow_variable_is_refused():
    class RunningSum(layers.Layer):
        def __init__(self):
            super().__init__()
            self.sum = tf.Variable(tf.zeros(16), trainable=False)

        def call(self, inputs, training=None):
            if training:
                self.sum.assign_add(tf.reduce_sum(inputs, axis=0))
            return inputs

    with pytest.raises(InputError, match="state"):
        require_private_trainable(sequential(layers.Flatten(), RunningSum(), layers.Dense(2)))


# Privacy: the clipped sum.


def test_no_contribution_above_the_norm_where_squares_underflow():
    """Squared pixels underflow to 0, so that an outer product's norm reads 0: no clipping."""
    model = sequential(layers.Flatten(), layers.Dense(1, use_bias=False), shape=(64, 64, 1))
    engine = FastEngine(model, per_example_loss("mean_squared_error"), clip_norm=1.0)
    result = engine(tf.fill((1, 64, 64, 1), 1e-19), tf.constant([[4e18]]), tf.ones(1))
    assert tf.norm(result.gradients[0]) <= 1.0 + 1e-5


def test_no_contribution_above_a_very_small_norm():
    """With C = 1e-25 every square underflows; such a C should be refused by the plan, or work."""
    try:
        PrivacyPlan.from_noise_multiplier(
            noise_multiplier=5.0,
            delta=1e-4,
            examples=200,
            batch_size=50,
            updates=1,
            clip_norm=1e-25,
        )
    except InputError:
        return
    model = sequential(layers.Flatten(), layers.Dense(2, use_bias=False))
    engine = FastEngine(model, per_example_loss(CROSS_ENTROPY), clip_norm=1e-25)
    result = engine(IMAGES[:1] * 1e-20, tf.constant(LABELS[:1]), tf.ones(1))
    assert tf.linalg.global_norm([1e20 * total for total in result.gradients]) <= 1.1e-5


def test_an_example_split_into_rows_is_not_clipped_row_by_row():
    """Rows of the batch are cut into four: each would be clipped to C on its own."""
    model = sequential(
        Function(lambda x, training: tf.reshape(x, (-1, 4))),
        layers.Dense(3),
        Function(lambda x, training: tf.reduce_sum(tf.reshape(x, (-1, 4, 3)), axis=1)),
    )
    engine = FastEngine(model, per_example_loss(CROSS_ENTROPY), clip_norm=1e-3)
    try:
        result = engine(tf.constant(IMAGES[:1]), tf.constant(LABELS[:1]), tf.ones(1))
    except (ValueError, tf.errors.InvalidArgumentError):
        return
    assert tf.linalg.global_norm(result.gradients) <= 1e-3 * (1 + 1e-5)


class TwoPositions(layers.Layer):
    """Adds learned positions, looked up without a batch axis, as in Keras' ViT example."""

    def __init__(self):
        super().__init__()
        self.table = layers.Embedding(2, 8)

    def build(self, shape):
        self.table.build((2,))

    def call(self, inputs):
        rows = tf.reshape(inputs, (-1, 2, 8)) + self.table(tf.range(2))
        return tf.reshape(rows, (-1, 16))


def test_a_layer_called_without_a_batch_axis_is_not_taken_for_examples():
    """Two positions in a chunk of two: position i would be clipped as if it were example i."""
    assert not rules_see_examples(sequential(layers.Flatten(), TwoPositions(), layers.Dense(2)))


def test_positions_without_a_batch_axis_train_or_are_refused_in_a_sentence(plan):
    model = sequential(layers.Flatten(), TwoPositions(), layers.Dense(2))
    try:
        fit(model, plan)
    except InputError:
        return


# Privacy: what is counted, and the noise.


def test_every_update_is_counted_whatever_steps_per_execution_is_set_to(plan):
    model = sequential(layers.Flatten(), layers.Dense(2))
    private = PrivateModel(model, plan, key=KEY)
    private.compile(optimizer="sgd", loss=CROSS_ENTROPY)
    private.steps_per_execution = 4
    try:
        private.fit(plan.batches(IMAGES, LABELS, key=KEY), verbose=0)
    except InputError:
        return
    assert private.ledger.updates == int(private.executed_updates.numpy())


def test_noise_is_not_broadcast_when_other_weights_are_frozen_later(plan):
    class Scale(layers.Layer):
        def build(self, shape):
            self.factor = self.add_weight(shape=(1,), initializer="ones")

        def call(self, inputs):
            return inputs * self.factor

    scale, slopes = Scale(), layers.PReLU()
    model = sequential(layers.Flatten(), scale, slopes, layers.Dense(2, trainable=False))
    slopes.trainable = False
    private = PrivateModel(model, plan, key=KEY)
    scale.trainable, slopes.trainable = False, True
    try:
        private.compile(optimizer=keras.optimizers.SGD(1.0), loss=CROSS_ENTROPY)
        private.fit(plan.batches(np.ones_like(IMAGES), LABELS, key=KEY), verbose=0)
    except (InputError, ValueError):
        return
    # Positive inputs give slopes no gradient: their change is the noise.
    assert np.std(slopes.alpha.numpy()) > 0.01


# Correctness.


@pytest.mark.parametrize(
    "layer",
    [
        lambda policy: layers.Conv2D(2, 3, dtype=policy),
        lambda policy: layers.Conv2D(2, 3, groups=1, activation="selu", dtype=policy),
        lambda policy: layers.SeparableConv2D(2, 3, dtype=policy),
        lambda policy: layers.PReLU(dtype=policy),
        lambda policy: layers.GroupNormalization(1, dtype=policy),
    ],
    ids=["convolution", "selu", "separable", "prelu", "normalization"],
)
def test_bfloat16_layers_train(plan, layer):
    policy = keras.DTypePolicy("mixed_bfloat16")
    model = sequential(
        layer(policy), layers.Flatten(dtype=policy), layers.Dense(2, dtype="float32")
    )
    fit(model, plan)


def test_dropout_inside_a_layer_with_weights_is_not_drawn_twice(plan):
    class DroppedProduct(layers.Layer):
        def __init__(self):
            super().__init__()
            self.dropout = layers.Dropout(0.5, seed=3)

        def build(self, shape):
            self.matrix = self.add_weight(shape=(shape[-1], 3))

        def call(self, inputs):
            return self.dropout(inputs) @ self.matrix

    model = sequential(layers.Flatten(), DroppedProduct(), layers.Dense(2))
    assert not rules_see_examples(model)
    fit(model, plan)


def test_dropout_of_a_recurrent_layer_is_not_drawn_twice():
    model = sequential(layers.Reshape((4, 4)), layers.LSTM(3, dropout=0.5, seed=1), layers.Dense(2))
    assert not rules_see_examples(model)


def test_a_frozen_kernel_beside_a_trained_bias(plan):
    model = sequential(layers.Flatten(), layers.Dense(3), layers.Dense(2))
    model.layers[1].kernel.trainable = False
    fit(model, plan)


def test_a_layer_as_activation(plan):
    fit(
        sequential(layers.Flatten(), layers.Dense(3, activation=layers.PReLU()), layers.Dense(2)),
        plan,
    )


def test_a_variable_without_a_gradient_in_the_engine_of_tf_privacy(plan):
    class Idle(layers.Layer):
        def build(self, shape):
            self.idle = self.add_weight(shape=(2, 2), name="idle")

        def call(self, inputs):
            return inputs

    model = sequential(layers.Flatten(), Idle(), layers.Dense(2))
    fit(model, plan, engine="tf-privacy")


def test_a_child_that_is_called_by_keyword(plan):
    class Wrapped(layers.Layer):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(2)

        def build(self, shape):
            self.dense.build(shape)

        def call(self, inputs):
            return self.dense(inputs=inputs)

    fit(sequential(layers.Flatten(), Wrapped()), plan)


def test_labels_in_a_column(plan):
    """`keras.datasets.cifar10` gives labels (examples, 1)."""
    model = sequential(layers.Flatten(), layers.Dense(2))
    fit(model, plan, labels=LABELS[:, None], metrics=["accuracy"])


def test_a_binary_model(plan):
    labels = (IMAGES.mean(axis=(1, 2, 3)) > 0).astype("int64")
    model = sequential(
        layers.Flatten(), layers.Dense(1, activation="sigmoid", kernel_initializer="ones")
    )
    private = fit(
        model,
        plan,
        loss="binary_crossentropy",
        labels=labels,
        metrics=["accuracy"],
        optimizer=keras.optimizers.SGD(1e-9),
    )
    # The sign of the mean is what the initial weights compute.
    assert private.evaluate(IMAGES, labels, verbose=0)[1] > 0.99


def test_a_custom_learning_rate_schedule(plan):
    class Constant(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step):
            return 0.1

        def get_config(self):
            return {}

    model = sequential(layers.Flatten(), layers.Dense(2))
    fit(model, plan, optimizer=keras.optimizers.SGD(Constant()))


def test_no_epochs_are_no_updates(plan):
    model = sequential(layers.Flatten(), layers.Dense(2))
    try:
        private = fit(model, plan, fitting={"epochs": 0})
    except InputError:
        return
    assert private.ledger.updates == 0
