"""Poisson samples of images that are read by index are those of the images in memory."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from image_sources import BYTES, TRAIN, WRITERS, examples

from tfdpzoo.data.indexed import DecodedImages
from tfdpzoo.data.streams import original_errors
from tfdpzoo.dpsgd.augmentation import Augmentation
from tfdpzoo.dpsgd.plan import PrivacyPlan
from tfdpzoo.dpsgd.sampling import PoissonBatches
from tfdpzoo.dpsgd.secret_key import SecretKey
from tfdpzoo.errors import InputError

UPDATES = 8
KEY = SecretKey.from_seed(3)
PIXELS, LABELS = examples(TRAIN)


@functools.cache
def plan_of(batch_size: int) -> PrivacyPlan:
    return PrivacyPlan.from_noise_multiplier(
        noise_multiplier=5.0,
        delta=1e-3,
        examples=TRAIN,
        batch_size=batch_size,
        updates=UPDATES,
    )


def batches_of(images, labels=LABELS, batch_size=6, key=KEY) -> PoissonBatches:
    return plan_of(batch_size).batches(images, labels, key)


def by_index(damaged=()) -> DecodedImages:
    def decode(index):
        if index in damaged:
            raise InputError(f"The image {index} cannot be read.")
        return PIXELS[index]

    return DecodedImages(PIXELS.shape, decode)


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_every_source_gives_the_same_batches_bit_for_bit(write, tmp_path):
    source = write(tmp_path)
    in_memory, read = source.load(BYTES), source.load(BYTES - 1)
    assert in_memory.in_memory and not read.in_memory
    expected = batches_of(in_memory.train_images, in_memory.train_labels)
    found = batches_of(read.train_images, read.train_labels)
    for update in range(UPDATES):
        np.testing.assert_array_equal(found.sample(update), expected.sample(update))
        for one, other in zip(found.batch(update, 4), expected.batch(update, 4), strict=True):
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)


@given(st.integers(0, 2**32), st.sampled_from([1, 6, TRAIN]), st.integers(1, 40))
def test_any_key_and_any_batch_give_the_same(seed, batch_size, multiple):
    key = SecretKey.from_seed(seed)
    for update in (0, UPDATES - 1):
        found = batches_of(by_index(), batch_size=batch_size, key=key).batch(update, multiple)
        expected = batches_of(PIXELS, batch_size=batch_size, key=key).batch(update, multiple)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("first", [0, 5])
def test_what_the_model_is_trained_with_is_the_same(first):
    augmentation = Augmentation(multiplicity=2, shift=2)
    found, expected = (
        list(batches_of(images).dataset(first, 4, augmentation).as_numpy_iterator())
        for images in (by_index(), PIXELS)
    )
    assert len(found) == len(expected) == UPDATES - first
    for (inputs, *rest), (other_inputs, *others) in zip(found, expected, strict=True):
        for one, other in zip((*inputs, *rest), (*other_inputs, *others), strict=True):
            np.testing.assert_array_equal(one, other)


def test_an_image_that_cannot_be_read_ends_the_stream_at_the_update_that_samples_it():
    samples = [batches_of(PIXELS).sample(update) for update in range(UPDATES)]
    damaged = next(index for index in samples[4] if not any(index in each for each in samples[:4]))
    seen = []
    with pytest.raises(InputError, match=f"The image {damaged} cannot be read"), original_errors():
        for _, labels, weights in batches_of(by_index({damaged})).dataset(0):
            seen.append(labels[: int(np.sum(weights))].numpy())
    assert len(seen) == 4
    for labels, sample in zip(seen, samples, strict=False):
        np.testing.assert_array_equal(labels, LABELS[sample])


def test_no_image_is_read_before_it_is_sampled():
    read = []

    def decode(index):
        read.append(index)
        return PIXELS[index]

    batches = batches_of(DecodedImages(PIXELS.shape, decode))
    assert read == []
    batches.batch(0)
    assert sorted(read) == batches.sample(0).tolist()


def test_images_that_do_not_fit_the_plan_are_refused():
    with pytest.raises(InputError, match=f"for {TRAIN} examples but there are 29 images"):
        batches_of(DecodedImages((29, 12, 12, 1), lambda index: PIXELS[index]), LABELS[:29])
    with pytest.raises(InputError, match=f"There are {TRAIN} images but 29 labels"):
        batches_of(by_index(), LABELS[:29])
