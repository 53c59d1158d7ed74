"""A copy of the examples of a search, for the processes of its trials."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tfdpzoo.data import ImageDataset
from tfdpzoo.data.dataset import Normalization
from tfdpzoo.durable_file import replacing

DATA_FILE = "examples.npz"
_ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")


def write_copy(dataset: ImageDataset, path: Path) -> None:
    """Writes all examples of a data set into a file that its owner alone may read.

    Args:
        dataset: In memory.
        path: The file.
    """
    arrays = {name: np.asarray(getattr(dataset, name)) for name in _ARRAYS}
    with replacing(path) as stream:
        np.savez(
            stream,
            class_names=np.array(dataset.class_names),
            mean=np.array(dataset.normalization.mean),
            std=np.array(dataset.normalization.std),
            texts=np.array([dataset.name, dataset.normalization.source]),
            **arrays,
        )


def read_copy(path: Path) -> ImageDataset:
    """Reads what `write_copy` wrote."""
    with np.load(path, allow_pickle=False) as archive:
        name, source = map(str, archive["texts"])
        normalization = Normalization(
            tuple(map(float, archive["mean"])), tuple(map(float, archive["std"])), source
        )
        return ImageDataset(
            name=name,
            class_names=tuple(map(str, archive["class_names"])),
            normalization=normalization,
            **{array: archive[array] for array in _ARRAYS},
        )
