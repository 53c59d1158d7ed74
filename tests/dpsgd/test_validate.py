"""Models and losses that mix examples are refused with their reason; all others are not."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdpzoo.dpsgd.gradients import Instantiated
from tfdpzoo.dpsgd.losses import per_example_loss
from tfdpzoo.dpsgd.per_example import Differentiated, differentiate
from tfdpzoo.dpsgd.validate import (
    covers,
    require_isolated_losses,
    require_private_trainable,
)
from tfdpzoo.errors import InputError
from tfdpzoo.zoo.smoothnet.architecture import smoothnet

layers = keras.layers


def sequential(*parts, shape=(8, 8, 1)) -> keras.Model:
    return keras.Sequential([keras.Input(shape), *parts, layers.Flatten(), layers.Dense(3)])


class Function(layers.Layer):
    def __init__(self, function, **kwargs):
        super().__init__(**kwargs)
        self.function = function

    def call(self, inputs, training=None):
        return self.function(inputs, training)

    def compute_output_shape(self, shape):
        return shape


class Weighted(layers.Layer):
    """A custom layer with weights, an activation and noise of its own; it mixes nothing."""

    def __init__(self):
        super().__init__()
        self.noise = layers.GaussianNoise(0.1)

    def build(self, shape):
        self.gain = self.add_weight(shape=(shape[-1],), initializer="ones")

    def call(self, inputs):
        return tf.nn.selu(self.noise(inputs) * self.gain)


ACCEPTED = {
    "dropout": lambda: [layers.Dropout(0.5)],
    "spatial dropout": lambda: [layers.SpatialDropout2D(0.5)],
    "alpha dropout": lambda: [layers.AlphaDropout(0.5)],
    "gaussian noise": lambda: [layers.GaussianNoise(1.0)],
    "augmentation": lambda: [layers.RandomFlip(), layers.RandomRotation(0.1)],
    "layer normalisation": lambda: [layers.LayerNormalization()],
    "group normalisation": lambda: [layers.Conv2D(4, 3), layers.GroupNormalization(2)],
    "unit normalisation": lambda: [layers.UnitNormalization()],
    "attention": lambda: [
        layers.Reshape((16, 4)),
        Function(lambda x, training: x),
        layers.Conv1D(4, 3),
    ],
    "pooling": lambda: [layers.MaxPooling2D(3, strides=1), layers.AveragePooling2D(2)],
    "nested": lambda: [keras.Sequential([layers.Conv2D(2, 3), layers.Dropout(0.5)])],
    "custom": lambda: [Weighted()],
    "frozen": lambda: [layers.Conv2D(2, 3, trainable=False)],
    "regularised": lambda: [layers.Conv2D(2, 3, kernel_regularizer="l2", bias_regularizer="l1")],
    "preprocessing": lambda: [
        layers.Rescaling(1 / 255),
        layers.Normalization(mean=0.5, variance=2),
    ],
    "constant state": lambda: [layers.Normalization(mean=[1.0], variance=[3.0])],
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_layers_that_keep_examples_apart_are_accepted(name):
    model = sequential(*ACCEPTED[name]())
    state = [variable.numpy() for variable in model.variables]
    require_private_trainable(model)
    generators = {
        id(generator.state)
        for layer in model._flatten_layers()
        for generator in getattr(layer, "_seed_generators", ())
    }
    for variable, before in zip(model.variables, state, strict=True):
        if id(variable) not in generators:
            np.testing.assert_array_equal(variable.numpy(), before)


def test_attention_is_accepted():
    inputs = keras.Input((8, 8, 1))
    tokens = layers.Reshape((16, 4))(inputs)
    attended = layers.MultiHeadAttention(2, 2, dropout=0.1)(tokens, tokens)
    model = keras.Model(inputs, layers.Dense(3)(layers.Flatten()(attended)))
    require_private_trainable(model)


def test_zoo_models_are_accepted():
    for connections in ("dense", "residual"):
        model = smoothnet(
            width=0.25, depth=1, input_shape=(8, 8, 1), classes=3, connections=connections
        )
        require_private_trainable(model)


def test_subclassed_model_is_accepted():
    class Network(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(3)

        def call(self, inputs):
            return self.dense(tf.reshape(inputs, (-1, 64)))

    model = Network()
    model(tf.zeros((1, 8, 8, 1)))
    require_private_trainable(model)


MIXING = {
    "mean over the batch": lambda x, training: x - tf.reduce_mean(x, axis=0),
    "mean over the batch, in training": lambda x, training: (
        x - tf.reduce_mean(x, axis=0) if training else x
    ),
    "constant mean over the batch, in training": lambda x, training: (
        x - tf.stop_gradient(tf.reduce_mean(x, axis=0)) if training else x
    ),
    "sorted over the batch": lambda x, training: tf.sort(x, axis=0),
    "softmax over the batch": lambda x, training: tf.nn.softmax(x, axis=0),
    "largest of the batch": lambda x, training: x / (1.0 + tf.reduce_max(tf.abs(x))),
    "the next example": lambda x, training: x + 0.01 * tf.roll(x, 1, axis=0),
    "earlier examples": lambda x, training: tf.cumsum(x, axis=0),
    "later examples": lambda x, training: tf.cumsum(x, axis=0, reverse=True),
}


@pytest.mark.parametrize("name", MIXING)
def test_custom_layers_that_mix_examples_are_refused(name):
    with pytest.raises(InputError, match="It mixes examples: changing one image of a batch"):
        require_private_trainable(sequential(Function(MIXING[name])))


def test_library_layers_that_mix_examples_are_refused():
    for layer in (layers.UnitNormalization(axis=0), layers.Softmax(axis=0)):
        with pytest.raises(InputError, match="mixes examples"):
            require_private_trainable(sequential(layer))


@pytest.mark.parametrize("trainable", [True, False])
def test_batch_normalization_is_refused_by_name(trainable):
    """Also a frozen one, which could be thawed after the check."""
    layer = layers.BatchNormalization(name="bn", trainable=trainable)
    with pytest.raises(InputError, match=r"layer bn \(BatchNormalization\) .* GroupNormalization"):
        require_private_trainable(sequential(layer))


def test_batch_normalization_is_found_inside_of_other_layers():
    class Block(layers.Layer):
        def __init__(self):
            super().__init__()
            self.parts = [layers.Conv2D(2, 3), layers.BatchNormalization(name="inner")]

        def call(self, inputs):
            for part in self.parts:
                inputs = part(inputs)
            return inputs

    nested = keras.Sequential([layers.Conv2D(2, 3), layers.BatchNormalization(name="inner")])
    wrapped = layers.TimeDistributed(layers.BatchNormalization(name="inner"))
    for layer in (Block(), nested, keras.Sequential([nested]), wrapped):
        with pytest.raises(InputError, match="layer inner"):
            require_private_trainable(sequential(layer))


def test_all_problems_are_in_one_report():
    model = sequential(
        layers.BatchNormalization(name="first"),
        layers.Dense(2, activity_regularizer="l2", name="second"),
        layers.BatchNormalization(name="third"),
    )
    with pytest.raises(InputError) as report:
        require_private_trainable(model)
    assert all(name in str(report.value) for name in ("first", "second", "third"))


def test_activity_regularizer_is_refused():
    layer = layers.Dense(2, activity_regularizer="l2", name="busy")
    with pytest.raises(InputError, match=r"layer busy adds a loss .* activity_regularizer"):
        require_private_trainable(sequential(layer))


@pytest.mark.parametrize("regularizer", [None, "l2"])
def test_added_loss_is_refused(regularizer):
    class Sparse(layers.Layer):
        def call(self, inputs):
            self.add_loss(tf.reduce_mean(inputs))
            return inputs

    model = sequential(Sparse(), layers.Dense(2, kernel_regularizer=regularizer))
    with pytest.raises(InputError, match="adds a loss in its call"):
        require_private_trainable(model)


@pytest.mark.parametrize("policy", ["mixed_float16", "float16"])
def test_float16_is_refused(policy):
    model = sequential(layers.Dense(2, dtype=policy))
    with pytest.raises(InputError, match="float16, whose loss scaling happens before clipping"):
        require_private_trainable(model)


@pytest.mark.parametrize("when", ["always", "in training"])
def test_running_statistics_are_refused(when):
    class RunningMean(layers.Layer):
        def build(self, shape):
            self.mean = self.add_weight(shape=shape[1:], trainable=False, initializer="zeros")

        def call(self, inputs, training=None):
            if training or when == "always":
                self.mean.assign(0.9 * self.mean + 0.1 * tf.reduce_mean(inputs, axis=0))
            return inputs

    with pytest.raises(InputError, match="changes"):
        require_private_trainable(sequential(RunningMean()))


def test_metrics_inside_of_a_model_are_refused():
    class Counted(layers.Layer):
        def __init__(self):
            super().__init__()
            self.brightness = keras.metrics.Mean()

        def call(self, inputs):
            self.brightness.update_state(inputs)
            return inputs

    with pytest.raises(InputError, match="changes"):
        require_private_trainable(sequential(Counted()))


def test_several_inputs_or_outputs_are_refused():
    first, second = keras.Input((8, 8, 1)), keras.Input((8, 8, 1))
    outputs = layers.Dense(3)(layers.Flatten()(layers.Add()([first, second])))
    with pytest.raises(InputError, match="must have one input and one output"):
        require_private_trainable(keras.Model([first, second], outputs))
    flat = layers.Flatten()(first)
    with pytest.raises(InputError, match="must have one input and one output"):
        require_private_trainable(
            keras.Model(first, [layers.Dense(3)(flat), layers.Dense(2)(flat)])
        )


def test_a_model_without_weights_yet_is_refused():
    with pytest.raises(InputError, match="no weights yet; call it once on a batch of images"):
        require_private_trainable(keras.Sequential([layers.Flatten(), layers.Dense(3)]))


def test_random_draws_are_as_if_the_check_had_not_been():
    """Seeds of layers are put back, so that a run does not depend on how often it was checked."""
    model = sequential(layers.Dropout(0.5, seed=1))
    images = tf.ones((4, 8, 8, 1))
    state = model.layers[0].seed_generator.state
    before = state.numpy()
    expected = model(images, training=True)
    state.assign(before)
    require_private_trainable(model)
    np.testing.assert_array_equal(model(images, training=True), expected)


EYE = np.eye(3, dtype="float32")
ISOLATED = {
    "sparse": (keras.losses.SparseCategoricalCrossentropy(from_logits=True), [0, 1, 2]),
    "by name": ("sparse_categorical_crossentropy", [0, 1, 2]),
    "one-hot": (keras.losses.CategoricalCrossentropy(label_smoothing=0.1), np.eye(3)),
    "focal": (keras.losses.CategoricalFocalCrossentropy(), np.eye(3)),
    "regression": ("mean_squared_error", np.arange(9.0).reshape(3, 3)),
    "hinge": (keras.losses.CategoricalHinge(), np.eye(3)),
    "own": (lambda labels, outputs: tf.reduce_sum(tf.square(labels - outputs), axis=1), EYE),
}


@pytest.mark.parametrize("name", ISOLATED)
def test_losses_of_each_example_are_accepted(name):
    loss, labels = ISOLATED[name]
    require_isolated_losses(per_example_loss(loss), 3, np.asarray(labels))


def _minus_mean(labels, outputs):
    losses = tf.reduce_mean(tf.square(labels - outputs), axis=1)
    return tf.square(losses - tf.reduce_mean(losses))


def _contrastive(labels, outputs):
    return tf.reduce_mean(tf.matmul(outputs, outputs, transpose_b=True), axis=1)


def _of_the_largest(labels, outputs):
    losses = tf.reduce_mean(tf.square(labels - outputs), axis=1)
    return losses / tf.reduce_max(losses)


def test_a_loss_of_the_whole_batch_is_refused():
    def loss(labels, outputs):
        return tf.reduce_mean(tf.square(labels - outputs))

    with pytest.raises(InputError, match="one number for the whole batch"):
        require_isolated_losses(per_example_loss(loss), 3, EYE)


@pytest.mark.parametrize("loss", [_minus_mean, _contrastive, _of_the_largest])
def test_losses_that_mix_examples_are_refused(loss):
    with pytest.raises(InputError, match="The loss mixes examples"):
        require_isolated_losses(per_example_loss(loss), 3, np.eye(3, dtype="float32"))


@pytest.mark.parametrize("depth", [3, 5])
@pytest.mark.parametrize("seed", [0, 1])
def test_rules_cover_networks_as_deep_as_those_of_the_paper(depth, seed):
    """Rounding makes max-pooling choose other pixels, which moves a gradient by up to a percent."""
    keras.utils.set_random_seed(seed)
    assert _covered(differentiate, smoothnet(width=8, depth=depth))


@pytest.mark.parametrize("seed", [2, 21])
def test_rules_cover_a_small_network_of_unlucky_weights(seed):
    """A pixel that rounding chooses otherwise is more of a small network's gradient."""
    keras.utils.set_random_seed(seed)
    assert _covered(differentiate, smoothnet(input_shape=(64, 64, 3), width=2, depth=1))


def _with_gradients_changed(change):
    def differentiate_wrongly(*args, **kwargs):
        found = differentiate(*args, **kwargs)
        values = [gradient.instantiate() for gradient in found.gradients]
        return Differentiated(
            [Instantiated(value) for value in change(values)], found.predictions, found.losses
        )

    return differentiate_wrongly


WRONG = {
    "rows of other examples": lambda values: [tf.roll(value, 1, axis=0) for value in values],
    "one variable missed": lambda values: [*values[:-1], tf.zeros_like(values[-1])],
    "a tenth missed": lambda values: [values[0] * 0.9, *values[1:]],
    "not a number": lambda values: [values[0] * float("nan"), *values[1:]],
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG.keys())
@pytest.mark.parametrize("depth", [1, 5])
def test_wrong_gradients_are_found(change, depth):
    keras.utils.set_random_seed(0)
    assert not _covered(_with_gradients_changed(change), smoothnet(width=8, depth=depth))


def _covered(way, model: keras.Model) -> bool:
    loss = per_example_loss(keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return covers(way, model, loss, np.arange(10))
