import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tfdpzoo.data.npz import load_npz
from tfdpzoo.errors import InputError

OURS = ("train_images", "train_labels", "test_images", "test_labels")
KERAS = ("x_train", "y_train", "x_test", "y_test")


def arrays(names=OURS, **changes):
    images = np.random.default_rng(0).integers(0, 256, (6, 8, 9, 3), np.uint8)
    values = (images[:4], np.array([0, 2, 1, 0]), images[4:], np.array([1, 2]))
    return dict(zip(names, values, strict=True)) | changes


def save(tmp_path, contents):
    np.savez(tmp_path / "mine.npz", **contents)
    return tmp_path / "mine.npz"


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    images=hnp.arrays(
        np.uint8, st.sampled_from([(5, 8, 8), (5, 9, 8, 1), (5, 8, 10, 3), (5, 8, 8, 3)])
    ),
    labels=hnp.arrays(
        st.sampled_from([np.uint8, np.int32, np.int64]), (5, 1), elements=st.integers(0, 3)
    ),
    names=st.sampled_from([OURS, KERAS]),
)
def test_round_trip(tmp_path, images, labels, names):
    labels[0] = 3
    dataset = load_npz(
        save(tmp_path, dict(zip(names, (images, labels, images, labels), strict=True)))
    )
    assert dataset.name == "mine"
    np.testing.assert_array_equal(dataset.train_images.reshape(images.shape), images)
    np.testing.assert_array_equal(dataset.test_labels, labels[:, 0])
    assert dataset.class_names == ("0", "1", "2", "3")
    assert dataset.normalization.mean == (127.5,) * dataset.input_shape[2]


def test_class_names_may_be_given(tmp_path):
    contents = arrays(class_names=np.array(["cat", "dog", "ant", "bee"]))
    assert load_npz(save(tmp_path, contents)).class_names == ("cat", "dog", "ant", "bee")


def test_float_pixels_up_to_255_are_taken(tmp_path):
    contents = arrays()
    expected = contents["train_images"]
    contents["train_images"] = expected.astype(np.float32)
    np.testing.assert_array_equal(load_npz(save(tmp_path, contents)).train_images, expected)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_images": np.full((4, 8, 9, 3), 0.25)}, "mine: train_images .*multiply them by 25"),
        ({"test_images": np.full((2, 8, 9, 3), np.nan)}, "mine: test_images has NaN or infinite"),
        (
            {"test_images": np.zeros((2, 9, 9, 3), np.uint8)},
            r"\(8, 9, 3\) and its test .*\(9, 9, 3",
        ),
        ({"train_labels": np.array([0, 1])}, "train_images holds 4 images and train_labels 2"),
        ({"train_labels": np.zeros(4)}, "mine: train_labels must hold integers"),
        ({"train_labels": np.array([0, 1, 2, 9])}, "out of range: 9 with only 4 training images"),
        ({"test_labels": np.array([1, 3])}, "mine: test_labels .* out of range: 3 at example 1"),
        ({"class_names": np.array([1, 2, 3])}, "'class_names' of .* must be a list of strings"),
        ({"class_names": np.array(["a", "b"])}, "out of range: 2 at example 1, with 2 classes"),
        ({"train_images": np.array([{}, {}])}, "pickled objects .* write it with np.savez"),
    ],
)
def test_unusable_arrays_are_refused(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        load_npz(save(tmp_path, arrays(**changes)))


def test_a_missing_array_is_named_with_the_nearest_name(tmp_path):
    contents = arrays()
    contents["train_label"] = contents.pop("train_labels")
    with pytest.raises(
        InputError,
        match=r"mine.npz has no array 'train_labels' \(or 'y_train'\); did you mean 'train_label'\?"
        " It holds: test_images, test_labels, train_images, train_label.",
    ):
        load_npz(save(tmp_path, contents))
    with pytest.raises(InputError, match=r"has no array 'train_images' \(or 'x_train'\)\. It hol"):
        load_npz(save(tmp_path, {"foo": np.zeros(2)}))


def test_files_that_are_no_archive_are_refused(tmp_path):
    with pytest.raises(InputError, match="There is no file .*none.npz"):
        load_npz(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("hello, this is no archive")
    with pytest.raises(InputError, match="pickled objects or is no NumPy archive"):
        load_npz(tmp_path / "text.npz")
    (tmp_path / "empty.npz").write_bytes(b"")
    with pytest.raises(InputError, match="empty.npz cannot be read as a NumPy .npz archive"):
        load_npz(tmp_path / "empty.npz")
    with (tmp_path / "single.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(InputError, match="single.npz holds a single array"):
        load_npz(tmp_path / "single.npz")


@pytest.mark.parametrize("saver", [np.savez, np.savez_compressed])
def test_a_damaged_archive_is_refused(tmp_path, saver):
    path = tmp_path / "mine.npz"
    saver(path, **arrays())
    content = bytearray(path.read_bytes())
    content[300:340] = bytes(40)
    path.write_bytes(content)
    with pytest.raises(InputError, match="mine.npz cannot be read as a NumPy .npz archive"):
        load_npz(path)
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="mine.npz cannot be read as a NumPy .npz archive"):
        load_npz(path)
