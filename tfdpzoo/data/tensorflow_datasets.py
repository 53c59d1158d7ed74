"""Data sets in the prepared form of TensorFlow Datasets (TFDS)."""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt

from tfdpzoo.data.dataset import ImageDataset, Normalization
from tfdpzoo.data.images import check_image_size, decode_image, resize_images
from tfdpzoo.data.indexed import Images, are_within, held_within
from tfdpzoo.data.record_files import images_of, is_array_record, open_records
from tfdpzoo.errors import InputError, unknown_name

_CONNECTION_SECONDS = 10.0
_BATCH = 1000


@dataclass(frozen=True)
class _Entry:
    """What is known of a data set before it is read."""

    test_split: str
    normalization: Normalization
    # TFDS configurations and the shorter side of their images in pixels, smallest first.
    configurations: tuple[tuple[str, float], ...] = ()


_ENTRIES = MappingProxyType(
    {
        "cifar10": _Entry(
            "test",
            Normalization(
                (125.3, 123.0, 113.9),
                (63.0, 62.1, 66.7),
                "CIFAR-10 constants of fb.resnet.torch (datasets/cifar10.lua) and of the Wide "
                "ResNet code, also used by the SmoothNet authors",
            ),
        ),
        "fashion_mnist": _Entry(
            "test",
            Normalization.from_unit_range(
                (0.2860,), (0.3530,), "Fashion-MNIST constants in common use, 0.2860 and 0.3530"
            ),
        ),
        "imagenette": _Entry(
            "validation",
            Normalization.from_unit_range(
                (0.485, 0.456, 0.406),
                (0.229, 0.224, 0.225),
                "ImageNet constants of torchvision's pretrained models",
            ),
            # The "-v2" split is the one of the SmoothNet authors' code: 9469 and 3925 images.
            (("160px-v2", 160.0), ("320px-v2", 320.0), ("full-size-v2", float("inf"))),
        ),
        "mnist": _Entry(
            "test",
            Normalization.from_unit_range(
                (0.1307,),
                (0.3081,),
                "MNIST constants of PyTorch's MNIST example, 0.1307 and 0.3081",
            ),
        ),
    }
)

NAMES: tuple[str, ...] = tuple(_ENTRIES)
"""The TFDS data sets that are known here."""


def published_normalization(name: str) -> Normalization | None:
    """Returns the constants by which a data set's pixels are normalised; None for an unknown one.

    Args:
        name: The name of the data set.

    Example:
        >>> published_normalization("cifar10").mean
        (125.3, 123.0, 113.9)
    """
    entry = _ENTRIES.get(name)
    return None if entry is None else entry.normalization


def load_tensorflow_dataset(
    name: str,
    *,
    data_dir: str | Path | None = None,
    image_size: int | None = None,
    memory_limit: int | None = None,
) -> ImageDataset:
    """Loads a data set of TFDS; downloads and prepares it first where it is not on disk yet.

    Args:
        name: `"cifar10"`, `"fashion_mnist"`, `"imagenette"` or `"mnist"`.
        data_dir: The folder that holds, or is to hold, TFDS' prepared data; it must exist. None
            takes TFDS' own default: the environment variable TFDS_DATA_DIR, otherwise
            `~/tensorflow_datasets`.
        image_size: Side of the square images that are returned, at least 8: the shorter side is
            resized, the centre is cropped. None keeps the size of the data set; imagenette, whose
            images differ in size, needs one.
        memory_limit: How many bytes the decoded images of both splits may take; above that single
            records are read from the TFRecord or ArrayRecord files and decoded whenever they are
            used. None for half of the free memory.

    Returns:
        The data set, its examples in the order in which TFDS stores them.

    Raises:
        InputError: The name is unknown, the folder does not exist, the data is not there and cannot
            be downloaded, or what is there cannot be read.
    """
    if name not in _ENTRIES:
        raise unknown_name("TensorFlow data set", name, NAMES)
    check_image_size(image_size)
    entry = _ENTRIES[name]
    if entry.configurations and image_size is None:
        raise InputError(
            f"The images of {name} differ in size; give --image-size, the side in pixels to which "
            "they are resized and cropped."
        )
    folder = _existing_data_dir(data_dir)
    configurations = _preferred_configurations(entry, image_size)
    prepared = _find_prepared(folder, name, configurations)
    if prepared is None:
        prepared = _download(folder, name, configurations[0])
    return _read(name, entry, prepared, image_size, memory_limit)


def _existing_data_dir(data_dir: str | Path | None) -> Path:
    if data_dir is None:
        return Path(os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")).expanduser()
    folder = Path(data_dir).expanduser()
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}; --data-dir must name an existing folder.")
    return folder


def _preferred_configurations(entry: _Entry, image_size: int | None) -> list[str]:
    """Returns the configurations to look for, the best first; `[""]` where there are none."""
    if image_size is None or not entry.configurations:
        return [""]
    large_enough = [name for name, side in entry.configurations if side >= image_size]
    too_small = [name for name, side in entry.configurations if side < image_size]
    return large_enough + too_small[::-1]


def _find_prepared(folder: Path, name: str, configurations: Sequence[str]) -> Path | None:
    """Returns the folder of the newest prepared version, or None. TFDS is not imported for it."""
    for configuration in configurations:
        versions = [
            info.parent
            for info in (folder / name / configuration).glob("*/dataset_info.json")
            if re.fullmatch(r"\d+\.\d+\.\d+", info.parent.name)
        ]
        if versions:
            return max(versions, key=lambda path: [int(part) for part in path.name.split(".")])
    return None


def _download(folder: Path, name: str, configuration: str) -> Path:
    import requests

    full_name = f"{name}/{configuration}" if configuration else name
    try:
        return _prepare(folder, full_name)
    except requests.RequestException as error:
        url = error.request.url if error.request is not None else None
        reason = f"no connection to {urlsplit(str(url)).hostname}" if url else _first_line(error)
        raise InputError(_three_ways_out(folder, name, full_name, reason)) from error
    except Exception as error:
        # Disk, archives and checksums fail in the classes of half a dozen packages.
        reason = _first_line(error)
        raise InputError(_three_ways_out(folder, name, full_name, reason)) from error


def _prepare(folder: Path, full_name: str) -> Path:
    import tensorflow_datasets as tfds

    _check_connection(tfds.builder(full_name, data_dir=str(folder)))
    folder.mkdir(parents=True, exist_ok=True)
    # Whatever goes wrong, only a finished data set leaves the temporary folder.
    with tempfile.TemporaryDirectory(dir=folder, prefix=".preparing-") as temporary:
        builder = tfds.builder(full_name, data_dir=temporary)
        # TFDS prints its progress; standard output belongs to the caller's results.
        with contextlib.redirect_stdout(sys.stderr):
            builder.download_and_prepare(download_dir=os.path.join(temporary, "downloads"))
        finished = Path(builder.data_dir)
        prepared = folder / finished.relative_to(temporary)
        prepared.parent.mkdir(parents=True, exist_ok=True)
        finished.rename(prepared)
    return prepared


def _check_connection(builder: Any) -> None:
    """Asks the host of the data for an answer; TFDS repeats a failing download for minutes."""
    import requests

    for url in list(builder.url_infos or ())[:1]:
        # Any answer at all, an error status too, shows that there is a network.
        requests.head(url, timeout=_CONNECTION_SECONDS).close()


def _three_ways_out(folder: Path, name: str, full_name: str, reason: str) -> str:
    return (
        f"{name} is not in {folder} and cannot be downloaded ({reason}). Three ways out: "
        f"(1) give --data-dir the folder that holds {name} as prepared by TensorFlow Datasets; "
        f"(2) run `tfds build {full_name} --data_dir {folder}` once where there is a network; "
        "(3) use --dataset digits, which needs no download, or --dataset with your own image "
        "folder or .npz file."
    )


def _read(
    name: str,
    entry: _Entry,
    prepared: Path,
    image_size: int | None,
    memory_limit: int | None,
) -> ImageDataset:
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder_from_directory(str(prepared))
        splits = ("train", entry.test_split)
        if is_array_record(builder) or not are_within(
            memory_limit, _shapes(builder, splits, image_size)
        ):
            read = _read_by_index(builder, splits, image_size, memory_limit)
        else:
            read = [_read_split(builder, split, image_size) for split in splits]
        (train_images, train_labels), (test_images, test_labels) = read
        class_names = tuple(builder.info.features["label"].names)
    except (InputError, MemoryError):
        raise
    except Exception as error:
        # Damaged files surface as errors of TensorFlow, protobuf, json or TFDS itself.
        raise InputError(
            f"The data in {prepared} cannot be read as {name} ({_first_line(error)}); remove the "
            f"folder and run `tfds build` again, or give another --data-dir."
        ) from error
    return ImageDataset(
        name=name,
        train_images=train_images,
        train_labels=train_labels,
        test_images=test_images,
        test_labels=test_labels,
        class_names=class_names,
        normalization=entry.normalization,
    )


def _shapes(
    builder: Any, splits: Sequence[str], image_size: int | None
) -> list[tuple[int, int, int, int]]:
    shape = _image_shape(builder, image_size)
    return [(builder.info.splits[split].num_examples, *shape) for split in splits]


def _image_shape(builder: Any, image_size: int | None) -> tuple[int, int, int]:
    """Height, width and channels of the images that are handed over."""
    height, width, channels = builder.info.features["image"].shape
    return image_size or height, image_size or width, channels


def _read_by_index(
    builder: Any, splits: Sequence[str], image_size: int | None, memory_limit: int | None
) -> list[tuple[Images, npt.NDArray[np.int64]]]:
    shape = _image_shape(builder, image_size)
    records = [open_records(builder, split) for split in splits]
    images = [images_of(each, shape, image_size) for each in records]
    held = held_within(memory_limit, images)
    return [(pixels, each.labels) for pixels, each in zip(held, records, strict=True)]


def _read_split(
    builder: Any, split: str, image_size: int | None
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    if None in builder.info.features["image"].shape:
        batches = _batches_of_any_size(builder, split, image_size)
    else:
        batches = _batches_of_one_size(builder, split, image_size)
    images, labels = zip(*batches, strict=True)
    return np.concatenate(images), np.concatenate(labels).astype(np.int64)


def _batches_of_one_size(
    builder: Any, split: str, image_size: int | None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for batch in _examples(builder, split).batch(_BATCH).as_numpy_iterator():
        yield resize_images(batch["image"], image_size), batch["label"]


def _batches_of_any_size(
    builder: Any, split: str, image_size: int | None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    import tensorflow_datasets as tfds

    channels = builder.info.features["image"].shape[-1]

    def decode(encoded: bytes) -> npt.NDArray[np.uint8]:
        return decode_image(
            io.BytesIO(encoded),
            channels=channels,
            image_size=image_size,
            name=f"in the split {split!r} of {builder.data_dir}",
        )

    # The files' own bytes go through the decoder of the image folders, so that a data set gives
    # the same pixels in both forms.
    examples = _examples(builder, split, decoders={"image": tfds.decode.SkipDecoding()})
    with ThreadPoolExecutor() as executor:
        for batch in examples.batch(_BATCH).as_numpy_iterator():
            yield np.stack(list(executor.map(decode, batch["image"]))), batch["label"]


def _examples(builder: Any, split: str, **arguments: Any) -> Any:
    import tensorflow_datasets as tfds

    # One file after the other, unshuffled: the order of the examples is the same in every run.
    # The cardinality that is checked is the number of examples in TFDS' record of the data set.
    return builder.as_dataset(
        split=split,
        shuffle_files=False,
        read_config=tfds.ReadConfig(
            try_autocache=False, interleave_cycle_length=1, assert_cardinality=True
        ),
        **arguments,
    )


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    if not lines:
        return type(error).__name__
    # TensorFlow wraps its messages in "{{node ...}}" and "[Op:...]".
    return re.sub(r"\{\{.*?\}\}\s*|\s*\[Op:.*", "", lines[0]).rstrip(".")
