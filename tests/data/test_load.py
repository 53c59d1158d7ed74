import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tfdpzoo.data import NAMES, load
from tfdpzoo.errors import InputError


@pytest.fixture
def folder(tmp_path):
    for name in ("train/a", "train/b", "test/b"):
        (tmp_path / "images" / name).mkdir(parents=True)
        Image.new("RGB", (12, 8)).save(tmp_path / "images" / name / "1.png")
    return tmp_path / "images"


def test_names():
    assert NAMES == ("cifar10", "digits", "fashion_mnist", "imagenette", "mnist")


def test_digits_at_their_own_and_at_another_size(tmp_path):
    digits = load("digits", data_dir=tmp_path)
    larger = load("digits", image_size=32)
    assert (digits.input_shape, larger.input_shape) == ((8, 8, 1), (32, 32, 1))
    np.testing.assert_array_equal(digits.train_labels, larger.train_labels)


def test_a_size_that_does_not_fit_into_memory():
    with pytest.raises(InputError, match="digits do not fit into memory; make the image size of"):
        load("digits", image_size=10_000_000)


def test_names_of_tensorflow_datasets_are_passed_on(tmp_path):
    with pytest.raises(InputError, match="There is no folder .*none; --data-dir must name an exis"):
        load("mnist", data_dir=tmp_path / "none")


def test_a_folder(folder):
    assert load(folder).input_shape == (8, 12, 3)
    assert load(str(folder), image_size=16).input_shape == (16, 16, 3)


def test_a_name_wins_over_a_folder(folder, monkeypatch):
    folder.rename(folder.parent / "digits")
    monkeypatch.chdir(folder.parent)
    assert load("digits").input_shape == (8, 8, 1)
    assert load("./digits").input_shape == (8, 12, 3)


def test_an_archive(tmp_path):
    images, labels = np.zeros((4, 10, 12, 3), np.uint8), np.arange(4)
    path = tmp_path / "Mine.NPZ"
    with path.open("wb") as file:
        np.savez(
            file, train_images=images, train_labels=labels, test_images=images, test_labels=labels
        )
    assert load(path).input_shape == (10, 12, 3)
    assert load(str(path), image_size=9).input_shape == (9, 9, 3)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "cifar",
            "There is no data set named 'cifar'; did you mean 'cifar10'.* Known: cifar10, dig",
        ),
        ("cifar", "The path of an image folder or of an .npz file is accepted as well."),
        ("./nowhere", "There is no folder or .npz file ./nowhere."),
        ("nowhere.npz", "There is no file nowhere.npz."),
        ("notes.txt", "The file notes.txt is no data set; a folder or an .npz file is expected."),
        ("", "The data set needs a name or a path; known are cifar10,"),
    ],
)
def test_unusable_names_are_refused(tmp_path, monkeypatch, name, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(InputError, match=message):
        load(name)


@pytest.mark.parametrize("name", [*NAMES, "./images", "a.npz"])
def test_impossible_image_sizes_are_refused_for_every_source(name):
    with pytest.raises(InputError, match="The image size 3 is too small; the smallest is 8 pixels"):
        load(name, image_size=3)


def test_the_embedded_digits_do_not_need_tensorflow():
    script = (
        "import sys; from tfdpzoo.data import load; load('digits'); "
        "sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
