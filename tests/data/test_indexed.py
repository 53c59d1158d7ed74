import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfdpzoo.data.images import resize_images
from tfdpzoo.data.indexed import (
    DecodedImages,
    are_within,
    held_within,
    in_blocks,
    resized,
    taken,
)
from tfdpzoo.errors import InputError

PIXELS = np.random.default_rng(0).integers(0, 256, (37, 9, 12, 3), dtype=np.uint8)
IMAGES = DecodedImages(PIXELS.shape, lambda index: PIXELS[index])
NUMBERS = st.lists(st.integers(0, len(PIXELS) - 1), max_size=50).map(
    lambda numbers: np.array(numbers, np.intp)
)


@given(NUMBERS, st.integers(0, 5))
def test_they_stand_for_the_array_of_the_images(indices, padding):
    rows = len(indices) + padding
    found, expected = taken(IMAGES, indices, rows), taken(PIXELS, indices, rows)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(IMAGES.take(indices), PIXELS[indices])
    assert found.dtype == expected.dtype
    assert not found[len(indices) :].any()


def test_they_look_like_an_array():
    assert (IMAGES.shape, IMAGES.dtype, len(IMAGES), IMAGES.nbytes) == (
        PIXELS.shape,
        PIXELS.dtype,
        len(PIXELS),
        PIXELS.nbytes,
    )


@given(st.integers(1, 40))
def test_blocks_are_all_images_in_order_and_of_the_asked_size(rows):
    for images in (PIXELS, IMAGES):
        blocks = list(in_blocks(images, rows))
        np.testing.assert_array_equal(np.concatenate(blocks), PIXELS)
        assert {len(block) for block in blocks[:-1]} <= {rows}
        assert len(blocks[-1]) <= rows


@pytest.mark.parametrize("source", [PIXELS, IMAGES], ids=["array", "by index"])
def test_resizing_when_read_is_resizing_all_at_once(source):
    lazy, indices = resized(source, 8), np.array([36, 0, 5, 5])
    assert lazy.shape == (37, 8, 8, 3)
    np.testing.assert_array_equal(lazy.take(indices), resize_images(PIXELS, 8)[indices])
    np.testing.assert_array_equal(lazy.take(np.arange(37)), resize_images(PIXELS, 8))


def test_they_are_held_together_or_not_at_all():
    held = held_within(2 * PIXELS.nbytes, [IMAGES, IMAGES])
    assert all(isinstance(each, np.ndarray) for each in held)
    np.testing.assert_array_equal(held[1], PIXELS)
    assert held_within(2 * PIXELS.nbytes - 1, [IMAGES, IMAGES]) == [IMAGES, IMAGES]
    assert not isinstance(held_within(None, [IMAGES])[0], DecodedImages)


def test_a_single_image_must_fit():
    with pytest.raises(MemoryError):
        are_within(9 * 12 * 3 - 1, [PIXELS.shape])


def test_the_first_image_that_cannot_be_read_is_the_error():
    def decode(index):
        if index in (9, 30):
            raise InputError(f"image {index}")
        return PIXELS[index]

    images = DecodedImages(PIXELS.shape, decode)
    for _ in range(10):
        with pytest.raises(InputError, match="image 9"):
            images.take(np.arange(37))
    with pytest.raises(InputError, match="image 30"):
        images.take([36, 30, 9])


def test_images_are_decoded_side_by_side():
    # Two that wait for each other, in different tasks; one after the other would never end.
    barrier = threading.Barrier(2, timeout=30)

    def decode(index):
        if index in (0, 36):
            barrier.wait()
        return PIXELS[index]

    DecodedImages(PIXELS.shape, decode).take(np.arange(37))
