import json

import numpy as np
import pytest
import tensorflow as tf
from image_sources import splits, store_as, write_array_records, write_tfrecords

from tfdpzoo.data import load
from tfdpzoo.errors import InputError

LITTLE = 1000
FOLDERS = {
    "tfrecord": (write_tfrecords, "tfrecords/mnist/1.0.0"),
    "array_record": (write_array_records, "array_records/mnist/1.0.0"),
}


def written(tmp_path, file_format):
    write, folder = FOLDERS[file_format]
    source = write(tmp_path)
    return source, tmp_path / folder, next((tmp_path / folder).glob("*train*record-*"))


def test_records_of_several_files_are_one_split(tmp_path):
    source, folder, path = written(tmp_path, "tfrecord")
    records = [record.numpy() for record in tf.data.TFRecordDataset(str(path))]
    for number, part in enumerate((records[:4], [], records[4:])):
        name = folder / f"mnist-train.tfrecord-0000{number}-of-00003"
        with tf.io.TFRecordWriter(str(name)) as writer:
            for record in part:
                writer.write(record)
    path.unlink()
    info = folder / "dataset_info.json"
    content = json.loads(info.read_text())
    next(split for split in content["splits"] if split["name"] == "train")["shardLengths"] = [
        "4",
        "0",
        "26",
    ]
    info.write_text(json.dumps(content))
    images, labels = splits()["train"]
    dataset = source.load(LITTLE)
    np.testing.assert_array_equal(dataset.train_images.take([29, 3, 4, 0]), images[[29, 3, 4, 0]])
    np.testing.assert_array_equal(dataset.train_labels, labels)


@pytest.mark.parametrize("file_format", FOLDERS)
def test_missing_examples_are_noticed(tmp_path, file_format):
    source, folder, _ = written(tmp_path, file_format)
    info = folder / "dataset_info.json"
    info.write_text(info.read_text().replace('"30"', '"31"'))
    with pytest.raises(InputError, match="expected to contain 31 examples|cannot be re"):
        source.load(LITTLE)


@pytest.mark.parametrize("file_format", FOLDERS)
def test_damaged_files_are_refused(tmp_path, file_format):
    source, _, path = written(tmp_path, file_format)
    content = path.read_bytes()
    path.write_bytes(content[:-1000])
    with pytest.raises(InputError, match=r"1.0.0 cannot be read as mnist|to contain 30 examples"):
        source.load(LITTLE)
    path.write_bytes(content[:300] + bytes(9) + content[309:])
    with pytest.raises(InputError, match=r"1.0.0 cannot be read as mnist|to contain 30 examples"):
        source.load(LITTLE)


@pytest.mark.parametrize("damage", [b"", b"\x00" * 100_000])
def test_records_that_are_damaged_later_name_the_image(tmp_path, damage):
    source, _, path = written(tmp_path, "tfrecord")
    dataset = source.load(LITTLE)
    path.write_bytes(damage)
    with pytest.raises(InputError, match=r"The image 7 in the split 'train' of .* cannot be read"):
        dataset.train_images.take([7])


def test_a_pixel_stream_that_is_damaged_later_names_the_image(tmp_path):
    source, _, path = written(tmp_path, "tfrecord")
    dataset = source.load(LITTLE)
    path.write_bytes(path.read_bytes().replace(b"IDAT", b"IDAX"))
    with pytest.raises(InputError, match=r"The image 7 in the split 'train' of .* cannot be read"):
        dataset.train_images.take([7])


def test_images_of_another_size_than_written_down_are_refused(tmp_path):
    images = {"image": np.zeros((3, 12, 12, 1), np.uint8), "label": [0, 1, 2]}
    store_as("mnist", tmp_path, {"train": images, "test": images}, shape=(12, 12, 1))
    features = tmp_path / "mnist/1.0.0/features.json"
    features.write_text(features.read_text().replace('"12"', '"13"'))
    dataset = load("mnist", data_dir=tmp_path, memory_limit=500)
    with pytest.raises(InputError, match=r"has the shape \(12, 12, 1\) and not \(13, 13, 1\) as"):
        dataset.train_images.take([0])


def test_array_records_of_images_of_any_size_are_resized(tmp_path):
    sizes = [(20, 30), (30, 20), (9, 60)]
    images = {"image": [np.full((*size, 3), 7, np.uint8) for size in sizes], "label": [0, 1, 2]}
    store_as(
        "imagenette",
        tmp_path,
        {"train": images, "validation": images},
        shape=(None, None, 3),
        config="160px-v2",
        file_format="array_record",
    )
    for memory_limit in (1000, 10**6):
        dataset = load("imagenette", data_dir=tmp_path, image_size=16, memory_limit=memory_limit)
        assert dataset.in_memory == (memory_limit > 1000)
        assert dataset.input_shape == (16, 16, 3)
        assert dataset.train_labels.tolist() == [0, 1, 2]
