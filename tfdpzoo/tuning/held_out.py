"""A part of the training examples on which trials are scored instead of trained."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tfdpzoo.data.dataset import ImageDataset
from tfdpzoo.data.indexed import Images, IndexedImages
from tfdpzoo.dpsgd.secret_key import SecretKey
from tfdpzoo.errors import InputError
from tfdpzoo.tuning.held_out_share import require_share


@dataclass(frozen=True, eq=False)
class SelectedImages(IndexedImages):
    """Some of other images that are read by index.

    Args:
        shape: Number, height, width and channels.
        images: The others.
        selected: The numbers of those that are meant.
    """

    images: IndexedImages
    selected: npt.NDArray[np.intp]

    def read(self, indices: npt.NDArray[np.intp], out: npt.NDArray[np.uint8]) -> None:
        """Reads some images into an array."""
        self.images.read(self.selected[indices], out)


def hold_out(dataset: ImageDataset, share: float, key: SecretKey) -> ImageDataset:
    """Splits the training examples at random into those to train on and those to score on.

    Formal guarantee:
        Each example is assigned by a draw of its own that depends on its position alone, and not
        on its content nor on other examples. So whatever holds for each of the two parts, with the
        other one fixed, holds for the whole.

    Args:
        dataset: Its test images are left out of the result.
        share: The probability with which an example is held out, above 0 and below 1.
        key: Where the draws come from; the same key gives the same parts.

    Returns:
        The data set whose test images are the held-out ones.

    Raises:
        InputError: The share is out of its range, or one of the parts is empty.

    Example:
        >>> from tfdpzoo import data
        >>> parts = hold_out(data.load("digits"), 0.1, SecretKey.from_seed(0))
        >>> parts.examples + len(parts.test_images) == data.load("digits").examples
        True
    """
    held_out = held_out_examples(dataset, share, key)
    trained, scored = np.flatnonzero(~held_out), np.flatnonzero(held_out)
    return dataclasses.replace(
        dataset,
        train_images=_selected(dataset.train_images, trained),
        train_labels=dataset.train_labels[trained],
        test_images=_selected(dataset.train_images, scored),
        test_labels=dataset.train_labels[scored],
    )


def held_out_examples(dataset: ImageDataset, share: float, key: SecretKey) -> npt.NDArray[np.bool_]:
    """Says of each training example whether it is held out, see `hold_out`.

    Raises:
        InputError: The share is out of its range, or one of the parts is empty.
    """
    require_share(share)
    draws = np.random.Generator(np.random.Philox(key.derive("held out"))).random(dataset.examples)
    held_out = draws < share
    if held_out.all() or not held_out.any():
        raise InputError(
            f"A share of {share:g} of the {dataset.examples:,} training examples of "
            f"{dataset.name} leaves one of the two parts empty; give another share."
        )
    return held_out


def _selected(images: Images, indices: npt.NDArray[np.intp]) -> Images:
    if isinstance(images, IndexedImages):
        return SelectedImages((len(indices), *images.shape[1:]), images, indices)
    return images[indices]
