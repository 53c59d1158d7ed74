"""Images from a folder with one subfolder a class."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tfdpzoo.data.dataset import ImageDataset, Normalization
from tfdpzoo.data.images import check_image_size, decode_image, read_header
from tfdpzoo.data.indexed import DecodedImages, held_within
from tfdpzoo.errors import InputError

_SUFFIXES = (".jpg", ".jpeg", ".png")
_FILES_OF_FILE_MANAGERS = ("thumbs.db", "desktop.ini")


@dataclass(frozen=True)
class _Split:
    files: tuple[Path, ...]
    labels: npt.NDArray[np.int64]


def load_folder(
    root: str | Path, *, image_size: int | None = None, memory_limit: int | None = None
) -> ImageDataset:
    """Loads the images of `root/{train,test|val}/CLASS/*.jpg|jpeg|png`.

    Classes are the folders of `root/train` in sorted order; files are taken in sorted order within
    a class. `root/val` serves as the test split where there is no `root/test`. If every image is
    grey the pixels have one channel, otherwise three. Hidden files are not data; any other file
    that is not an image, and any image that cannot be read, is an error, because a skipped file
    would change the number of examples that the guarantee speaks of.

    Args:
        root: The folder that holds `train` and `test` (or `val`).
        image_size: Side of the square images that are returned, at least 8: the shorter side is
            resized, the centre is cropped. None takes images as they are; all must then have one
            size.
        memory_limit: How many bytes the decoded images of both splits may take; above that each is
            decoded whenever it is used. None for half of the free memory.

    Returns:
        The data set, named after the folder.

    Raises:
        InputError: A folder is missing or empty, a class of the test split is not in the training
            split, a file cannot be read, or the sizes differ and no image size was given.
    """
    check_image_size(image_size)
    root = Path(root).expanduser()
    train_folder, test_folder = _split_folders(root)
    class_names = _class_names(train_folder, test_folder)
    train = _list_split(train_folder, class_names)
    test = _list_split(test_folder, class_names)
    channels = _check_headers(root, train.files + test.files, image_size)
    splits = [_decoded(split.files, channels, image_size) for split in (train, test)]
    train_images, test_images = held_within(memory_limit, splits)
    return ImageDataset(
        name=root.resolve().name,
        train_images=train_images,
        train_labels=train.labels,
        test_images=test_images,
        test_labels=test.labels,
        class_names=class_names,
        normalization=Normalization.centered(channels),
    )


def _split_folders(root: Path) -> tuple[Path, Path]:
    if not root.is_dir():
        raise InputError(f"There is no folder {root}.")
    train = root / "train"
    if not train.is_dir():
        raise InputError(
            f"The folder {root} has no folder 'train'; images are expected as train/CLASS/*.jpg "
            "and test/CLASS/*.jpg."
        )
    for name in ("test", "val"):
        if (root / name).is_dir():
            return train, root / name
    raise InputError(
        f"The folder {root} has neither 'test' nor 'val'; held-out images are needed beside "
        "'train' to measure the accuracy."
    )


def _class_names(train_folder: Path, test_folder: Path) -> tuple[str, ...]:
    train = _class_folders(train_folder)
    missing = sorted(set(_class_folders(test_folder)) - set(train))
    if missing:
        raise InputError(
            f"{test_folder} has the class {missing[0]!r}, which {train_folder} does not have; "
            "every class needs training images."
        )
    return tuple(train)


def _class_folders(folder: Path) -> list[str]:
    entries = _entries(folder)
    loose = [entry for entry in entries if entry.suffix.lower() in _SUFFIXES and entry.is_file()]
    if loose:
        raise InputError(
            f"The image {loose[0]} lies outside of a class folder; images are expected as "
            f"{folder.name}/CLASS/{loose[0].name}."
        )
    classes = [entry.name for entry in entries if entry.is_dir()]
    if not classes:
        raise InputError(f"The folder {folder} is empty; one folder a class is expected in it.")
    return classes


def _list_split(folder: Path, class_names: Sequence[str]) -> _Split:
    files: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(class_names):
        # A class may lack test images, never training images: those name the classes.
        images = _list_images(folder / name) if (folder / name).is_dir() else []
        files.extend(images)
        labels.extend([label] * len(images))
    return _Split(tuple(files), np.asarray(labels, np.int64))


def _list_images(folder: Path) -> list[Path]:
    images = _entries(folder)
    for image in images:
        if image.suffix.lower() not in _SUFFIXES or not image.is_file():
            raise InputError(
                f"{image} is not a .jpg, .jpeg or .png file; convert it or move it away, "
                "no file is skipped silently."
            )
    if not images:
        raise InputError(f"The folder {folder} is empty; .jpg or .png images are expected in it.")
    return images


def _entries(folder: Path) -> list[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise InputError(f"The folder {folder} cannot be read ({error.strerror}).") from error
    return [
        entry
        for entry in entries
        if not entry.name.startswith(".") and entry.name.lower() not in _FILES_OF_FILE_MANAGERS
    ]


def _check_headers(root: Path, files: Sequence[Path], image_size: int | None) -> int:
    """Returns the number of channels; refuses files of different sizes if none was asked for."""
    with ThreadPoolExecutor() as executor:
        headers = list(executor.map(read_header, files))
    if image_size is None:
        first_size = headers[0][0]
        for file, (size, _) in zip(files, headers, strict=True):
            if size != first_size:
                raise _sizes_differ(root, files[0], first_size, file, size)
    return 1 if all(is_grey for _, is_grey in headers) else 3


def _decoded(files: Sequence[Path], channels: int, image_size: int | None) -> DecodedImages:
    first_shape = decode_image(files[0], channels=channels, image_size=image_size).shape

    def decode(index: int) -> npt.NDArray[np.uint8]:
        image = decode_image(files[index], channels=channels, image_size=image_size)
        if image.shape != first_shape:
            # Same size in the file, but turned by the camera's orientation.
            raise _sizes_differ(
                files[0].parents[2], files[0], first_shape, files[index], image.shape
            )
        return image

    height, width, _ = first_shape
    return DecodedImages((len(files), height, width, channels), decode)


def _sizes_differ(
    root: Path, first: Path, first_size: Sequence[int], other: Path, other_size: Sequence[int]
) -> InputError:
    return InputError(
        f"The images in {root} differ in size ({first.relative_to(root)} is "
        f"{first_size[1]} x {first_size[0]}, {other.relative_to(root)} is "
        f"{other_size[1]} x {other_size[0]}); give --image-size, the side in pixels to which "
        "they are resized and cropped."
    )
