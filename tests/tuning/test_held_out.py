"""Which examples are held out, and that nothing but their position and the key decides it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tfdpzoo.data import ImageDataset
from tfdpzoo.data.dataset import Normalization
from tfdpzoo.data.indexed import DecodedImages, IndexedImages, taken
from tfdpzoo.dpsgd.secret_key import SecretKey
from tfdpzoo.errors import InputError
from tfdpzoo.tuning.held_out import held_out_examples, hold_out, require_share

KEY = SecretKey.from_seed(0)


def dataset_of(examples: int, seed: int = 0) -> ImageDataset:
    generator = np.random.default_rng(seed)
    return ImageDataset(
        name="noise",
        train_images=generator.integers(0, 256, (examples, 8, 8, 3), dtype=np.uint8),
        # Each label says which example it is, as far as it can.
        train_labels=np.arange(examples) % 10,
        test_images=generator.integers(0, 256, (3, 8, 8, 3), dtype=np.uint8),
        test_labels=np.arange(3),
        class_names=tuple("0123456789"),
        normalization=Normalization.centered(3),
    )


@given(st.integers(60, 300), st.floats(0.3, 0.7), st.integers(0, 100))
def test_the_parts_are_disjoint_and_complete(examples, share, seed):
    dataset, key = dataset_of(examples), SecretKey.from_seed(seed)
    scored = held_out_examples(dataset, share, key)

    parts = hold_out(dataset, share, key)

    np.testing.assert_array_equal(parts.train_images, dataset.train_images[~scored])
    np.testing.assert_array_equal(parts.train_labels, dataset.train_labels[~scored])
    np.testing.assert_array_equal(parts.test_images, dataset.train_images[scored])
    np.testing.assert_array_equal(parts.test_labels, dataset.train_labels[scored])
    assert parts.examples + len(parts.test_images) == examples


@given(st.integers(0, 200), st.integers(0, 100))
def test_an_example_is_assigned_by_its_position_and_the_key_alone(more, seed):
    key = SecretKey.from_seed(seed)
    first = held_out_examples(dataset_of(100), 0.5, key)

    np.testing.assert_array_equal(held_out_examples(dataset_of(100, seed=1), 0.5, key), first)
    longer = held_out_examples(dataset_of(100 + more, seed=2), 0.5, key)
    np.testing.assert_array_equal(longer[:100], first)
    relabelled = dataclasses.replace(dataset_of(100), train_labels=np.zeros(100, np.int64))
    np.testing.assert_array_equal(held_out_examples(relabelled, 0.5, key), first)


def test_another_key_gives_other_parts_and_a_larger_share_holds_out_more():
    dataset = dataset_of(100)
    some = held_out_examples(dataset, 0.2, KEY)

    assert (held_out_examples(dataset, 0.2, SecretKey.from_seed(1)) != some).any()
    assert not (some & ~held_out_examples(dataset, 0.5, KEY)).any()


@pytest.mark.parametrize("share", [0.05, 0.1, 0.5])
def test_the_share_is_about_right(share):
    examples = 20_000
    scored = int(held_out_examples(dataset_of(examples), share, KEY).sum())

    # Too far off for a fair coin once in a million keys; this key is fixed.
    assert stats.binomtest(scored, examples, share).pvalue > 1e-6
    assert stats.binomtest(scored, examples, 1.2 * share).pvalue < 1e-6


def test_images_that_are_read_by_index_stay_so_and_are_the_same():
    dataset = dataset_of(100)
    pixels = dataset.train_images
    lazy = DecodedImages(pixels.shape, lambda index: pixels[index])

    parts = hold_out(dataset, 0.3, KEY)
    by_index = hold_out(dataclasses.replace(dataset, train_images=lazy), 0.3, KEY)

    for name in ("train_images", "test_images"):
        expected, found = getattr(parts, name), getattr(by_index, name)
        assert isinstance(found, IndexedImages)
        assert found.shape == expected.shape
        np.testing.assert_array_equal(found.take(np.arange(len(found))), expected)
        some = np.array([5, 0, 5, len(found) - 1])
        np.testing.assert_array_equal(taken(found, some, 6), taken(expected, some, 6))


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, 1.5, float("nan"), float("inf")])
def test_shares_that_cannot_be_held_out_are_refused(share):
    for refuse in (
        lambda: require_share(share),
        lambda: hold_out(dataset_of(10), share, KEY),
    ):
        with pytest.raises(InputError, match=r"must be above 0 and below 1, not .*; 0\.1 is usual"):
            refuse()


@pytest.mark.parametrize("share", [1e-6, 1 - 1e-6])
def test_an_empty_part_is_refused(share):
    with pytest.raises(InputError, match=r"of the 10 training examples of noise leaves one of"):
        hold_out(dataset_of(10), share, KEY)
