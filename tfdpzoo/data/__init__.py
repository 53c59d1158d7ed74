"""Where examples come from: data sets by name, image folders and NumPy archives."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from tfdpzoo.data import tensorflow_datasets
from tfdpzoo.data.dataset import ImageDataset, Normalization
from tfdpzoo.data.digits import load_digits
from tfdpzoo.data.folder import load_folder
from tfdpzoo.data.images import check_image_size
from tfdpzoo.data.indexed import IndexedImages, held_within, resized
from tfdpzoo.data.npz import load_npz
from tfdpzoo.errors import InputError, unknown_name

__all__ = ["NAMES", "ImageDataset", "IndexedImages", "Normalization", "load"]

NAMES: tuple[str, ...] = tuple(sorted((*tensorflow_datasets.NAMES, "digits")))
"""The data sets that `load` knows by name."""


def load(
    name: str | Path,
    *,
    data_dir: str | Path | None = None,
    image_size: int | None = None,
    memory_limit: int | None = None,
) -> ImageDataset:
    """Loads labelled images: into memory, or for reading by index where they do not fit into it.

    Args:
        name: `"digits"`, `"cifar10"`, `"fashion_mnist"`, `"imagenette"` or `"mnist"`; or the path
            of a folder `root/{train,test|val}/CLASS/*.jpg|png`, or of an `.npz` file. A name wins
            over a folder of the same name; write `./digits` for the folder.
        data_dir: The folder of TFDS' prepared data, for the names that TFDS serves; the other
            sources do not need it.
        image_size: Side of the square images that are returned, at least 8: the shorter side is
            resized, the centre is cropped. None keeps the images' own size.
        memory_limit: How many bytes the decoded images of both splits may take. Above that they are
            `IndexedImages`: each is read whenever it is used, with the same pixels and under the
            same number. Labels are always in memory. None for half of the free memory.

    Returns:
        The data set.

    Raises:
        InputError: There is no such data set, or it cannot be read as described.

    Example:
        >>> load("digits").input_shape
        (8, 8, 1)
        >>> load("digits", image_size=16).input_shape
        (16, 16, 1)
    """
    check_image_size(image_size)
    if not str(name).strip():
        raise InputError(f"The data set needs a name or a path; known are {', '.join(NAMES)}.")
    try:
        return _load(name, data_dir, image_size, memory_limit)
    except MemoryError as error:
        advice = "" if image_size is None else f"; make the image size of {image_size} smaller"
        reason = f": {error}" if str(error) else ""
        raise InputError(f"The images of {name} do not fit into memory{advice}{reason}.") from error


def _load(
    name: str | Path,
    data_dir: str | Path | None,
    image_size: int | None,
    memory_limit: int | None,
) -> ImageDataset:
    if name == "digits":
        return _resized(load_digits(), image_size, memory_limit)
    if name in tensorflow_datasets.NAMES:
        return tensorflow_datasets.load_tensorflow_dataset(
            str(name), data_dir=data_dir, image_size=image_size, memory_limit=memory_limit
        )
    path = Path(name).expanduser()
    if path.is_dir():
        return load_folder(path, image_size=image_size, memory_limit=memory_limit)
    if path.suffix.lower() == ".npz":
        return _resized(load_npz(path, memory_limit=memory_limit), image_size, memory_limit)
    if path.exists():
        raise InputError(f"The file {path} is no data set; a folder or an .npz file is expected.")
    if os.path.basename(name) != str(name):
        raise InputError(f"There is no folder or .npz file {name}.")
    raise InputError(
        f"{unknown_name('data set', str(name), NAMES)} "
        "The path of an image folder or of an .npz file is accepted as well."
    )


def _resized(
    dataset: ImageDataset, image_size: int | None, memory_limit: int | None
) -> ImageDataset:
    if image_size is None or dataset.input_shape[:2] == (image_size, image_size):
        return dataset
    splits = [resized(each, image_size) for each in (dataset.train_images, dataset.test_images)]
    train_images, test_images = held_within(memory_limit, splits)
    return replace(dataset, train_images=train_images, test_images=test_images)
