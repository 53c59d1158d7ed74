"""The handwritten digits that are embedded in scikit-learn: real data without any download."""

from __future__ import annotations

import numpy as np

from tfdpzoo.data.dataset import ImageDataset, Normalization

_CLASS_NAMES = tuple(str(digit) for digit in range(10))


def load_digits() -> ImageDataset:
    """Loads 1797 grey 8 x 8 images of handwritten digits.

    The split is fixed and stratified, without random numbers: of every five images of a class,
    in the order in which scikit-learn holds them, the first is for testing and the other four are
    for training. That makes 1433 training and 364 test images.

    Returns:
        The data set; scikit-learn's intensities 0 to 16 are scaled to pixels 0 to 255.

    Example:
        >>> dataset = load_digits()
        >>> dataset.input_shape, dataset.examples, len(dataset.test_images)
        ((8, 8, 1), 1433, 364)

    Reference:
        E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning
        Repository, 1998 (its test set).
    """
    from sklearn import datasets

    digits = datasets.load_digits()
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)[..., np.newaxis]
    labels = digits.target.astype(np.int64)
    is_test = np.zeros(len(labels), bool)
    for label in range(10):
        is_test[np.flatnonzero(labels == label)[::5]] = True
    return ImageDataset(
        name="digits",
        train_images=images[~is_test],
        train_labels=labels[~is_test],
        test_images=images[is_test],
        test_labels=labels[is_test],
        class_names=_CLASS_NAMES,
        normalization=Normalization.centered(1),
    )
