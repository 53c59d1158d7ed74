import dataclasses

import numpy as np
import pytest

from tfdpzoo.data import ImageDataset, Normalization
from tfdpzoo.errors import InputError


def build(**changes):
    fields = {
        "name": "shapes",
        "train_images": np.zeros((4, 8, 10, 3), np.uint8),
        "train_labels": np.array([0, 1, 2, 0]),
        "test_images": np.zeros((2, 8, 10, 3), np.uint8),
        "test_labels": np.array([[2], [1]], np.uint8),
        "class_names": ("a", "b", "c"),
        "normalization": Normalization.centered(3),
    }
    return ImageDataset(**(fields | changes))


def test_properties_and_types():
    dataset = build()
    assert dataset.input_shape == (8, 10, 3)
    assert dataset.classes == 3
    assert dataset.examples == 4
    assert dataset.test_labels.dtype == np.int64
    assert dataset.test_labels.shape == (2,)


def test_images_without_a_channel_axis_get_one():
    dataset = build(
        train_images=np.zeros((4, 8, 8), np.uint8),
        test_images=np.zeros((2, 8, 8), np.uint8),
        normalization=Normalization.centered(1),
    )
    assert dataset.input_shape == (8, 8, 1)


def test_a_dataset_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        build().name = "other"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"class_names": ("a",)}, "'shapes' needs at least 2 classes, it has 1"),
        ({"class_names": ("a", "b")}, "shapes: train_labels .* out of range: 2 at example 2, with"),
        ({"test_labels": [0, 3]}, "shapes: test_labels .* out of range: 3 at example 1, with 3"),
        ({"train_labels": [0, 1]}, "train_images holds 4 images and train_labels 2 labels"),
        ({"train_images": np.zeros((0, 8, 10, 3), np.uint8)}, "shapes: train_images holds no"),
        ({"test_images": np.zeros((0, 8, 10, 3), np.uint8)}, "shapes: test_images holds no images"),
        (
            {"test_images": np.zeros((2, 10, 8, 3), np.uint8)},
            r"training images of 'shapes' have the shape \(8, 10, 3\) and its test images \(10, 8,",
        ),
        ({"test_images": np.full((2, 8, 10, 3), np.nan)}, "test_images has NaN or infinite pixels"),
        ({"normalization": Normalization.centered(1)}, "have 3 channels and its normalization 1"),
    ],
)
def test_parts_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        build(**changes)


def test_published_constants_are_brought_to_pixel_units():
    normalization = Normalization.from_unit_range((0.1307,), (0.3081,), "an example")
    assert normalization.mean == pytest.approx((33.3285,))
    assert normalization.std == pytest.approx((78.5655,))
    assert normalization.source == "an example, times 255"


@pytest.mark.parametrize(
    ("mean", "std", "message"),
    [
        ((), (), "one mean and one std a channel, not 0 means and 0 stds"),
        ((1.0,), (1.0, 2.0), "not 1 means and 2 stds"),
        ((1.0,), (0.0,), r"stds above 0, not mean \(1.0,\) and std \(0.0,\)"),
        ((float("nan"),), (1.0,), "finite means"),
        ((1.0,), (float("inf"),), "finite means"),
    ],
)
def test_impossible_normalizations_are_refused(mean, std, message):
    with pytest.raises(InputError, match=message):
        Normalization(mean, std, "test")
