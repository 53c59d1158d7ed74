import numpy as np
from sklearn import datasets

from tfdpzoo.data.digits import load_digits


def test_every_digit_is_in_one_split():
    dataset = load_digits()
    images = np.concatenate([dataset.train_images, dataset.test_images])[..., 0]
    ours = sorted(image.tobytes() for image in images)
    # 0..16 times 255/16, rounded; the largest rounding error is half a grey level.
    raw = np.rint(datasets.load_digits().images * 15.9375).astype(np.uint8)
    assert ours == sorted(image.tobytes() for image in raw)
    assert (images.min(), images.max()) == (0, 255)


def test_the_split_is_stratified_four_to_one():
    dataset = load_digits()
    assert (dataset.examples, len(dataset.test_images)) == (1433, 364)
    train, test = np.bincount(dataset.train_labels), np.bincount(dataset.test_labels)
    assert np.all(np.abs(train - 4 * test) <= 4)


def test_the_split_is_the_same_every_time():
    first, second = load_digits(), load_digits()
    np.testing.assert_array_equal(first.train_images, second.train_images)
    np.testing.assert_array_equal(first.test_labels, second.test_labels)
    # The first digit 0, 1, ... 9 of the source is held out; so is the sixth, the eleventh, ...
    source = datasets.load_digits()
    assert set(first.test_labels[:10]) == set(range(10))
    threes = np.flatnonzero(source.target == 3)
    np.testing.assert_array_equal(
        first.test_images[first.test_labels == 3][1, ..., 0],
        np.rint(source.images[threes[5]] * 15.9375),
    )


def test_normalization_is_fixed():
    normalization = load_digits().normalization
    assert (normalization.mean, normalization.std) == ((127.5,), (127.5,))
    assert "fixed constants" in normalization.source
