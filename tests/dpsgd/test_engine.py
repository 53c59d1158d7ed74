"""The two engines give the same clipped sum: the fast one is checked against TF-Privacy itself."""

from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from random_models import STACKABLE, batch, build
from reference_gradients import (
    LOSS,
    clipped_sum,
    gradients_one_at_a_time,
    norm,
    relative_error,
)

from tfdpzoo.dpsgd.engine import ENGINES, FastEngine, TFPrivacyEngine, make_engine
from tfdpzoo.dpsgd.optimizer import make_private_optimizer
from tfdpzoo.dpsgd.validate import clips_single_examples
from tfdpzoo.errors import InputError
from tfdpzoo.zoo.smoothnet.architecture import CONNECTIONS, smoothnet

layers = keras.layers
CLASSES, CLIP_NORM = 3, 0.5
POOLINGS = ("max", "average", "none")
NORMALIZATIONS = ("group", "layer", "instance", "none")
ACTIVATIONS = ("selu", "relu", "leaky_relu", "tanh", "mish")


def engine(name: str, model: keras.Model, clip_norm: float = CLIP_NORM):
    return make_engine(name, model, LOSS, clip_norm, make_private_optimizer("sgd", clip_norm))


def examples(count: int = 3, side: int = 8, seed: int = 0) -> tuple[tf.Tensor, tf.Tensor]:
    random = np.random.default_rng(seed)
    images = random.normal(size=(count, side, side, 1)).astype("float32")
    return tf.constant(images), tf.constant(random.integers(0, CLASSES, count))


def small_smoothnet(connections, separable, normalization, pooling, activation) -> keras.Model:
    """Channels 4 and 8: groups of one channel and groups of several, with every kind of layer."""
    keras.utils.set_random_seed(1)
    model = smoothnet(
        width=0.5,
        depth=1,
        input_shape=(12, 12, 1),
        classes=CLASSES,
        connections=connections,
        separable=separable,
        normalization=normalization,
        pooling=pooling,
        activation=activation,
    )
    random = np.random.default_rng(1)
    for variable in model.trainable_variables:  # Scales and shifts are not all 1 and 0.
        variable.assign(variable.numpy() + 0.1 * random.normal(size=variable.shape))
    return model


def gradients_in_float64(kind, model, images, labels) -> list[np.ndarray]:
    keras.config.set_dtype_policy("float64")
    try:
        exact = small_smoothnet(*kind)
    finally:
        keras.config.set_dtype_policy("float32")
    for variable, value in zip(exact.trainable_variables, model.trainable_variables, strict=True):
        variable.assign(value.numpy().astype("float64"))

    def loss(labels, logits):
        return keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)

    return gradients_one_at_a_time(
        exact, images.numpy().astype("float64"), labels.numpy(), loss=loss
    )


def every_kind_of_smoothnet() -> list[tuple]:
    """Connections x separable x normalisation in full, poolings and activations in turn."""
    kinds = itertools.product(CONNECTIONS, (False, True), NORMALIZATIONS)
    return [
        (*kind, POOLINGS[index % 3], ACTIVATIONS[index % 5]) for index, kind in enumerate(kinds)
    ]


# Nearly constant features are normalised here: float32 gradients differ from those of float64 by
# 5e-6 to 1.4e-5, whoever computes them.
ILL_CONDITIONED = ("residual", True, "group", "max", "leaky_relu")


def assert_engines_agree(model: keras.Model, tolerance: float = 1e-5) -> None:
    """Relative to the sum's norm."""
    images, labels = examples(side=model.input_shape[1])
    fast, theirs = (engine(name, model)(images, labels, tf.ones(3)) for name in ENGINES)
    assert relative_error(fast.gradients, theirs.gradients) < tolerance
    np.testing.assert_allclose(fast.losses, theirs.losses, atol=1e-5)
    np.testing.assert_allclose(fast.predictions, theirs.predictions, atol=1e-5)
    assert int(fast.discarded) == int(theirs.discarded) == 0


def kinds_with_most_marked_slow() -> list:
    """Eight kinds that have every choice among them, and the others for `make test-slow`."""
    always = {0, 3, 5, 10, 15, 18, 20, 23}
    return [
        pytest.param(
            *kind, id="-".join(map(str, kind)), marks=() if index in always else pytest.mark.slow
        )
        for index, kind in enumerate(every_kind_of_smoothnet())
    ]


@pytest.mark.parametrize(
    ("connections", "separable", "normalization", "pooling", "activation"),
    kinds_with_most_marked_slow(),
)
def test_fast_engine_on_every_kind_of_smoothnet(
    connections, separable, normalization, pooling, activation
):
    """Against one example at a time, and clipping from its definition."""
    kind = (connections, separable, normalization, pooling, activation)
    model = small_smoothnet(*kind)
    images, labels = examples(side=12)
    found = engine("fast", model)(images, labels, tf.ones(3))
    one_by_one = gradients_one_at_a_time(model, images.numpy(), labels.numpy())
    expected = clipped_sum(one_by_one, CLIP_NORM)
    if relative_error(found.gradients, expected) < 1e-5:
        return
    # Nearly constant features are normalised: float32 itself is not that exact, float64 decides.
    exact = clipped_sum(gradients_in_float64(kind, model, images, labels), CLIP_NORM)
    error = relative_error(expected, exact)
    assert error > 1e-6
    assert relative_error(found.gradients, exact) < 5 * error


def test_engines_agree_on_the_paper_s_smoothnet():
    assert_engines_agree(small_smoothnet("dense", False, "group", "max", "selu"))


# TensorFlow's vectorised Jacobian, which TF-Privacy takes, is wrong for grouped convolutions on a
# CPU; our rule is checked against one example at a time (`test_per_example.py`).
COMPARABLE = [part for part in STACKABLE if part != "convolution, groups"]


def agree_on_random_models(parts: list[str], head: str, seed: int) -> None:
    model = build(parts, head=head, seed=seed)
    images, labels = batch(seed)
    sums = [
        engine(name, model)(tf.constant(images), tf.constant(labels), tf.ones(3)).gradients
        for name in ENGINES
    ]
    # Behind a normalisation of nearly constant features, rounding is made up to 30 times larger.
    assert relative_error(*sums) < 1e-4


@settings(max_examples=8, deadline=None)
@given(
    st.lists(st.sampled_from(COMPARABLE), min_size=1, max_size=2),
    st.sampled_from(["flatten", "mean"]),
    st.integers(0, 1_000),
)
def test_engines_agree_on_random_models(parts, head, seed):
    """Against TF-Privacy's own gradients: kinds of layers, strides, layers used twice."""
    agree_on_random_models(parts, head, seed)


@pytest.mark.slow  # A larger draw of the same.
@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from(COMPARABLE), min_size=1, max_size=3),
    st.sampled_from(["flatten", "mean"]),
    st.integers(0, 1_000),
)
def test_engines_agree_on_many_random_models(parts, head, seed):
    agree_on_random_models(parts, head, seed)


@pytest.mark.slow  # TF-Privacy's Jacobian takes seconds to trace for each.
@pytest.mark.parametrize(
    "kind", every_kind_of_smoothnet(), ids=lambda kind: "-".join(map(str, kind))
)
def test_engines_agree_on_every_kind_of_smoothnet(kind):
    assert_engines_agree(small_smoothnet(*kind), 5e-5 if kind == ILL_CONDITIONED else 1e-5)


@pytest.mark.slow  # Networks of the paper's size, also in float64.
@pytest.mark.parametrize("depth", [1, 5])
def test_networks_of_the_paper_against_float64(depth):
    """W80D10 and W80D50 at 32 x 32: to 1e-5, or to what TensorFlow's own float32 gradient is.

    At D50 rounding makes max-pooling choose other pixels, so that an ordinary gradient is off by
    1e-5 to 5e-3, depending on the images and on how many are computed at once.
    """

    def build() -> keras.Model:
        keras.utils.set_random_seed(1)
        return smoothnet(width=8, depth=depth, input_shape=(32, 32, 3), classes=CLASSES)

    model = build()
    keras.config.set_dtype_policy("float64")
    try:
        exact = build()
    finally:
        keras.config.set_dtype_policy("float32")
    for variable, value in zip(exact.trainable_variables, model.trainable_variables, strict=True):
        variable.assign(value.numpy().astype("float64"))
    random = np.random.default_rng(0)
    images = random.uniform(0, 2, (2, 32, 32, 3)).astype("float32")
    labels = np.array([0, 2])

    def loss(labels, logits):
        return keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)

    expected = gradients_one_at_a_time(exact, images.astype("float64"), labels, loss=loss)
    expected = clipped_sum(expected, CLIP_NORM)
    plain = clipped_sum(gradients_one_at_a_time(model, images, labels), CLIP_NORM)
    found = engine("fast", model)(tf.constant(images), tf.constant(labels), tf.ones(2)).gradients
    assert relative_error(found, expected) < max(1e-5, 2 * relative_error(plain, expected))


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(2, 3, activation="selu"),
            layers.GroupNormalization(2),
            layers.Flatten(),
            layers.Dense(CLASSES),
        ]
    )


@pytest.fixture(scope="module", params=ENGINES)
def compiled(request, model):
    """One trace for many batches of five."""
    return tf.function(
        engine(request.param, model).__call__,
        input_signature=[
            tf.TensorSpec((5, 8, 8, 1)),
            tf.TensorSpec((5,), tf.int64),
            tf.TensorSpec((5,)),
        ],
    )


def expected_sum(model, images, labels, keep, clip_norm=CLIP_NORM) -> list[np.ndarray]:
    gradients = gradients_one_at_a_time(model, images.numpy()[keep], labels.numpy()[keep])
    return clipped_sum(gradients, clip_norm)


def test_sum_is_the_definition(compiled, model):
    images, labels = examples(5)
    found = compiled(images, labels, tf.ones(5))
    assert relative_error(found.gradients, expected_sum(model, images, labels, range(5))) < 1e-5
    # Each of the five is above the norm, so that clipping is at work.
    each = gradients_one_at_a_time(model, images.numpy(), labels.numpy())
    assert min(norm([g[i] for g in each]) for i in range(5)) > CLIP_NORM


@pytest.mark.parametrize("padding", [0.0, 5.0, np.nan, np.inf, 1e30])
def test_weight_zero_is_exactly_nothing(compiled, model, padding):
    images, labels = examples(5)
    padded = tf.tensor_scatter_nd_update(images, [[1], [4]], tf.fill((2, 8, 8, 1), padding))
    found = compiled(padded, labels, tf.constant([1.0, 0.0, 1.0, 1.0, 0.0]))
    expected = expected_sum(model, images, labels, [0, 2, 3])
    assert relative_error(found.gradients, expected) < 1e-5
    assert int(found.discarded) == 0


@pytest.mark.parametrize("padding", [0.0, np.nan])
def test_nothing_but_padding_is_exactly_zero(compiled, padding):
    labels = tf.zeros(5, tf.int64)
    found = compiled(tf.fill((5, 8, 8, 1), padding), labels, tf.zeros(5))
    assert all(not total.numpy().any() for total in found.gradients)
    assert int(found.discarded) == 0


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_broken_example_is_exactly_nothing_and_counted(compiled, model, broken):
    """One pixel is enough."""
    images, labels = examples(5)
    damaged = tf.tensor_scatter_nd_update(images, [[2, 3, 3, 0]], [broken])
    found = compiled(damaged, labels, tf.ones(5))
    expected = expected_sum(model, images, labels, [0, 1, 3, 4])
    assert relative_error(found.gradients, expected) < 1e-5
    assert int(found.discarded) == 1


def test_order_does_not_matter(compiled):
    images, labels = examples(5)
    order = tf.constant([3, 0, 4, 2, 1])
    before = compiled(images, labels, tf.ones(5))
    after = compiled(tf.gather(images, order), tf.gather(labels, order), tf.ones(5))
    assert relative_error(after.gradients, before.gradients) < 1e-5


@pytest.mark.parametrize("name", ENGINES)
def test_without_clipping_it_is_the_ordinary_gradient(model, name):
    images, labels = examples(5)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(LOSS(labels, model(images)))
    expected = tape.gradient(total, [variable.value for variable in model.trainable_variables])
    found = engine(name, model, clip_norm=1e6)(images, labels, tf.ones(5))
    assert relative_error(found.gradients, expected) < 1e-5


def test_frozen_and_unused_variables():
    """The sums are of the trainable variables, in their order; without use they are zeros."""

    class Idle(layers.Layer):
        def build(self, shape):
            self.idle = self.add_weight(shape=(2, 2), name="idle")
            self.gain = self.add_weight(shape=(), initializer="ones", name="gain")

        def call(self, inputs):
            return inputs * self.gain

    model = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(4, trainable=False), Idle(),
         layers.Dense(CLASSES)]
    )  # fmt: skip
    images, labels = examples(3)
    found = engine("fast", model)(images, labels, tf.ones(3))
    assert [total.shape for total in found.gradients] == [(2, 2), (), (4, CLASSES), (CLASSES,)]
    assert not found.gradients[0].numpy().any()
    expected = expected_sum(model, images, labels, range(3))
    assert relative_error(found.gradients, expected) < 1e-5


def test_bfloat16_layers_give_float32_sums():
    """Near those of float32: bfloat16 has 8 bits, of which a few layers cost another three."""

    def build(policy: str) -> keras.Model:
        keras.utils.set_random_seed(0)
        return keras.Sequential(
            [
                keras.Input((8, 8, 1)),
                layers.Conv2D(4, 3, activation="selu", dtype=policy),
                layers.GroupNormalization(2, dtype=policy),
                layers.PReLU(dtype=policy),
                layers.Flatten(dtype=policy),
                layers.Dense(CLASSES, dtype=policy),
            ]
        )

    images, labels = examples(5)
    found, expected = (
        engine("fast", build(policy))(images, labels, tf.ones(5)).gradients
        for policy in ("mixed_bfloat16", "float32")
    )
    assert {total.dtype for total in found} == {tf.float32}
    assert 0 < relative_error(found, expected) < 0.05


def test_engines_by_name(model):
    assert isinstance(engine("fast", model), FastEngine)
    assert isinstance(engine("tf-privacy", model), TFPrivacyEngine)
    with pytest.raises(InputError, match="no engine named 'tfprivacy'; did you mean 'tf-privacy'"):
        engine("tfprivacy", model)


def test_wrong_gradients_of_tf_privacy_are_found():
    """A grouped convolution: the reference engine is refused for it, the fast one is right."""
    model = build(["convolution, groups"])
    labels = batch()[1]
    assert clips_single_examples(engine("fast", model), CLIP_NORM, labels)
    assert not clips_single_examples(engine("tf-privacy", model), CLIP_NORM, labels)
    plain = build(["convolution"])
    assert clips_single_examples(engine("tf-privacy", plain), CLIP_NORM, labels)
