"""The private examples of a search, as `search` takes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfdpzoo.data import ImageDataset
from tfdpzoo.data.dataset import Normalization
from tfdpzoo.errors import InputError


def as_dataset(data: Sequence[Any]) -> ImageDataset:
    """Returns the examples as a data set.

    Args:
        data: An `ImageDataset`, or images and labels.

    Raises:
        InputError: It is something else.
    """
    if len(data) == 1 and isinstance(data[0], ImageDataset):
        return data[0]
    if len(data) != 2:
        raise InputError("search takes an ImageDataset, or images and their labels.")
    return _dataset_of(np.asarray(data[0]), np.asarray(data[1]))


def _dataset_of(images: np.ndarray, labels: np.ndarray) -> ImageDataset:
    """The examples as a data set, whose one test image is blank and is never looked at."""
    channels = images.shape[-1] if images.ndim == 4 else 1
    return ImageDataset(
        name="examples",
        train_images=images,
        train_labels=labels,
        test_images=np.zeros_like(images[:1]),
        test_labels=np.zeros_like(labels[:1]),
        class_names=tuple(map(str, range(int(labels.max()) + 1))),
        normalization=Normalization.centered(channels),
    )
