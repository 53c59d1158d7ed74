import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tfdpzoo.data.pixels import as_labels, as_pixels
from tfdpzoo.errors import InputError

SHAPES = st.one_of(
    st.tuples(st.integers(1, 3), st.integers(8, 10), st.integers(8, 10)),
    st.tuples(st.integers(1, 3), st.integers(8, 10), st.integers(8, 10), st.sampled_from([1, 3])),
)


@given(hnp.arrays(np.uint8, SHAPES), st.sampled_from([np.int32, np.uint16, np.int64]))
def test_integer_pixels_keep_their_values(images, dtype):
    pixels = as_pixels(images.astype(dtype), "images")
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 4
    np.testing.assert_array_equal(pixels.reshape(images.shape), images)


@given(hnp.arrays(np.float32, (2, 8, 8), elements=st.floats(2, 255, width=32)))
def test_float_pixels_are_rounded_to_the_nearest_integer(images):
    # Half a grey level is the rounding itself; every value up to 255 is exact in float32.
    assert np.abs(as_pixels(images, "images")[..., 0] - images).max() <= 0.5


def test_uint8_pixels_are_not_copied():
    images = np.zeros((2, 8, 8, 3), np.uint8)
    assert as_pixels(images, "images") is images


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((8, 8)), r"images has the shape \(8, 8\); images are expected as \[n, height"),
        (np.zeros((0, 8, 8)), "images holds no images"),
        (np.zeros((1, 7, 8)), "images of 7 x 8 pixels; the smallest size is 8 x 8"),
        (np.zeros((1, 8, 8, 4)), r"shape \(8, 8, 4\); the last axis must be 1 or 3 channels\."),
        (np.zeros((1, 3, 8, 8)), r"channels; move the channels last with np.moveaxis"),
        (np.zeros((1, 8, 8), bool), "must hold pixels from 0 to 255 .* not bool"),
        (np.zeros((1, 8, 8), complex), "not complex128"),
        (np.full((1, 8, 8), 256), "pixels from 256 to 256, pixels run from 0 to 255"),
        (np.full((1, 8, 8), -1.5), "pixels from -1.5 to -1.5, .* before any normalization"),
        (np.full((1, 8, 8), 0.5), "floats from 0.5 to 0.5, .* multiply them by 255"),
    ],
)
def test_unusable_images_are_refused(images, message):
    with pytest.raises(InputError, match=message):
        as_pixels(images, "images")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_not_finite_are_counted_and_located(value):
    images = np.full((5, 8, 8), 200.0)
    images[[2, 4], 3, 3] = value
    with pytest.raises(InputError, match="NaN or infinite pixels in 2 of 5 .* first is image 2"):
        as_pixels(images, "images")


@given(hnp.arrays(np.int64, st.integers(1, 5), elements=st.integers(0, 9)))
def test_labels_keep_their_values_with_and_without_a_second_axis(labels):
    np.testing.assert_array_equal(as_labels(labels, "labels"), labels)
    np.testing.assert_array_equal(as_labels(labels[:, np.newaxis].astype(np.uint8), "y"), labels)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.eye(3, dtype=int), r"labels has the shape \(3, 3\), .*argmax\(axis=1\)"),
        (np.zeros((2, 2, 2), int), r"labels has the shape \(2, 2, 2\), one integer an image"),
        (np.zeros(3), "labels must hold integers, .* not float64"),
        (["cat", "dog"], "labels must hold integers, .* not <U3"),
        ([0, -2, 1], "labels out of range: -2 at example 1; classes count from 0"),
    ],
)
def test_unusable_labels_are_refused(labels, message):
    with pytest.raises(InputError, match=message):
        as_labels(labels, "labels")
