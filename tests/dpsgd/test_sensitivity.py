"""Neighbouring data sets: nobody moves the sum by more than C, whatever their image and label are.

This is the property that the guarantee rests on, tried as an auditor would: with examples that are
made to be as harmful as float32 allows.
"""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from reference_gradients import LOSS, norm

from tfdpzoo.dpsgd.engine import make_engine
from tfdpzoo.dpsgd.gradients import GramProducts
from tfdpzoo.dpsgd.losses import per_example_loss
from tfdpzoo.dpsgd.optimizer import make_private_optimizer
from tfdpzoo.dpsgd.per_example import differentiate
from tfdpzoo.dpsgd.rules.convolution_forms import PixelGram

layers = keras.layers
BATCH, CLASSES = 6, 3

# Differences of float32 sums of six clipped gradients are right to about 1e-6 C.
ROUNDING = 1e-5


def network() -> keras.Model:
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            layers.Conv2D(3, 3, activation="selu"),
            layers.MaxPooling2D(3, strides=1, padding="same"),
            layers.GroupNormalization(3),
            layers.DepthwiseConv2D(2),
            layers.PReLU(shared_axes=[1, 2]),
            layers.Flatten(),
            layers.Dense(CLASSES),
        ]
    )


def of_gram_norms() -> keras.Model:
    """Layers whose gradients are never formed: few positions, many channels."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            layers.Conv2D(4, 3, activation="selu"),
            layers.Conv2D(16, 3, strides=2, padding="same"),
            layers.Conv2D(64, 1, activation="tanh"),
            layers.Flatten(),
            layers.Dense(CLASSES),
        ]
    )
    found = differentiate(model, LOSS, tf.ones((2, 6, 6, 1)), tf.constant([0, 1])).gradients
    for form in (PixelGram, GramProducts):
        assert sum(isinstance(gradient, form) for gradient in found) == 1
    return model


def half_precise() -> keras.Model:
    """Computes in bfloat16, which has three digits; norms, clipping and sums may not."""
    keras.utils.set_random_seed(0)
    policy = "mixed_bfloat16"
    return keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            layers.Conv2D(3, 3, activation="selu", dtype=policy),
            layers.GroupNormalization(3, dtype=policy),
            layers.SeparableConv2D(2, 2, dtype=policy),
            layers.Flatten(dtype=policy),
            layers.Dense(CLASSES, dtype=policy),
        ]
    )


def linear() -> keras.Model:
    """Nothing between the pixels and the gradient: its size is the attacker's to choose."""
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((6, 6, 1)), layers.Flatten(), layers.Dense(CLASSES)])


def compile_sum(model, loss, clip_norm, labels_spec, engine_name="fast"):
    engine = make_engine(
        engine_name, model, loss, clip_norm, make_private_optimizer("sgd", clip_norm)
    )

    @tf.function(
        input_signature=[
            tf.TensorSpec((BATCH, 6, 6, 1)), labels_spec, tf.TensorSpec((BATCH,))
        ]
    )  # fmt: skip
    def compiled(images, labels, weights):
        return engine(images, labels, weights).gradients

    return lambda *arguments: [total.numpy() for total in compiled(*arguments)]


def hostile_image(random: np.random.Generator) -> np.ndarray:
    """From ordinary to absurd: scaled up to overflow and down to denormals, spikes, no numbers."""
    image = random.normal(size=(6, 6, 1))
    kind = random.integers(5)
    if kind == 0:
        return image
    if kind == 1:
        return image * 10.0 ** random.uniform(-44, 39)
    if kind == 2:
        return np.full((6, 6, 1), 10.0 ** random.uniform(-10, 39))
    pixel = tuple(random.integers(0, 6, 2))
    values = [np.nan, np.inf, -np.inf, 3e38, -3e38, 1e19, 1e20, 1e-40, 1e10]
    image[pixel] = values[random.integers(len(values))]
    return image if kind == 3 else np.broadcast_to(image[pixel], image.shape)


def neighbours(random: np.random.Generator, count: int):
    """Batches that differ in one example: there, not there, and with a hostile one in its place."""
    for _ in range(count):
        images = np.stack([hostile_image(random) for _ in range(BATCH)])
        place = int(random.integers(BATCH))
        other = images.copy()
        other[place] = hostile_image(random)
        with np.errstate(over="ignore"):
            yield images.astype("float32"), other.astype("float32"), place


def assert_bounded(compiled, clip_norm: float, labels_of, pairs) -> float:
    """Returns the largest move, in units of C."""
    largest = 0.0
    for images, other, place in pairs:
        labels, other_labels = labels_of(), labels_of()
        other_labels[np.arange(BATCH) != place] = labels[np.arange(BATCH) != place]
        weights = np.ones(BATCH, "float32")
        without = weights.copy()
        without[place] = 0.0
        present = compiled(images, labels, weights)
        absent = compiled(images, labels, without)
        replaced = compiled(other, other_labels, weights)
        assert all(np.isfinite(total).all() for total in (*present, *absent, *replaced))
        removed = norm([a - b for a, b in zip(present, absent, strict=True)])
        added = norm([a - b for a, b in zip(replaced, absent, strict=True)])
        assert removed <= clip_norm * (1 + ROUNDING) + ROUNDING * clip_norm * BATCH
        assert added <= clip_norm * (1 + ROUNDING) + ROUNDING * clip_norm * BATCH
        largest = max(largest, removed / clip_norm, added / clip_norm)
    return largest


@pytest.mark.parametrize("build", [network, linear, of_gram_norms])
@pytest.mark.parametrize("clip_norm", [1.0, 1e-3])
def test_classifier(build, clip_norm):
    """120 pairs for each: with replacements 240 neighbours."""
    random = np.random.default_rng(7)
    compiled = compile_sum(build(), LOSS, clip_norm, tf.TensorSpec((BATCH,), tf.int64))
    largest = assert_bounded(
        compiled, clip_norm, lambda: random.integers(0, CLASSES, BATCH), neighbours(random, 120)
    )
    # The bound is reached: the test would see a clipping that is too generous by a thousandth.
    assert largest > 0.999


def test_bfloat16():
    random = np.random.default_rng(7)
    compiled = compile_sum(half_precise(), LOSS, 1.0, tf.TensorSpec((BATCH,), tf.int64))
    largest = assert_bounded(
        compiled, 1.0, lambda: random.integers(0, CLASSES, BATCH), neighbours(random, 80)
    )
    assert largest > 0.999


def test_regression_with_hostile_targets():
    """Gradients of squares grow with the target, which is the example's too."""
    random = np.random.default_rng(7)
    loss = per_example_loss("mean_squared_error")
    compiled = compile_sum(linear(), loss, 1.0, tf.TensorSpec((BATCH, CLASSES)))

    def targets():
        return (random.normal(size=(BATCH, CLASSES)) * 10.0 ** random.uniform(-3, 30)).astype(
            "float32"
        )

    assert assert_bounded(compiled, 1.0, targets, neighbours(random, 120)) > 0.999


def test_engine_of_tf_privacy():
    random = np.random.default_rng(7)
    compiled = compile_sum(
        linear(), LOSS, 1.0, tf.TensorSpec((BATCH,), tf.int64), engine_name="tf-privacy"
    )
    largest = assert_bounded(
        compiled, 1.0, lambda: random.integers(0, CLASSES, BATCH), neighbours(random, 100)
    )
    assert largest > 0.999


def test_a_broken_example_leaves_the_others_bit_by_bit():
    """Not a number in one row may not even round the sum of the rest differently."""
    random = np.random.default_rng(3)
    compiled = compile_sum(network(), LOSS, 1.0, tf.TensorSpec((BATCH,), tf.int64))
    images = random.normal(size=(BATCH, 6, 6, 1)).astype("float32")
    labels = random.integers(0, CLASSES, BATCH)
    weights = np.ones(BATCH, "float32")
    for place, value in [(0, np.nan), (2, np.inf), (5, -np.inf), (3, np.nan)]:
        broken, absent = images.copy(), weights.copy()
        broken[place, 2, 2] = value
        absent[place] = 0.0
        for one, other in zip(
            compiled(broken, labels, weights), compiled(broken, labels, absent), strict=True
        ):
            np.testing.assert_array_equal(one, other)


def test_the_test_would_find_clipping_of_each_variable_alone():
    """The control: clipping layer by layer lets an example move the sum by more than C."""
    model = network()
    random = np.random.default_rng(7)

    def layer_by_layer(images, labels, weights):
        variables = [variable.value for variable in model.trainable_variables]
        sums = [np.zeros(variable.shape) for variable in variables]
        for row in range(BATCH):
            with tf.GradientTape() as tape:
                loss = LOSS(labels[row : row + 1], model(images[row : row + 1]))
            for total, gradient in zip(sums, tape.gradient(loss, variables), strict=True):
                length = np.linalg.norm(gradient)
                total += weights[row] * gradient.numpy() * min(1.0, 1.0 / length)
        return sums

    images = random.normal(size=(BATCH, 6, 6, 1)).astype("float32")
    pairs = [(images, images[::-1].copy(), 2)]
    with pytest.raises(AssertionError):
        assert_bounded(layer_by_layer, 1.0, lambda: random.integers(0, 3, BATCH), pairs)
