"""The same small images as every source holds them, for tests of reading them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tfdpzoo.data import ImageDataset, load

TRAIN, TEST, SIDE = 30, 9, 12
CLASSES = ("n01", "n02", "n03")
BYTES = (TRAIN + TEST) * SIDE * SIDE


@dataclass(frozen=True)
class Source:
    """A place of images.

    Attributes:
        name: As `load` takes it.
        data_dir: As `load` takes it.
    """

    name: str
    data_dir: Path | None = None

    def load(self, memory_limit: int, image_size: int | None = None) -> ImageDataset:
        """Loads the images within a limit of memory."""
        return load(
            self.name, data_dir=self.data_dir, image_size=image_size, memory_limit=memory_limit
        )


def examples(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Returns grey images of noise, and labels in ascending order, as a folder has them."""
    images = np.random.default_rng(seed).integers(0, 256, (count, SIDE, SIDE, 1), dtype=np.uint8)
    return images, np.sort(np.arange(count) % len(CLASSES))


def splits() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Returns images and labels of both splits."""
    return {"train": examples(TRAIN), "test": examples(TEST, seed=1)}


def write_folder(root: Path) -> Source:
    """Writes a folder of PNG files."""
    for split, (images, labels) in splits().items():
        for number, (image, label) in enumerate(zip(images, labels, strict=True)):
            folder = root / "photos" / split / CLASSES[label]
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image[..., 0]).save(folder / f"{number:03d}.png")
    return Source(str(root / "photos"))


def write_npz(root: Path, save: Callable[..., None] = np.savez, **changes: np.ndarray) -> Source:
    """Writes an archive."""
    (train_images, train_labels), (test_images, test_labels) = splits().values()
    arrays = {
        "train_images": train_images,
        "train_labels": train_labels,
        "test_images": test_images,
        "test_labels": test_labels,
        "class_names": np.array(CLASSES),
    }
    save(root / "photos.npz", **arrays | changes)
    return Source(str(root / "photos.npz"))


def write_tfrecords(root: Path) -> Source:
    """Writes TFRecord files as TFDS does."""
    return _write_prepared(root / "tfrecords", "tfrecord")


def write_array_records(root: Path) -> Source:
    """Writes ArrayRecord files as TFDS does."""
    return _write_prepared(root / "array_records", "array_record")


WRITERS = {
    "folder": write_folder,
    "npz": write_npz,
    "tfrecord": write_tfrecords,
    "array_record": write_array_records,
}


def _write_prepared(root: Path, file_format: str) -> Source:
    columns = {
        split: {"image": images, "label": labels} for split, (images, labels) in splits().items()
    }
    store_as("mnist", root, columns, shape=(SIDE, SIDE, 1), file_format=file_format)
    return Source("mnist", root)


def store_as(
    name: str,
    data_dir: Path,
    columns_of: dict[str, Any],
    *,
    shape: tuple[int | None, ...],
    config: str | None = None,
    version: str = "1.0.0",
    file_format: str = "tfrecord",
) -> None:
    """Prepares a small data set in TFDS' form from {"train": {"image": [...], "label": [...]}}."""
    import tensorflow as tf
    import tensorflow_datasets as tfds

    def split(columns: dict[str, Any]) -> tf.data.Dataset:
        return tf.data.Dataset.from_generator(
            lambda: (
                {"image": image, "label": label}
                for image, label in zip(columns["image"], columns["label"], strict=True)
            ),
            output_signature={
                "image": tf.TensorSpec(shape, tf.uint8),
                "label": tf.TensorSpec((), tf.int64),
            },
        )

    tfds.dataset_builders.store_as_tfds_dataset(
        name=name,
        version=version,
        config=config,
        data_dir=str(data_dir),
        file_format=file_format,
        features=tfds.features.FeaturesDict(
            {
                "image": tfds.features.Image(shape=shape, encoding_format="png"),
                "label": tfds.features.ClassLabel(names=list(CLASSES)),
            }
        ),
        split_datasets={name: split(columns) for name, columns in columns_of.items()},
        disable_shuffling=True,
    )
