"""What further rounds of the audit found, each case now refused or mended."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from audited_training import CROSS_ENTROPY, IMAGES, LABELS, Function, audited_plan, fit, sequential
from reference_gradients import (
    clipped_sum,
    examples_of,
    gradients_one_at_a_time,
    relative_error,
)

from tfdpzoo.dpsgd.clipping import clip_and_sum
from tfdpzoo.dpsgd.gradients import Instantiated
from tfdpzoo.dpsgd.losses import per_example_loss
from tfdpzoo.dpsgd.model import PrivateModel
from tfdpzoo.dpsgd.per_example import differentiate, differentiate_one_by_one
from tfdpzoo.dpsgd.plan import PrivacyPlan
from tfdpzoo.dpsgd.validate import require_private_trainable
from tfdpzoo.errors import InputError
from tfdpzoo.zoo.smoothnet.architecture import smoothnet

layers = keras.layers


@pytest.fixture(scope="module")
def plan() -> PrivacyPlan:
    return audited_plan()


# Second round. Privacy: mixing that the probe does not stir.


def _centre(inputs, training):
    return inputs - tf.reduce_mean(inputs, axis=0)


def _centre_in_training(inputs, training):
    return inputs - tf.stop_gradient(tf.reduce_mean(inputs, axis=0)) if training else inputs


@pytest.mark.parametrize("mix", [_centre, _centre_in_training])
@pytest.mark.parametrize("normalization", ["group", "unit"])
def test_mixing_behind_a_layer_that_removes_the_scale_is_refused(mix, normalization):
    """A probe that scales an image does not move what comes out of a normalisation."""
    first = {
        "group": [
            layers.Conv2D(4, 3, use_bias=False, padding="same"),
            layers.GroupNormalization(2, epsilon=1e-5),
            layers.Flatten(),
        ],
        "unit": [layers.Flatten(), layers.UnitNormalization()],
    }[normalization]
    model = sequential(*first, Function(mix), layers.Dense(2), shape=(8, 8, 1))
    with pytest.raises(InputError, match="mixes examples"):
        require_private_trainable(model)


@pytest.mark.parametrize("shuffled", [True, False])
def test_mixing_beside_random_numbers_that_cannot_be_repeated_is_refused(shuffled):
    """Numbers of tf.random have no Keras seed; `tf.random.set_seed` makes them repeat, too."""

    def noisy(inputs, training):
        return inputs * tf.random.uniform(tf.shape(inputs)) if training else inputs

    def shuffle(inputs, training):
        return tf.random.shuffle(inputs) if training else inputs

    mixing = [shuffle] if shuffled else [noisy, _centre_in_training]
    model = sequential(layers.Flatten(), *map(Function, mixing), layers.Dense(2))
    with pytest.raises(InputError):
        require_private_trainable(model)


class Remembers(layers.Layer):
    """Stores a sum over the batch, in one of several ways."""

    def __init__(self, how):
        super().__init__()
        self.how = how
        self.sum = tf.Variable(tf.zeros(16), trainable=False)
        self.list = []

    def call(self, inputs):
        total = tf.reduce_sum(inputs, axis=0)
        if self.how == "tf.function":
            tf.function(lambda: self.sum.assign_add(total))()
        if self.how == "tf.cond":
            tf.cond(
                tf.reduce_sum(total) > -1e9,
                lambda: self.sum.assign_add(total),
                lambda: self.sum.read_value(),
            )
        if self.how == "scatter":
            self.sum.scatter_add(tf.IndexedSlices(total[:1], tf.constant([0])))
        if self.how == "python":
            tf.numpy_function(self.list.append, [total], [])
        return inputs


@pytest.mark.parametrize("how", ["tf.function", "tf.cond", "scatter", "python"])
def test_state_that_is_written_out_of_sight_is_refused(how):
    """Inside another graph, by a scatter, or in Python: not an `Assign` of the outermost graph."""
    with pytest.raises(InputError, match="state"):
        require_private_trainable(sequential(layers.Flatten(), Remembers(how), layers.Dense(2)))


def test_gradients_of_another_number_of_rows_are_never_summed():
    """The last line of defence: four rows for one example are four times C."""
    rows = [Instantiated(tf.ones((4, 3)))]
    try:
        found = clip_and_sum(rows, tf.ones(1), 1.0)
    except (ValueError, InputError, tf.errors.InvalidArgumentError):
        return
    assert tf.norm(found.gradients[0]) <= 1.0 + 1e-5


# Second round. Privacy: weights and decisions that the ledger knows nothing of.


def test_restored_weights_do_not_come_without_their_updates(plan, tmp_path):
    """`load_weights`, and so Keras' BackupAndRestore, bring trained weights to an empty ledger."""
    trained = fit(sequential(layers.Flatten(), layers.Dense(2)), plan)
    trained.save_weights(tmp_path / "trained.weights.h5")
    restored = PrivateModel(sequential(layers.Flatten(), layers.Dense(2)), plan)
    restored.compile(optimizer="sgd", loss=CROSS_ENTROPY)
    try:
        restored.load_weights(tmp_path / "trained.weights.h5")
        guarantee = restored.guarantee()
    except (InputError, NotImplementedError):
        return
    assert guarantee.epsilon > 6.9 or not guarantee.valid


@pytest.mark.parametrize(
    "callback",
    [
        lambda: keras.callbacks.EarlyStopping(monitor="loss"),
        lambda: keras.callbacks.ReduceLROnPlateau(monitor="accuracy"),
        lambda: keras.callbacks.TerminateOnNaN(),
    ],
    ids=["early stopping", "learning rate", "not a number"],
)
def test_callbacks_that_act_on_training_metrics_are_refused_or_noted(plan, callback):
    """They have no noise, and decide how many updates are made, or how large they are."""
    model = sequential(layers.Flatten(), layers.Dense(2))
    try:
        private = fit(model, plan, metrics=["accuracy"], fitting={"callbacks": [callback()]})
    except InputError:
        return
    assert len(private.guarantee().weaknesses) > 1  # One is the fixed seed of this test.


# Second round. Correctness and clear sentences.


def test_examples_do_not_share_a_dropout_mask_in_the_generic_way():
    model = sequential(layers.Flatten(), layers.Dropout(0.5), layers.Dense(2))
    loss, labels = per_example_loss(CROSS_ENTROPY), tf.constant(LABELS[:8])
    found = differentiate_one_by_one(model, loss, tf.ones((8, 4, 4, 1)), labels)
    assert len(np.unique(found.predictions[:, 0].numpy().round(5))) > 1


def test_precision_of_the_record_is_that_of_the_layers(plan):
    model = sequential(layers.Flatten(), layers.Dense(3, dtype="mixed_bfloat16"), layers.Dense(2))
    private = PrivateModel(model, plan)
    assert "bfloat16" in private.guarantee().mechanism.compute_precision


@pytest.mark.parametrize(
    "labels",
    [np.array(["a", "b"] * 100), np.where(LABELS == 1, np.nan, 0.0), np.full(200, 0.5)],
    ids=["words", "not a number", "halves"],
)
def test_labels_that_are_no_classes_are_a_clear_error(plan, labels):
    with pytest.raises(InputError, match="label"):
        fit(sequential(layers.Flatten(), layers.Dense(2)), plan, labels=labels)


def test_images_that_are_no_numbers_are_a_clear_error(plan):
    with pytest.raises(InputError, match="type"):
        fit(sequential(layers.Flatten(), layers.Dense(2)), plan, images=IMAGES.astype(object))


@pytest.mark.parametrize(
    "arguments",
    [
        {"width": float("nan")},
        {"width": float("inf")},
        {"width": "8"},
        {"depth": float("nan")},
        {"depth": "2"},
        {"classes": 2.5},
        {"classes": "3"},
        {"input_shape": (8.5, 8, 3)},
        {"input_shape": (None, 8, 3)},
        {"input_shape": 8},
        {"width": 0.125, "connections": "residual", "input_shape": (8, 8, 3)},
    ],
    ids=str,
)
def test_numbers_of_smoothnet_that_are_none_are_a_clear_error(arguments):
    """Or build: a residual network of fewer channels than the image has."""
    try:
        smoothnet(**{"width": 1, "depth": 1, **arguments})
    except InputError:
        return
    assert arguments.get("connections") == "residual"


def test_the_average_is_not_the_weights_themselves(plan):
    """A `keras.Variable` made of another's value shares it: the average never differs."""
    private = fit(sequential(layers.Flatten(), layers.Dense(2)), plan, averaging_decay=0.9)
    last = private.model.trainable_variables[0].numpy()
    with private.released_weights() as model:
        assert not np.allclose(model.trainable_variables[0].numpy(), last)


# Third round. Privacy.


class Reversed(layers.Layer):
    """Calls a layer on the batch in another order, and undoes that: it mixes nothing.

    As layers do that sort sequences by length.
    """

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(3, activation="tanh")

    def build(self, shape):
        self.dense.build(shape)

    def call(self, inputs):
        return self.dense(inputs[::-1])[::-1]


def test_rows_of_a_layer_in_another_order_are_not_taken_for_their_examples(plan):
    """Row i of the inner layer is another example: removing one moves the sum by 1.3 C."""
    private = fit(sequential(layers.Flatten(), Reversed(), layers.Dense(2)), plan)
    scales = np.array([1, 10, 0.1, 5, 2, 0.01], "float32")[:, None, None, None]
    images, labels = tf.constant(IMAGES[:6] * scales), tf.constant(LABELS[:6])
    found = private._engine(images, labels, tf.ones(6)).gradients
    each = gradients_one_at_a_time(private.model, images.numpy(), labels.numpy())
    assert relative_error(found, clipped_sum(each, plan.clip_norm)) < 1e-5


class RemembersElsewhere(layers.Layer):
    """Writes a part of a variable, or a table: resources that no `Assign` or `Scatter` writes."""

    def __init__(self, how):
        super().__init__()
        self.how = how
        self.sum = tf.Variable(tf.zeros(16), trainable=False)
        self.table = tf.lookup.experimental.MutableHashTable(tf.int64, tf.float32, 0.0)

    def call(self, inputs):
        total = tf.reduce_sum(inputs, axis=0)
        if self.how == "slice":
            self.sum[:4].assign(total[:4])
        else:
            self.table.insert(tf.constant([1], tf.int64), total[:1])
        return inputs


@pytest.mark.parametrize("how", ["slice", "table"])
def test_state_that_is_written_by_other_operations_is_refused(how):
    """Better than a list of what writes: what may read, of all operations that take a resource."""
    model = sequential(layers.Flatten(), RemembersElsewhere(how), layers.Dense(2))
    with pytest.raises(InputError, match="state"):
        require_private_trainable(model)


def test_updates_outside_of_fit_do_not_come_for_free(plan):
    """A loop of one's own over `train_step` changes the weights past the ledger."""
    private = PrivateModel(sequential(layers.Flatten(), layers.Dense(2)), plan)
    private.compile(optimizer="sgd", loss=CROSS_ENTROPY)
    batch = plan.batches(IMAGES, LABELS).batch(0)
    try:
        private.train_step(tuple(tf.constant(values) for values in batch))
        guarantee = private.guarantee()
    except InputError:
        return
    assert guarantee.epsilon > 0 or not guarantee.valid


# Third round. Correctness.


def test_children_without_weights_are_told_that_they_train():
    """In the generic way a layer is called again, and must hand `training` on to its children."""

    class Louder(layers.Layer):
        def call(self, inputs, training=None):
            return 3.0 * inputs if training else inputs

    class Unit(layers.Layer):
        def __init__(self):
            super().__init__()
            self.louder = Louder()

        def build(self, shape):
            self.gain = self.add_weight(shape=(shape[-1],))

        def call(self, inputs):
            return self.louder(inputs) * self.gain

    model = sequential(layers.Flatten(), Unit(), layers.Dense(2))
    loss = per_example_loss(CROSS_ENTROPY)
    found = differentiate(model, loss, tf.constant(IMAGES[:3]), tf.constant(LABELS[:3]))
    each = gradients_one_at_a_time(model, IMAGES[:3], LABELS[:3])
    assert relative_error(examples_of(found, 3), each) < 1e-5
