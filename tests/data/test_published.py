from __future__ import annotations

from pathlib import Path

import pytest

from tfdpzoo import data
from tfdpzoo.data.published import SIZES, published_size


def test_every_named_data_set_has_a_size() -> None:
    assert {*SIZES} == {*data.NAMES}


def test_the_size_of_the_digits_is_right() -> None:
    _compare(data.load("digits"))


@pytest.mark.parametrize("name", ["cifar10", "fashion_mnist", "mnist"])
def test_the_sizes_of_prepared_data_are_right(shared_data: Path, name: str) -> None:
    _compare(data.load(name, data_dir=shared_data / "tfds"))


def _compare(dataset: data.ImageDataset) -> None:
    size = published_size(dataset.name)
    assert size is not None
    assert size.input_shape == dataset.input_shape
    assert (size.examples, size.classes) == (dataset.examples, dataset.classes)


def test_an_image_size_replaces_the_published_one() -> None:
    size = published_size("mnist", image_size=14)

    assert size is not None
    assert size.input_shape == (14, 14, 1)


def test_images_that_differ_in_size_have_no_shape() -> None:
    size = published_size("imagenette")

    assert size is not None
    assert size.input_shape is None


def test_nothing_is_published_of_a_folder() -> None:
    assert published_size("my/photos") is None
