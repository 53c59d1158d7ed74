"""Every source holds the same images in memory and by index."""

import numpy as np
import pytest
from image_sources import BYTES, CLASSES, WRITERS, splits
from PIL import Image

from tfdpzoo.data import IndexedImages, load
from tfdpzoo.errors import InputError

LITTLE = 1000


@pytest.fixture(scope="module", params=WRITERS)
def source(request, tmp_path_factory):
    return WRITERS[request.param](tmp_path_factory.mktemp("source"))


def assert_same(by_index, in_memory):
    assert (by_index.name, by_index.class_names) == (in_memory.name, in_memory.class_names)
    for split in ("train", "test"):
        images = getattr(by_index, f"{split}_images")
        expected = getattr(in_memory, f"{split}_images")
        labels = getattr(by_index, f"{split}_labels")
        assert isinstance(images, IndexedImages)
        assert isinstance(expected, np.ndarray)
        np.testing.assert_array_equal(images.take(np.arange(len(images))), expected)
        np.testing.assert_array_equal(images.take([5, 0, 5]), expected[[5, 0, 5]])
        np.testing.assert_array_equal(labels, getattr(in_memory, f"{split}_labels"))
        assert labels.dtype == np.int64


def test_pixels_labels_and_their_order_are_the_same(source):
    in_memory, by_index = source.load(BYTES), source.load(BYTES - 1)
    assert in_memory.in_memory and not by_index.in_memory
    assert_same(by_index, in_memory)
    for split, (images, labels) in splits().items():
        np.testing.assert_array_equal(getattr(in_memory, f"{split}_images"), images)
        np.testing.assert_array_equal(getattr(in_memory, f"{split}_labels"), labels)
    assert in_memory.class_names == CLASSES
    assert (in_memory.decoded_bytes, by_index.decoded_bytes) == (BYTES, BYTES)


@pytest.mark.parametrize("image_size", [8, 20])
def test_so_they_are_at_another_size(source, image_size):
    assert_same(source.load(LITTLE, image_size), source.load(10**6, image_size))


def test_by_default_half_of_the_free_memory_decides(source, monkeypatch):
    assert load(source.name, data_dir=source.data_dir).in_memory
    monkeypatch.setattr("tfdpzoo.data.indexed.default_memory_limit", lambda: BYTES - 1)
    assert not load(source.name, data_dir=source.data_dir).in_memory


def test_an_image_above_the_limit_is_refused(source):
    with pytest.raises(InputError, match="do not fit into memory"):
        source.load(100)


def test_the_digits_are_in_memory_unless_they_are_made_larger():
    assert load("digits", memory_limit=1000).in_memory
    small, large = load("digits", image_size=16), load("digits", image_size=16, memory_limit=10**5)
    assert_same(large, small)


def test_photographs(shared_data):
    folder = shared_data / "imagenette-sample"
    in_memory = load(folder, image_size=32)
    by_index = load(folder, image_size=32, memory_limit=in_memory.decoded_bytes - 1)
    assert_same(by_index, in_memory)


def test_a_published_data_set(shared_data):
    import tensorflow_datasets as tfds

    dataset = load("cifar10", data_dir=shared_data / "tfds", memory_limit=2**20)
    assert (dataset.in_memory, dataset.examples, len(dataset.test_images)) == (
        False,
        50_000,
        10_000,
    )
    assert np.bincount(dataset.train_labels).tolist() == [5000] * 10
    # TensorFlow decodes here, Pillow above.
    builder = tfds.builder_from_directory(str(shared_data / "tfds/cifar10/3.0.2"))
    for split in ("train", "test"):
        examples = list(builder.as_dataset(split=split).take(300).as_numpy_iterator())
        images, labels = (getattr(dataset, f"{split}_{kind}") for kind in ("images", "labels"))
        expected = np.stack([each["image"] for each in examples])
        np.testing.assert_array_equal(images.take(np.arange(300)), expected)
        assert labels[:300].tolist() == [each["label"] for each in examples]


def test_a_photograph_that_is_damaged_later_is_named(tmp_path):
    source = WRITERS["folder"](tmp_path)
    dataset = source.load(LITTLE)
    broken = tmp_path / "photos" / "train" / "n01" / "003.png"
    broken.write_bytes(broken.read_bytes()[:60])
    with pytest.raises(InputError, match=r"n01/003.png cannot be read .*; repair or remove it, no"):
        dataset.train_images.take(np.arange(30))
    broken.unlink()
    with pytest.raises(InputError, match=r"n01/003.png cannot be read \(No such file or directory"):
        dataset.train_images.take([3])
    Image.new("L", (13, 12)).save(broken)
    with pytest.raises(InputError, match=r"differ in size \(train/n01/000.png is 12 x 12, train/n"):
        dataset.train_images.take([3])
