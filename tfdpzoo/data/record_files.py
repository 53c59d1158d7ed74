"""Records of data sets in the prepared form of TensorFlow Datasets (TFDS), by their number."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tfdpzoo.data.images import decode_image
from tfdpzoo.data.indexed import DecodedImages
from tfdpzoo.errors import InputError

_BATCH = 64
# In bytes: a TFRecord is its length and that number's checksum, the data, and their checksum.
_LENGTH, _BEFORE, _AFTER = 8, 12, 4


@dataclass(frozen=True, eq=False)
class RecordSplit:
    """The records of a split, in the order in which they are stored.

    Attributes:
        where: The split and its folder, for errors.
        labels: Of all records, in memory.
        read: Returns a record by its number; may be called from several threads at once.
    """

    where: str
    labels: npt.NDArray[np.int64]
    read: Callable[[int], bytes]


def open_records(builder: Any, split: str) -> RecordSplit:
    """Finds the records of a split and reads all their labels, in one pass.

    Args:
        builder: A TFDS builder whose data is prepared as TFRecord or ArrayRecord files.
        split: The split's name.

    Raises:
        InputError: The files hold another number of records than TFDS has written down.
        tf.errors.OpError: A file is missing or damaged; every checksum is looked at.
    """
    where = f"in the split {split!r} of {builder.data_dir}"
    if is_array_record(builder):
        labels, read = _open_array_records(builder, split)
    else:
        labels, read = _open_tfrecords(builder.info.splits[split].filepaths)
    expected = builder.info.splits[split].num_examples
    if len(labels) != expected:
        raise InputError(
            f"The data {where} is expected to contain {expected} examples but contains "
            f"{len(labels)}; remove the folder and run `tfds build` again."
        )
    return RecordSplit(where, labels, read)


def is_array_record(builder: Any) -> bool:
    """Tells whether a TFDS builder's data is prepared as ArrayRecord files."""
    return bool(builder.info.file_format.value == "array_record")


def images_of(
    records: RecordSplit, shape: tuple[int, int, int], image_size: int | None
) -> DecodedImages:
    """Returns the images of a split, each decoded when it is read.

    Args:
        records: From `open_records`.
        shape: Height, width and channels of each.
        image_size: Side of the square images to which they are brought; None for images of one
            size as they are.
    """

    def decode(index: int) -> npt.NDArray[np.uint8]:
        name = f"{index} {records.where}"
        encoded = io.BytesIO(_encoded_image(records.read, index, name))
        image = decode_image(encoded, channels=shape[2], image_size=image_size, name=name)
        if image.shape != shape:
            raise InputError(
                f"The image {name} has the shape {image.shape} and not {shape} as TFDS has "
                "written down; remove the folder and run `tfds build` again."
            )
        return image

    return DecodedImages((len(records.labels), *shape), decode)


def _encoded_image(read: Callable[[int], bytes], index: int, name: str) -> bytes:
    import tensorflow as tf

    try:
        example = tf.train.Example.FromString(read(index))
        return example.features.feature["image"].bytes_list.value[0]
    except Exception as error:
        # Damaged files surface as errors of protobuf, of ArrayRecord or of the file system.
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise InputError(
            f"The image {name} cannot be read ({reason}); put back the files or remove the folder "
            "and run `tfds build` again, no image is skipped silently."
        ) from error


def _open_tfrecords(
    paths: Sequence[Any],
) -> tuple[npt.NDArray[np.int64], Callable[[int], bytes]]:
    contents = [_lengths_and_labels(str(path)) for path in paths]
    lengths = np.concatenate([each for each, _ in contents])
    files = np.repeat(np.arange(len(paths)), [len(each) for each, _ in contents])
    starts = np.concatenate(
        [np.cumsum(each + _BEFORE + _AFTER) - each - _AFTER for each, _ in contents]
    )

    def read(index: int) -> bytes:
        path, length = Path(paths[files[index]]), int(lengths[index])
        with path.open("rb") as file:
            file.seek(int(starts[index]) - _BEFORE)
            record = file.read(_BEFORE + length)
        if len(record) < _BEFORE or int.from_bytes(record[:_LENGTH], "little") != length:
            raise ValueError(f"{path.name} was changed while it was in use")
        return record[_BEFORE:]

    return np.concatenate([labels for _, labels in contents]), read


def _lengths_and_labels(path: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    import tensorflow as tf

    def scan(records: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.strings.length(records), _labels(records)

    batches = list(tf.data.TFRecordDataset(path).batch(_BATCH).map(scan).as_numpy_iterator())
    lengths, labels = (
        np.concatenate([np.zeros(0, np.int64), *(batch[part] for batch in batches)])
        for part in (0, 1)
    )
    return lengths.astype(np.int64), labels.astype(np.int64)


def _open_array_records(
    builder: Any, split: str
) -> tuple[npt.NDArray[np.int64], Callable[[int], bytes]]:
    import tensorflow_datasets as tfds

    source = builder.as_data_source(
        split, deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES
    )
    # TFDS opens the files of a source at the first record of each, which threads would do twice.
    lock = threading.Lock()

    def read(index: int) -> bytes:
        with lock:
            return source[index]

    examples = len(source)
    batches = [
        _labels(source.__getitems__(list(range(start, min(start + _BATCH, examples))))).numpy()
        for start in range(0, examples, _BATCH)
    ]
    return np.concatenate([np.zeros(0, np.int64), *batches]), read


def _labels(records: Any) -> Any:
    """Reads the labels of some serialized examples, in TensorFlow."""
    import tensorflow as tf

    features = {"label": tf.io.FixedLenFeature((), tf.int64)}
    return tf.io.parse_example(records, features)["label"]
