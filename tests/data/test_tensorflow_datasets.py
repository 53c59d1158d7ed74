import os
import re
import subprocess
import sys

import numpy as np
import pytest
from image_sources import store_as

from tfdpzoo.data import tensorflow_datasets as module
from tfdpzoo.data.tensorflow_datasets import NAMES, load_tensorflow_dataset
from tfdpzoo.errors import InputError

WAYS_OUT = (
    r"\(1\) give --data-dir the folder .*; \(2\) run `tfds build {full_name} --data_dir .*` once "
    r"where there is a network; \(3\) use --dataset digits"
)


def store(data_dir, config="160px-v2", version="1.0.0", value=100):
    """Prepares a small imagenette: five training and two test images of different sizes."""

    def split(*sizes):
        images = [np.full((*size, 3), value, np.uint8) for size in sizes]
        return {"image": images, "label": [index % 2 for index in range(len(sizes))]}

    splits = {
        "train": split((20, 30), (30, 20), (16, 16), (40, 17), (9, 60)),
        "validation": split((20, 20), (31, 20)),
    }
    shape = (None, None, 3)
    store_as("imagenette", data_dir, splits, shape=shape, config=config, version=version)


def rewrite_records(path, change):
    """Changes every record of a file and writes its checksums anew."""
    import tensorflow as tf

    records = [record.numpy() for record in tf.data.TFRecordDataset(str(path))]
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(change(record))


@pytest.fixture
def no_network(monkeypatch):
    """Closes the network for requests, whatever the machine has."""
    import requests

    def refuse(self, request, **kwargs):
        raise requests.ConnectionError("closed", request=request)

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", refuse)


@pytest.mark.parametrize(
    ("name", "shape", "test_examples", "per_class"),
    [
        ("cifar10", (50_000, 32, 32, 3), 10_000, 5000),
        ("fashion_mnist", (60_000, 28, 28, 1), 10_000, 6000),
    ],
)
def test_balanced_benchmarks(shared_data, name, shape, test_examples, per_class):
    dataset = load_tensorflow_dataset(name, data_dir=shared_data / "tfds")
    assert dataset.train_images.shape == shape
    assert dataset.train_images.dtype == np.uint8
    assert len(dataset.test_images) == test_examples
    assert np.bincount(dataset.train_labels).tolist() == [per_class] * 10
    assert np.bincount(dataset.test_labels).tolist() == [1000] * 10
    # The published constants have one decimal, or four digits of 255.
    for channel in range(shape[3]):
        counts = np.bincount(dataset.train_images[..., channel].ravel(), minlength=256)
        mean = np.average(np.arange(256), weights=counts)
        std = np.sqrt(np.average((np.arange(256) - mean) ** 2, weights=counts))
        assert dataset.normalization.mean[channel] == pytest.approx(mean, abs=0.06)
        assert dataset.normalization.std[channel] == pytest.approx(std, abs=0.06)


def test_mnist(shared_data):
    dataset = load_tensorflow_dataset("mnist", data_dir=str(shared_data / "tfds"))
    assert dataset.input_shape == (28, 28, 1)
    assert (dataset.examples, len(dataset.test_images)) == (60_000, 10_000)
    assert dataset.class_names == tuple("0123456789")
    # Counts of the original files.
    assert np.bincount(dataset.train_labels).tolist() == [
        5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949,
    ]  # fmt: skip
    assert dataset.normalization.mean == (33.3285,)
    assert dataset.normalization.std == (78.5655,)


def test_images_of_different_sizes_are_resized_in_order(tmp_path):
    store(tmp_path)
    dataset = load_tensorflow_dataset("imagenette", data_dir=tmp_path, image_size=16)
    assert dataset.input_shape == (16, 16, 3)
    assert dataset.train_labels.tolist() == [0, 1, 0, 1, 0]
    assert dataset.test_labels.tolist() == [0, 1]
    assert dataset.class_names == ("n01", "n02", "n03")
    np.testing.assert_array_equal(dataset.train_images, 100)
    assert dataset.normalization.mean == pytest.approx((123.675, 116.28, 103.53))


def test_the_newest_version_and_the_smallest_sufficient_configuration_are_read(tmp_path):
    store(tmp_path, value=1)
    store(tmp_path, version="1.10.0", value=2)
    store(tmp_path, version="1.9.0", value=3)
    store(tmp_path, config="320px-v2", value=4)
    (tmp_path / "imagenette/160px-v2/2.0.0.incomplete").mkdir()
    for image_size, value in ((160, 2), (161, 4), (400, 4)):
        dataset = load_tensorflow_dataset("imagenette", data_dir=tmp_path, image_size=image_size)
        assert dataset.train_images.max() == value


def test_imagenette_needs_an_image_size(tmp_path):
    with pytest.raises(InputError, match="images of imagenette differ in size; give --image-size"):
        load_tensorflow_dataset("imagenette", data_dir=tmp_path)


def test_a_data_dir_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(InputError, match="There is no folder .*nowhere; --data-dir must name an"):
        load_tensorflow_dataset("mnist", data_dir=tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_an_unknown_name_is_refused():
    with pytest.raises(InputError, match="no TensorFlow data set named 'minst'; .*'mnist'"):
        load_tensorflow_dataset("minst")


@pytest.mark.parametrize("name", NAMES)
def test_without_data_and_network_three_ways_out_are_named(tmp_path, no_network, capfd, name):
    full_name = "imagenette/320px-v2" if name == "imagenette" else name
    host = r"\(no connection to [\w.-]+\)"
    with pytest.raises(
        InputError,
        match=rf"{name} is not in .* and cannot be downloaded {host}. Three ways out: "
        + WAYS_OUT.format(full_name=full_name),
    ):
        load_tensorflow_dataset(name, data_dir=tmp_path, image_size=224)
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_the_default_folder_is_not_made_for_nothing(tmp_path, no_network, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "default"))
    with pytest.raises(InputError, match="mnist is not in .*default and cannot be downloaded"):
        load_tensorflow_dataset("mnist")
    assert not (tmp_path / "default").exists()


@pytest.mark.parametrize("name", ["mnist", "imagenette"])
def test_a_download_that_breaks_off_leaves_nothing(tmp_path, no_network, monkeypatch, name):
    monkeypatch.setattr(module, "_check_connection", lambda builder: None)
    with pytest.raises(InputError, match=r"cannot be downloaded \(no connection to .*Three ways"):
        load_tensorflow_dataset(name, data_dir=tmp_path, image_size=32)
    assert list(tmp_path.iterdir()) == []


class Preparing:
    """Stands for a TFDS builder whose download succeeds, or fails halfway."""

    url_infos = None

    def __init__(self, data_dir, error=None):
        self.data_dir = os.path.join(data_dir, "imagenette/160px-v2/1.0.0")
        self._root = data_dir
        self._error = error

    def download_and_prepare(self, download_dir):
        os.makedirs(download_dir)
        print("progress")
        store(self._root)
        if self._error:
            raise self._error


def test_a_finished_download_is_put_in_its_place_and_read(tmp_path, monkeypatch, capsys):
    import tensorflow_datasets as tfds

    monkeypatch.setattr(tfds, "builder", lambda name, data_dir: Preparing(data_dir))
    dataset = load_tensorflow_dataset("imagenette", data_dir=tmp_path, image_size=16)
    assert dataset.examples == 5
    assert [path.name for path in tmp_path.iterdir()] == ["imagenette"]
    assert capsys.readouterr().out == ""
    monkeypatch.undo()
    # The second time it is there and nothing is downloaded.
    again = load_tensorflow_dataset("imagenette", data_dir=tmp_path, image_size=16)
    np.testing.assert_array_equal(again.train_images, dataset.train_images)


def test_a_preparation_that_fails_halfway_leaves_nothing(tmp_path, monkeypatch):
    import tensorflow_datasets as tfds

    error = OSError("Not enough disk space.\nmore")
    monkeypatch.setattr(tfds, "builder", lambda name, data_dir: Preparing(data_dir, error))
    with pytest.raises(InputError, match=r"cannot be downloaded \(Not enough disk space\)\. Three"):
        load_tensorflow_dataset("imagenette", data_dir=tmp_path, image_size=16)
    assert list(tmp_path.iterdir()) == []


def test_images_of_one_size_are_resized_on_request(tmp_path):
    grey = {"image": np.full((3, 12, 12, 1), 7, np.uint8), "label": [0, 1, 2]}
    store_as("mnist", tmp_path, {"train": grey, "test": grey}, shape=(12, 12, 1))
    assert load_tensorflow_dataset("mnist", data_dir=tmp_path).input_shape == (12, 12, 1)
    dataset = load_tensorflow_dataset("mnist", data_dir=tmp_path, image_size=8)
    assert dataset.input_shape == (8, 8, 1)
    np.testing.assert_array_equal(dataset.train_images, 7)


def test_damaged_records_are_refused(tmp_path):
    store(tmp_path)
    records = next((tmp_path / "imagenette/160px-v2/1.0.0").glob("*train.tfrecord*"))
    content = records.read_bytes()
    records.write_bytes(content[: len(content) // 2])
    with pytest.raises(
        InputError,
        match=r"1.0.0 cannot be read as imagenette \([^{[]*\); remove the folder and run `tfds",
    ):
        load_tensorflow_dataset("imagenette", data_dir=tmp_path, image_size=16)
    records.unlink()
    with pytest.raises(InputError, match=r"1.0.0 cannot be read as imagenette \(.*No such file"):
        load_tensorflow_dataset("imagenette", data_dir=tmp_path, image_size=16)


def test_missing_examples_are_noticed(tmp_path):
    store(tmp_path)
    info = tmp_path / "imagenette/160px-v2/1.0.0/dataset_info.json"
    info.write_text(info.read_text().replace('"5"', '"6"'))
    with pytest.raises(InputError, match="expected to contain 6 elements but contained only 5"):
        load_tensorflow_dataset("imagenette", data_dir=tmp_path, image_size=16)


def test_an_image_that_cannot_be_decoded_is_refused(tmp_path):
    store(tmp_path)
    records = next((tmp_path / "imagenette/160px-v2/1.0.0").glob("*validation.tfrecord*"))
    rewrite_records(records, lambda record: record.replace(b"IDAT", b"IDAX"))
    with pytest.raises(InputError, match="image in the split 'validation' of .* cannot be read"):
        load_tensorflow_dataset("imagenette", data_dir=tmp_path, image_size=16)


def test_reading_is_quiet(tmp_path):
    store(tmp_path)
    script = (
        "import sys; from tfdpzoo.data import load; "
        "load('imagenette', data_dir=sys.argv[1], image_size=16)"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=True,
    )
    # TensorFlow's own start messages, which this package does not govern, are not counted.
    noise = [
        line
        for line in result.stderr.splitlines()
        if "absl::InitializeLog" not in line and not re.match(r"[IWE]\d{4} ", line)
    ]
    assert (result.stdout, noise) == ("", [])
