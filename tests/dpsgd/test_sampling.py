"""Poisson sampling: the frequencies that the accounting assumes, and nothing cut or used twice.

All draws are of fixed keys, so a test gives the same verdict every time. Each statistical test
states with which probability a random key would have failed it although the sampling is right.
"""

from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tfdpzoo.dpsgd.plan import PrivacyPlan
from tfdpzoo.dpsgd.sampling import PoissonBatches
from tfdpzoo.dpsgd.secret_key import SecretKey
from tfdpzoo.errors import InputError

EXAMPLES, RATE_BATCH, UPDATES = 400, 80, 3_000
RATE = RATE_BATCH / EXAMPLES
KEY = SecretKey.from_seed(11)
FALSE_ALARM = 1e-6


@functools.cache
def plan_of(examples: int, batch_size: int, updates: int) -> PrivacyPlan:
    return PrivacyPlan.from_noise_multiplier(
        noise_multiplier=5.0,
        delta=0.1 / examples,
        examples=examples,
        batch_size=batch_size,
        updates=updates,
    )


def batches_of(
    examples=EXAMPLES, batch_size=RATE_BATCH, updates=UPDATES, key=KEY
) -> PoissonBatches:
    images = np.arange(examples, dtype=np.float32).reshape(examples, 1, 1, 1)
    return plan_of(examples, batch_size, updates).batches(images, np.arange(examples), key=key)


@pytest.fixture(scope="module")
def inclusion() -> np.ndarray:
    """Whether example i took part in update t, `(UPDATES, EXAMPLES)` of 0 and 1."""
    batches = batches_of()
    table = np.zeros((UPDATES, EXAMPLES), np.int64)
    for update in range(UPDATES):
        table[update, batches.sample(update)] = 1
    return table


def test_every_example_is_drawn_as_often_as_any_other(inclusion):
    """Chi-square over the examples' counts; false alarm 1e-6 on either side."""
    counts = inclusion.sum(axis=0)
    statistic = np.sum((counts - UPDATES * RATE) ** 2) / (UPDATES * RATE * (1 - RATE))
    low, high = stats.chi2(EXAMPLES).ppf([FALSE_ALARM, 1 - FALSE_ALARM])
    assert low < statistic < high


def test_sizes_of_samples_are_binomial(inclusion):
    """Mean and variance of the sizes (false alarm 1e-6 each), and their distribution (1e-6)."""
    sizes = inclusion.sum(axis=1)
    variance = EXAMPLES * RATE * (1 - RATE)
    deviation = (sizes.mean() - EXAMPLES * RATE) / np.sqrt(variance / UPDATES)
    assert abs(deviation) < stats.norm.isf(FALSE_ALARM / 2)
    # Wilson-Hilferty is not needed: 3,000 nearly normal sizes have a nearly chi-square variance.
    low, high = stats.chi2(UPDATES - 1).ppf([FALSE_ALARM / 2, 1 - FALSE_ALARM / 2])
    assert low < (UPDATES - 1) * sizes.var(ddof=1) / variance < high
    # Randomised within a size, so that the discrete distribution becomes the uniform one.
    binomial = stats.binom(EXAMPLES, RATE)
    spread = np.random.default_rng(0).random(UPDATES)
    uniform = binomial.cdf(sizes - 1) + spread * binomial.pmf(sizes)
    assert stats.kstest(uniform, "uniform").pvalue > FALSE_ALARM


def test_a_fixed_size_or_shuffled_sampler_would_be_found(inclusion):
    """The control: sampling without replacement has the same mean size and no variance."""
    sizes = np.full(UPDATES, RATE_BATCH)
    low = stats.chi2(UPDATES - 1).ppf(FALSE_ALARM / 2)
    assert (UPDATES - 1) * sizes.var(ddof=1) / (EXAMPLES * RATE * (1 - RATE)) < low
    # And a rate that is 2 % too high moves the mean by 12 standard errors.
    wrong = inclusion.sum(axis=1) * 1.02
    error = np.sqrt(EXAMPLES * RATE * (1 - RATE) / UPDATES)
    assert abs(wrong.mean() - EXAMPLES * RATE) / error > stats.norm.isf(FALSE_ALARM / 2)


def _largest_normal(comparisons: int) -> float:
    """What the largest of so many standard normal numbers exceeds with probability 1e-6."""
    return float(stats.norm.isf(FALSE_ALARM / comparisons / 2))


def test_examples_are_drawn_independently_of_each_other(inclusion):
    """All 79,800 pairs: correlations times sqrt(updates) are standard normal; false alarm 1e-6."""
    normal = (inclusion - RATE) / np.sqrt(RATE * (1 - RATE))
    correlations = normal.T @ normal / np.sqrt(UPDATES)
    pairs = correlations[np.triu_indices(EXAMPLES, k=1)]
    # The product of two skewed variables has heavier tails than the normal one: a tenth more.
    assert np.abs(pairs).max() < 1.1 * _largest_normal(pairs.size)
    assert pairs.std() == pytest.approx(1.0, abs=0.02)


def test_updates_are_drawn_independently_of_each_other(inclusion):
    """Each update against each of the first 300 (false alarm 1e-6), and against its successor."""
    normal = (inclusion - RATE) / np.sqrt(RATE * (1 - RATE))
    correlations = normal[:300] @ normal.T / np.sqrt(EXAMPLES)
    pairs = correlations[np.triu_indices(300, k=1, m=UPDATES)]
    assert np.abs(pairs).max() < 1.15 * _largest_normal(pairs.size)
    successors = np.sum(normal[1:] * normal[:-1]) / np.sqrt(EXAMPLES * (UPDATES - 1))
    assert abs(successors) < _largest_normal(1)


def test_no_two_updates_have_the_same_sample(inclusion):
    assert len({row.tobytes() for row in inclusion}) == UPDATES


def test_sample_is_a_pure_function_of_key_and_update():
    first, again = batches_of(), batches_of()
    for update in (7, 0, 2_999, 7):
        np.testing.assert_array_equal(first.sample(update), again.sample(update))


def test_sample_does_not_depend_on_images_or_labels():
    other = plan_of(EXAMPLES, RATE_BATCH, UPDATES).batches(
        np.random.default_rng(0).random((EXAMPLES, 2, 2, 3)), np.zeros(EXAMPLES), key=KEY
    )
    np.testing.assert_array_equal(other.sample(5), batches_of().sample(5))


def test_other_keys_draw_other_samples():
    others = [batches_of(key=SecretKey.from_seed(seed)).sample(0).tobytes() for seed in range(50)]
    assert len(set(others)) == len(others)
    # Without a key the operating system gives one: two batches of one plan differ.
    assert not np.array_equal(batches_of(key=None).sample(0), batches_of(key=None).sample(0))


def test_sampling_and_noise_do_not_share_a_stream():
    assert KEY.derive("sampling", 0) != KEY.derive("noise", 0)


@given(
    examples=st.integers(1, 60), share=st.floats(0.02, 1.0), multiple=st.integers(1, 9),
    update=st.integers(0, 3),
)  # fmt: skip
@settings(max_examples=60)
def test_batch_holds_the_whole_sample_and_padding_of_weight_zero(examples, share, multiple, update):
    batches = batches_of(examples, max(1, int(share * examples)), 4)
    indices = batches.sample(update)
    images, labels, weights = batches.batch(update, multiple)
    assert len(images) == len(labels) == len(weights)
    assert len(weights) % multiple == 0 and len(weights) >= multiple
    if len(indices) == 0:
        assert len(weights) == multiple
    assert len(weights) < max(len(indices), 1) + multiple
    size = len(indices)
    np.testing.assert_array_equal(weights, [1.0] * size + [0.0] * (len(weights) - size))
    np.testing.assert_array_equal(images[:size, 0, 0, 0], indices)
    np.testing.assert_array_equal(labels[:size], indices)
    assert not images[size:].any() and not labels[size:].any()
    assert weights.dtype == np.float32


@pytest.mark.parametrize("dtype", ["float32", "uint8", "float64"])
def test_tensorflow_needs_no_copy_of_a_batch(dtype):
    """It takes an array as it is where that begins at a multiple of 64 bytes."""
    images = np.ones((EXAMPLES, 3, 3, 1), dtype)
    plan = plan_of(EXAMPLES, RATE_BATCH, UPDATES)
    batches = plan.batches(images, np.arange(EXAMPLES), key=KEY)
    batch = batches.batch(0, 7)
    assert batch.images.ctypes.data % 64 == batch.labels.ctypes.data % 64 == 0


def test_everybody_takes_part_at_rate_one():
    batches = batches_of(20, 20, 3)
    for update in range(3):
        np.testing.assert_array_equal(batches.sample(update), np.arange(20))


def test_a_sample_far_above_the_expected_size_is_not_cut():
    """Among 3,000 updates the largest sample is three and a half deviations above 80."""
    batches = batches_of()
    largest = max(range(UPDATES), key=lambda update: len(batches.sample(update)))
    size = len(batches.sample(largest))
    assert size > RATE_BATCH + 3 * np.sqrt(EXAMPLES * RATE * (1 - RATE))
    assert int(batches.batch(largest, 64).weights.sum()) == size


def test_empty_samples_occur_and_are_one_chunk_of_padding():
    """Rate 1/50 of 50 examples: a sample is empty with probability 0.364."""
    batches = batches_of(50, 1, 200)
    empty = [update for update in range(200) if len(batches.sample(update)) == 0]
    low, high = stats.binom(200, (1 - 1 / 50) ** 50).ppf([FALSE_ALARM, 1 - FALSE_ALARM])
    assert low <= len(empty) <= high
    images, labels, weights = batches.batch(empty[0], 8)
    assert images.shape == (8, 1, 1, 1) and labels.shape == (8,)
    assert not weights.any() and not images.any()


def test_dataset_gives_the_remaining_updates_in_order():
    """A run that goes on continues at the next update: no sample is used twice, none beyond T."""
    batches = batches_of(30, 6, 7)
    for first in (0, 3, 7):
        found = [weights.numpy() for _, _, weights in batches.dataset(first, 4)]
        expected = [batches.batch(update, 4).weights for update in range(first, 7)]
        assert len(found) == len(expected) == 7 - first
        assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))
    assert len(batches) == 7


def test_dataset_keeps_types_and_shapes():
    images = np.random.default_rng(0).integers(0, 256, (30, 5, 4, 3)).astype(np.uint8)
    labels = np.eye(10, dtype=np.float64)[np.arange(30) % 10]
    batches = plan_of(30, 6, 2).batches(images, labels, key=KEY)
    ((found, _), one_hot, _), *_ = batches.dataset(0, 4)
    expected = batches.batch(0, 4)
    assert found.dtype == "uint8" and one_hot.dtype == "float64"
    np.testing.assert_array_equal(found, expected.images)
    np.testing.assert_array_equal(one_hot, expected.labels)


@pytest.mark.parametrize(
    ("images", "labels", "text"),
    [
        (np.zeros((9, 2, 2, 1)), np.zeros(9), "for 10 examples but there are 9 images"),
        (np.zeros((11, 2, 2, 1)), np.zeros(11), "for 10 examples but there are 11 images"),
        (np.zeros((10, 2, 2, 1)), np.zeros(9), "There are 10 images but 9 labels"),
        (np.zeros((10, 2, 2)), np.zeros(10), r"shape \(10, 2, 2\)"),
        (np.zeros((10, 4)), np.zeros(10), r"shape \(10, 4\)"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(images, labels, text):
    with pytest.raises(InputError, match=text):
        plan_of(10, 2, 1).batches(images, labels)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_not_numbers_are_refused(value):
    images = np.zeros((10, 2, 2, 1), np.float32)
    images[3, 1, 0, 0] = images[7, 0, 0, 0] = value
    with pytest.raises(InputError, match="Image 3 has NaN or infinite pixels"):
        plan_of(10, 2, 1).batches(images, np.zeros(10))
