"""From image files to the classes that a model takes them for."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from serving_models import CLASS_NAMES

from tfdpzoo.data.folder import load_folder
from tfdpzoo.errors import InputError
from tfdpzoo.serving.class_names import read_class_names
from tfdpzoo.serving.images import read_images
from tfdpzoo.serving.predictions import predict_files
from tfdpzoo.serving.served_model import ServedSignatures


@dataclass
class Recorder:
    """A client that remembers what it was sent and always says class 2."""

    shape: tuple[int, int, int] = (8, 8, 3)
    sent: list[np.ndarray] = field(default_factory=list)
    place: str = "The model small at home"

    def signatures(self) -> ServedSignatures:
        return ServedSignatures(1, frozenset(), self.shape, 4)

    def probabilities(self, images: np.ndarray, classes: int) -> np.ndarray:
        self.sent.append(images)
        return np.tile([0.1, 0.2, 0.4, 0.3], (len(images), 1))

    def guarantee(self) -> str:
        raise NotImplementedError


def test_batches(images):
    client = Recorder()
    found = list(predict_files(client, images, CLASS_NAMES, batch_size=2))
    assert [len(batch) for batch in client.sent] == [2, 2, 1]
    assert [each.image for each in found] == images
    assert {(each.class_number, each.class_name, each.probability) for each in found} == {
        (2, "cat", 0.4)
    }


def test_images_are_brought_to_size_as_training_images_are(images, tmp_path):
    for split in ("train", "test"):
        for name in ("a", "b"):
            (tmp_path / split / name).mkdir(parents=True)
            for file in images:
                shutil.copy(file, tmp_path / split / name)
    loaded = load_folder(tmp_path, image_size=8).test_images
    expected = np.stack([loaded[index] for index in range(len(images))])
    np.testing.assert_array_equal(read_images(images, (8, 8, 3)), expected)


def test_a_model_of_grey_images_gets_them_grey(images):
    grey = np.asarray(Image.open(images[0]).convert("L"))
    assert read_images(images, (8, 8, 1)).shape == (5, 8, 8, 1)
    np.testing.assert_array_equal(read_images(images[:1], (8, 8, 1))[0, ..., 0], grey)


def test_images_of_a_model_that_is_not_square_must_fit(tmp_path):
    file = tmp_path / "a.png"
    Image.new("RGB", (12, 8)).save(file)
    assert read_images([file], (8, 12, 3)).shape == (1, 8, 12, 3)
    with pytest.raises(InputError, match=r"has 12 x 8 pixels, but the model takes 8 x 12, which"):
        read_images([file], (12, 8, 3))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is not a JPEG or PNG image"),
        (b"GIF89a", "it is not a JPEG or PNG image"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "cannot be read"),
    ],
)
def test_what_is_no_image(images, content, reason, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(content)
    with pytest.raises(InputError, match=f"The image {broken} cannot be read") as caught:
        list(predict_files(Recorder(), [*images, broken]))
    assert reason in str(caught.value)


def test_images_of_16_bits_are_refused(tmp_path):
    Image.fromarray(np.zeros((8, 8), np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(InputError, match="more than 8 bits a pixel"):
        read_images([tmp_path / "deep.png"], (8, 8, 1))


def test_files_that_are_not_there(tmp_path):
    for file, reason in ((tmp_path / "none.png", "No such file"), (tmp_path, "directory")):
        with pytest.raises(InputError, match=reason):
            list(predict_files(Recorder(), [file]))


def test_too_many_names(images):
    with pytest.raises(InputError, match=r"2 class names, but the model small at home tells 4"):
        list(predict_files(Recorder(), images, ["a", "b"]))


@pytest.mark.parametrize("batch_size", [0, -1, 5000])
def test_batches_that_cannot_be(images, batch_size):
    with pytest.raises(InputError, match=f"{batch_size} images cannot be sent at once"):
        list(predict_files(Recorder(), images, batch_size=batch_size))


@pytest.mark.parametrize("text", ['["a b", "c"]', "a b\nc\n", "\ufeffa b\r\nc"])
def test_names_from_a_file(text, tmp_path):
    (tmp_path / "names").write_text(text, encoding="utf-8")
    assert read_class_names(str(tmp_path / "names")) == ("a b", "c")


def test_names_of_a_model(models):
    assert read_class_names("small@champion", models) == CLASS_NAMES
    assert read_class_names(str(models / "small")) == CLASS_NAMES


def test_names_from_a_text_that_is_no_path(models):
    with pytest.raises(InputError, match="names the version"):
        read_class_names("small:" + "x" * 200, models)


@pytest.mark.parametrize("content", [b"", b" \n", b"[1, 2]", b'["a"', b"[" * 10_000, b"[]"])
def test_files_without_names(content, tmp_path):
    (tmp_path / "names").write_bytes(content)
    with pytest.raises(InputError, match="holds no class names: a JSON list"):
        read_class_names(str(tmp_path / "names"))


def test_names_that_are_no_utf8(tmp_path):
    (tmp_path / "names").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="it is not UTF-8"):
        read_class_names(str(tmp_path / "names"))


def test_a_model_without_names(tmp_path):
    version = tmp_path / "plain" / "1"
    version.mkdir(parents=True)
    (version / "saved_model.pb").write_bytes(b"")
    with pytest.raises(InputError, match="does not know its classes' names; give a file"):
        read_class_names("plain", tmp_path)
    with pytest.raises(InputError, match="no model in"):
        read_class_names("plane", Path(tmp_path))
