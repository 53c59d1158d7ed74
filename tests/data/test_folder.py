import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from tfdpzoo.data.folder import load_folder
from tfdpzoo.errors import InputError


def write(root, files):
    """Writes {"train/cat/1.png": pixels or bytes} below a folder."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            Image.fromarray(content).save(path)
    return root


def pixels(*shape, value=0):
    return np.full(shape, value, np.uint8)


def two_classes(shape=(8, 8, 3), test="test"):
    return {
        "train/dog/b.PNG": pixels(*shape, value=4),
        "train/dog/a.png": pixels(*shape, value=3),
        "train/cat/z.jpg": pixels(*shape, value=1),
        "train/cat/é.JPeG": pixels(*shape, value=2),
        f"{test}/dog/a.png": pixels(*shape, value=5),
    }


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(hnp.arrays(np.uint8, st.sampled_from([(4, 8, 8), (4, 8, 11, 3)])))
def test_png_round_trip(tmp_path, images):
    for old in sorted(tmp_path.rglob("*.png")):
        old.unlink()
    names = ["train/a/0.png", "train/a/1.png", "train/b/0.png", "test/b/0.png"]
    dataset = load_folder(write(tmp_path, dict(zip(names, images, strict=True))))
    np.testing.assert_array_equal(dataset.train_images.reshape(images[:3].shape), images[:3])
    np.testing.assert_array_equal(dataset.test_images.reshape(images[3:].shape), images[3:])


@pytest.mark.parametrize("test", ["test", "val"])
def test_classes_and_files_come_sorted(tmp_path, test):
    root = write(tmp_path / "pets", two_classes(test=test))
    dataset = load_folder(root)
    assert dataset.name == "pets"
    assert dataset.class_names == ("cat", "dog")
    assert dataset.train_images[:, 0, 0, 0].tolist() == [1, 2, 3, 4]
    assert dataset.train_labels.tolist() == [0, 0, 1, 1]
    assert dataset.test_labels.tolist() == [1]
    assert dataset.normalization.mean == (127.5,) * 3


def test_the_test_split_wins_over_val(tmp_path):
    files = two_classes() | {"val/cat/a.png": pixels(8, 8, 3)}
    assert load_folder(write(tmp_path, files)).test_labels.tolist() == [1]


def test_images_are_resized_and_cropped(tmp_path):
    files = two_classes() | {"train/cat/long.png": pixels(10, 40, 3)}
    dataset = load_folder(write(tmp_path, files), image_size=16)
    assert dataset.input_shape == (16, 16, 3)
    assert dataset.examples == 5


def test_one_colour_image_makes_every_image_rgb(tmp_path):
    root = write(tmp_path, two_classes((8, 8)))
    assert load_folder(root).input_shape == (8, 8, 1)
    write(root, {"test/cat/colour.png": pixels(8, 8, 3)})
    assert load_folder(root).input_shape == (8, 8, 3)


def test_hidden_files_are_not_data(tmp_path):
    names = (".DS_Store", "train/.x.png", "train/cat/._z.jpg", "train/.tmp/a.png")
    hidden = dict.fromkeys((*names, "train/cat/Thumbs.db"), b"")
    assert load_folder(write(tmp_path, two_classes() | hidden)).examples == 4


def test_notes_beside_the_class_folders_are_allowed(tmp_path):
    assert load_folder(write(tmp_path, two_classes() | {"train/LICENSE": b""})).examples == 4


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"test/cat/new.png": b"x"}, r"new.png cannot be read \(it is not a JPEG or PNG image\)"),
        ({"train/cat/notes.txt": b"x"}, "notes.txt is not a .jpg, .jpeg or .png file; convert it"),
        ({"train/cat/a.webp": b"x"}, "a.webp is not a .jpg, .jpeg or .png file"),
        ({"train/cat/more/a.png": pixels(8, 8, 3)}, "more is not a .jpg, .jpeg or .png file"),
        ({"train/loose.png": b"x"}, "loose.png lies outside of a class folder; .* train/CLASS/loo"),
        ({"test/ant/a.png": b"x"}, "test has the class 'ant', which .*train does not have"),
        ({"train/ant/.keep": b""}, "train.ant is empty; .jpg or .png images are expected"),
        ({"test/cat/.keep": b""}, "test.cat is empty; .jpg or .png images are expected"),
        (
            {"train/cat/large.png": pixels(9, 12, 3)},
            r"differ in size \(train.cat.large.png is 12 x 9, train.cat.z.jpg is 8 x 8\); "
            "give --image-size",
        ),
    ],
)
def test_unusable_files_are_refused(tmp_path, files, message):
    with pytest.raises(InputError, match=message):
        load_folder(write(tmp_path, two_classes() | files))


def test_a_truncated_image_is_named(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    root = write(tmp_path, two_classes((64, 64, 3)) | {"train/cat/cut.jpg": noise})
    path = root / "train/cat/cut.jpg"
    path.write_bytes(path.read_bytes()[:1500])
    with pytest.raises(InputError, match=r"cut.jpg cannot be read \(.*truncated.*\); repair or"):
        load_folder(root)


def test_images_turned_by_the_camera_count_by_their_shown_size(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    root = write(tmp_path, two_classes((8, 12, 3)))
    Image.fromarray(pixels(8, 12, 3)).save(root / "train/cat/zz.jpg", exif=exif)
    with pytest.raises(InputError, match=r"train.cat.zz.jpg is 8 x 12\); give --image-size"):
        load_folder(root)
    assert load_folder(root, image_size=8).examples == 5


def test_missing_folders_are_refused(tmp_path):
    with pytest.raises(InputError, match="There is no folder .*nowhere"):
        load_folder(tmp_path / "nowhere")
    with pytest.raises(InputError, match="has no folder 'train'; images are expected as train/CL"):
        load_folder(tmp_path)
    (tmp_path / "train").mkdir()
    with pytest.raises(InputError, match="has neither 'test' nor 'val'; held-out images are need"):
        load_folder(tmp_path)
    (tmp_path / "val").mkdir()
    with pytest.raises(InputError, match="train is empty; one folder a class is expected in it"):
        load_folder(tmp_path)


def test_a_single_class_is_refused(tmp_path):
    files = {"train/cat/a.png": pixels(8, 8), "test/cat/a.png": pixels(8, 8)}
    with pytest.raises(InputError, match="needs at least 2 classes, it has 1"):
        load_folder(write(tmp_path, files))


def test_tiny_images_are_refused(tmp_path):
    with pytest.raises(InputError, match="images of 4 x 4 pixels; the smallest size is 8 x 8"):
        load_folder(write(tmp_path, two_classes((4, 4, 3))))
    with pytest.raises(InputError, match="The image size 4 is too small"):
        load_folder(tmp_path, image_size=4)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root reads everything")
def test_files_without_permission_are_named(tmp_path):
    root = write(tmp_path, two_classes())
    (root / "train/cat/z.jpg").chmod(0)
    with pytest.raises(InputError, match=r"z.jpg cannot be read \(Permission denied\)"):
        load_folder(root)


def test_real_photographs(shared_data):
    dataset = load_folder(shared_data / "imagenette-sample", image_size=64)
    assert dataset.input_shape == (64, 64, 3)
    assert (dataset.examples, len(dataset.test_images)) == (1500, 500)
    assert np.bincount(dataset.train_labels).tolist() == [150] * 10
    assert np.bincount(dataset.test_labels).tolist() == [50] * 10
    assert dataset.class_names[0] == "n01440764"
    # Photographs: neither blank nor dark, whatever the decoder does.
    assert 90 < dataset.train_images.mean() < 150
    assert dataset.train_images.std(axis=(1, 2, 3)).min() > 5
