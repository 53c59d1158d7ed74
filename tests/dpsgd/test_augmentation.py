"""Views of examples: what they are, what they depend on, and that they are averaged."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_gradients import LOSS, clipped_sum, gradients_one_at_a_time, relative_error

from tfdpzoo.dpsgd.augmentation import Augmentation
from tfdpzoo.dpsgd.chunks import sum_over_chunks
from tfdpzoo.dpsgd.engine import make_engine
from tfdpzoo.dpsgd.execution import ENGINES
from tfdpzoo.dpsgd.model import PrivateModel
from tfdpzoo.dpsgd.optimizer import make_private_optimizer
from tfdpzoo.dpsgd.per_example import differentiate, differentiate_one_by_one
from tfdpzoo.dpsgd.plan import PrivacyPlan
from tfdpzoo.dpsgd.secret_key import SecretKey
from tfdpzoo.errors import InputError

KEY = SecretKey.from_seed(3)
layers = keras.layers


def by_hand(image: np.ndarray, draw: np.ndarray, shift: int) -> np.ndarray:
    """NumPy's own padding, cropping and mirroring."""
    down, right, mirrored = draw
    padded = np.pad(image, [(shift, shift), (shift, shift), (0, 0)], mode="reflect")
    view = padded[down : down + image.shape[0], right : right + image.shape[1]]
    return view[:, ::-1] if mirrored else view


@settings(max_examples=20, deadline=None)
@given(
    st.integers(1, 4), st.integers(0, 3), st.integers(4, 7), st.integers(4, 7), st.integers(1, 3)
)
def test_views_are_padded_cropped_and_mirrored(multiplicity, shift, height, width, channels):
    augmentation = Augmentation(multiplicity, shift, flip=True)
    images = np.random.default_rng(0).normal(size=(3, height, width, channels)).astype("float32")
    draws = augmentation.draw(KEY, 5, np.array([2, 0, 9]))
    assert draws.shape == (3, multiplicity, 3) and draws.dtype == np.int32
    expected = [
        by_hand(image, draw, shift)
        for image, own in zip(images, draws, strict=True)
        for draw in own
    ]
    np.testing.assert_array_equal(augmentation.views(images, draws), expected)


def test_an_example_has_the_same_views_whoever_else_is_sampled():
    augmentation = Augmentation(4, 4, flip=True)
    alone = augmentation.draw(KEY, 7, np.array([11]))
    among = augmentation.draw(KEY, 7, np.array([2, 11, 500]))
    np.testing.assert_array_equal(alone[0], among[1])
    assert not np.array_equal(among[0], among[1])
    assert not np.array_equal(alone, augmentation.draw(KEY, 8, np.array([11])))
    assert not np.array_equal(alone, augmentation.draw(SecretKey.from_seed(4), 7, np.array([11])))


def test_views_are_uniform():
    """Chi-squared against equal shares; a false alarm once in 1e6 runs of other seeds."""
    from scipy import stats

    draws = Augmentation(3, 2, flip=True).draw(KEY, 0, np.arange(4000)).reshape(-1, 3)
    for column, size in enumerate((5, 5, 2)):
        counts = np.bincount(draws[:, column], minlength=size)
        assert len(counts) == size and stats.chisquare(counts).pvalue > 1e-6
    pairs = np.bincount(draws[:, 0] * 10 + draws[:, 1] * 2 + draws[:, 2], minlength=50)
    assert stats.chisquare(pairs).pvalue > 1e-6


def test_without_changes_nothing_is_drawn_or_copied():
    augmentation = Augmentation()
    images = tf.ones((2, 3, 3, 1))
    draws = augmentation.draw(KEY, 0, np.arange(2))
    assert not draws.any() and draws.shape == (2, 1, 3)
    assert augmentation.views(images, draws) is images
    assert augmentation.per_view(images) is images


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"multiplicity": 4}, "all views of an example are equal"),
        ({"multiplicity": 0, "flip": True}, "augmentation.multiplicity must be at least 1"),
        ({"shift": -1}, "augmentation.shift must be at least 0"),
        ({"shift": 1.5}, "augmentation.shift must be a whole number"),
    ],
)
def test_numbers_without_a_meaning_are_refused(arguments, text):
    with pytest.raises(InputError, match=text):
        Augmentation(**arguments)


def test_a_shift_as_large_as_the_image_is_refused():
    augmentation = Augmentation(shift=3)
    with pytest.raises(InputError, match=r"shift is 3, but the images are 3 x 5 pixels"):
        augmentation.views(tf.ones((1, 3, 5, 1)), augmentation.draw(KEY, 0, np.arange(1)))


def network() -> keras.Model:
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            layers.Conv2D(4, 3, padding="same"),
            layers.GroupNormalization(2),
            layers.DepthwiseConv2D(3, activation="selu"),
            layers.LayerNormalization(),
            layers.PReLU(),
            layers.Dense(3),
            layers.Flatten(),
            layers.Dense(3),
        ]
    )


VIEWS = 3


def mean_gradients(model, images, labels) -> list[np.ndarray]:
    """The definition: the gradient of every view alone, then the mean over an example's views."""
    rows = gradients_one_at_a_time(model, images, labels)
    return [each.reshape(-1, VIEWS, *each.shape[1:]).mean(axis=1) for each in rows]


@pytest.fixture(scope="module")
def views_of_examples():
    random = np.random.default_rng(1)
    images = random.normal(size=(4 * VIEWS, 6, 6, 1)).astype("float32")
    return images, np.repeat([0, 2, 1, 1], VIEWS)


@pytest.mark.parametrize("way", [differentiate, differentiate_one_by_one])
def test_gradients_of_views_are_averaged(way, views_of_examples):
    model = network()
    found = way(model, LOSS, *map(tf.constant, views_of_examples), views=VIEWS)
    expected = mean_gradients(model, *views_of_examples)
    assert relative_error([each.instantiate() for each in found.gradients], expected) < 1e-5
    assert found.losses.shape == (4,) and found.predictions.shape == (4, 3)


@pytest.mark.parametrize("name", ENGINES)
def test_the_mean_is_clipped_and_not_the_views(name, views_of_examples):
    model = network()
    images, labels = views_of_examples
    engine = make_engine(name, model, LOSS, 0.5, make_private_optimizer("sgd", 0.5), VIEWS)
    weights = np.array([1.0, 0.0, 1.0, 1.0])
    found = engine(tf.constant(images), tf.constant(labels), tf.constant(weights, tf.float32))
    expected = clipped_sum(mean_gradients(model, images, labels), 0.5, weights)
    assert relative_error(found.gradients, expected) < 1e-5


def test_chunks_change_nothing():
    model, augmentation = network(), Augmentation(VIEWS, 2, flip=True)
    engine = make_engine("fast", model, LOSS, 0.5, make_private_optimizer("sgd", 0.5), VIEWS)
    images = np.random.default_rng(2).integers(0, 9, (5, 6, 6, 1)).astype("uint8")
    labels, draws = np.arange(5) % 3, augmentation.draw(KEY, 0, np.arange(5))
    rows = [tf.constant(images), tf.constant(labels), tf.ones(5)]
    sums = [
        sum_over_chunks(engine, *rows, chunk, augmentation, tf.constant(draws)) for chunk in (5, 2)
    ]
    assert relative_error(sums[0].gradients, sums[1].gradients) < 1e-5
    own = np.concatenate(
        [
            by_hand(image.astype("float32"), draw, 2)[None]
            for image, of_image in zip(images, draws, strict=True)
            for draw in of_image
        ]
    )
    expected = clipped_sum(mean_gradients(model, own, np.repeat(labels, VIEWS)), 0.5)
    assert relative_error(sums[0].gradients, expected) < 1e-5


def test_augmentation_costs_no_privacy_and_is_replayed():
    """The same key gives the same weights, and epsilon is that of training without views."""
    images = np.random.default_rng(0).integers(0, 256, (40, 6, 6, 1)).astype("uint8")
    labels = np.arange(40) % 3
    plan = PrivacyPlan.from_noise_multiplier(
        noise_multiplier=1.0, delta=1e-3, examples=40, batch_size=10, updates=3
    )

    def train(augmentation: Augmentation) -> tuple[list[np.ndarray], float]:
        private = PrivateModel(network(), plan, augmentation=augmentation, key=KEY)
        private.compile(
            optimizer=keras.optimizers.SGD(0.1),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        private.fit(plan.batches(images, labels, key=KEY), verbose=0)
        return private.model.get_weights(), private.guarantee().epsilon

    views = Augmentation(2, 2, flip=True)
    (first, epsilon), (again, _), (plain, epsilon_of_plain) = (
        train(views),
        train(views),
        train(Augmentation()),
    )
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert relative_error(first, plain) > 1e-4
    assert epsilon == epsilon_of_plain == plan.epsilon
