"""The noise where it counts: in the change of a model's weights by updates on a zero gradient.

Weights start at zero, the loss has a gradient of exactly zero, and SGD has a learning rate of 1, so
that every change of a weight is minus the noise, divided by the expected batch: normal, of
deviation sigma * C / B.
"""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from tfdpzoo.dpsgd.execution import ExecutionSettings
from tfdpzoo.dpsgd.model import PrivateModel
from tfdpzoo.dpsgd.noise import GaussianNoise
from tfdpzoo.dpsgd.plan import PrivacyPlan
from tfdpzoo.dpsgd.secret_key import SecretKey

layers = keras.layers
EXAMPLES, BATCH, UPDATES, CLIP_NORM = 300, 20, 4, 0.7
FALSE_ALARM = 1e-6


class Weights(keras.callbacks.Callback):
    """Keeps the weights after every update."""

    def __init__(self, model: keras.Model) -> None:
        super().__init__()
        self.wrapped = model
        self.history = [self._now()]

    def on_train_batch_end(self, batch, logs=None):
        self.history.append(self._now())

    def _now(self) -> list[np.ndarray]:
        return [variable.numpy() for variable in self.wrapped.trainable_variables]

    def changes(self) -> list[list[np.ndarray]]:
        return [
            [new - old for new, old in zip(after, before, strict=True)]
            for before, after in zip(self.history, self.history[1:], strict=False)
        ]


def plan_of(batch_size: int = BATCH, updates: int = UPDATES) -> PrivacyPlan:
    return PrivacyPlan.from_noise_multiplier(
        noise_multiplier=1.3,
        delta=1e-4,
        examples=EXAMPLES,
        batch_size=batch_size,
        updates=updates,
        clip_norm=CLIP_NORM,
    )


def zero_loss(labels, predictions):
    return 0.0 * predictions[:, 0]


def steady_loss(labels, predictions):
    """Has a gradient at all weights, where a cross-entropy may have none that can be seen."""
    return predictions[:, 0]


def train(plan, *, seed=0, loss=zero_loss, width=200, chunk=8, sampling_seed=0, shape=(10, 10, 1)):
    model = keras.Sequential(
        [
            keras.Input(shape),
            layers.Conv2D(8, 3, kernel_initializer="zeros"),
            layers.GroupNormalization(8, gamma_initializer="zeros"),
            layers.Flatten(),
            layers.Dense(width, kernel_initializer="zeros"),
            layers.Dense(2, kernel_initializer="zeros"),
        ]
    )
    private = PrivateModel(
        model, plan, key=SecretKey.from_seed(seed), execution=ExecutionSettings(chunk=chunk)
    )
    private.compile(optimizer=keras.optimizers.SGD(1.0), loss=loss)
    images = np.random.default_rng(0).normal(size=(EXAMPLES, *shape)).astype("float32")
    batches = plan.batches(images, np.arange(EXAMPLES) % 2, key=SecretKey.from_seed(sampling_seed))
    weights = Weights(model)
    private.fit(batches, callbacks=[weights], verbose=0)
    return private, weights


@pytest.fixture(scope="module")
def plan() -> PrivacyPlan:
    return plan_of()


@pytest.fixture(scope="module")
def changes(plan) -> list[list[np.ndarray]]:
    """Four updates of 103,298 weights in eight variables, six chunks each."""
    return train(plan)[1].changes()


@pytest.fixture(scope="module")
def width(plan) -> float:
    return 1.3 * CLIP_NORM / BATCH


def test_deviation_is_sigma_times_norm_over_expected_batch(changes, width):
    """All 413,192 numbers; their standard deviation is known to 0.11 %; false alarm 1e-6."""
    numbers = np.concatenate([np.ravel(values) for update in changes for values in update])
    assert len(changes) == UPDATES and numbers.size > 400_000
    bound = stats.norm.isf(FALSE_ALARM / 2) / np.sqrt(2 * numbers.size)
    assert abs(numbers.std() / width - 1) < bound
    assert abs(numbers.mean() / width) < np.sqrt(2) * bound


def test_every_variable_and_every_update_is_normal(changes, width):
    """Kolmogorov-Smirnov for each alone and for all together; false alarm 1e-6 each."""
    for values in [values for update in changes for values in update]:
        assert stats.kstest(np.ravel(values) / width, "norm").pvalue > FALSE_ALARM
    for update in changes:
        numbers = np.concatenate([np.ravel(values) for values in update])
        assert stats.kstest(numbers / width, "norm").pvalue > FALSE_ALARM


def test_noise_wider_by_a_twentieth_would_be_found(changes, width):
    numbers = np.concatenate([np.ravel(values) for values in changes[0]])
    assert stats.kstest(1.05 * numbers / width, "norm").pvalue < FALSE_ALARM
    assert stats.kstest(numbers / 1.05 / width, "norm").pvalue < FALSE_ALARM


def test_no_noise_is_shared_between_variables_or_updates(changes):
    """Not as numbers (to the rounding of the differences), and not as a correlation."""
    values = [np.ravel(values) for update in changes for values in update if values.size >= 100]
    length = min(len(row) for row in values)
    correlations = np.corrcoef([row[:length] for row in values]) * np.sqrt(length)
    pairs = correlations[np.triu_indices(len(values), k=1)]
    assert np.abs(pairs).max() < stats.norm.isf(FALSE_ALARM / pairs.size / 2)
    same_variable = np.corrcoef([np.ravel(update[4]) for update in changes])
    size = changes[0][4].size
    bound = stats.norm.isf(FALSE_ALARM / 12) / np.sqrt(size)
    assert np.abs(same_variable[np.triu_indices(UPDATES, k=1)]).max() < bound


def test_noise_is_a_function_of_key_and_update(changes, plan):
    """The same key replays it, also in other chunks and with other samples; no other key does."""
    replayed = train(plan, chunk=64, sampling_seed=9)[1].changes()
    other = train(plan, seed=1)[1].changes()
    for update in range(UPDATES):
        for first, same, new in zip(changes[update], replayed[update], other[update], strict=True):
            np.testing.assert_array_equal(first, same)
            assert not np.any(np.ravel(first)[:3] == np.ravel(new)[:3])


def test_an_empty_sample_is_exactly_the_noise_and_counts():
    """Expected batch 1 of 300: some of 8 updates are empty, and their change is the draw alone."""
    plan = plan_of(batch_size=1, updates=8)
    private, weights = train(plan, loss=steady_loss, width=4, shape=(4, 4, 1))
    batches = plan.batches(
        np.zeros((EXAMPLES, 1, 1, 1)), np.zeros(EXAMPLES), key=SecretKey.from_seed(0)
    )
    sizes = [len(batches.sample(update)) for update in range(8)]
    assert 0 in sizes and max(sizes) > 0
    assert private.ledger.updates == 8
    shapes = [variable.shape for variable in private.model.trainable_variables]
    noise = GaussianNoise(SecretKey.from_seed(0), shapes, 1.3 * CLIP_NORM, plan.noise_reach)
    for update, size in enumerate(sizes):
        drawn = noise.draw(tf.constant(update, tf.int64))
        moved = [
            not np.allclose(change, -draw, atol=1e-5)
            for change, draw in zip(weights.changes()[update], drawn, strict=True)
        ]
        assert any(moved) == (size > 0)
