"""Checks that turn given arrays into uint8 pixels and int64 labels, or say what is wrong."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tfdpzoo.errors import InputError

MINIMUM_SIDE = 8
"""The smallest height and width, in pixels, that the zoo's architectures take."""


def as_pixels(images: npt.ArrayLike, name: str) -> npt.NDArray[np.uint8]:
    """Returns images as uint8 pixels with a channel axis, or raises a sentence that says why not.

    Floating-point pixels are rounded to the nearest integer. Nothing is rescaled and no image is
    dropped.

    Args:
        images: Array of shape [n, height, width] or [n, height, width, channels] with 1 or 3
            channels, height and width at least 8, pixels between 0 and 255.
        name: What the array is called in an error, for example `"train_images"`.

    Returns:
        Array [n, height, width, channels] of type uint8; not a copy where none is needed.

    Raises:
        InputError: The array is empty, has another shape or type, or holds pixels that are NaN,
            infinite or outside of 0 to 255.

    Example:
        >>> as_pixels(np.full((2, 8, 8), 254.6), "train_images").shape
        (2, 8, 8, 1)
    """
    array = np.asarray(images)
    check_image_shape(array.shape, name)
    if array.dtype != np.uint8:
        _check_pixel_values(array, name)
        array = (np.rint(array) if array.dtype.kind == "f" else array).astype(np.uint8)
    return array[..., np.newaxis] if array.ndim == 3 else array


def as_labels(labels: npt.ArrayLike, name: str) -> npt.NDArray[np.int64]:
    """Returns labels as int64 of shape [n], or raises a sentence that says why not.

    Args:
        labels: Array of integers of shape [n] or [n, 1].
        name: What the array is called in an error, for example `"train_labels"`.

    Returns:
        Array [n] of type int64.

    Raises:
        InputError: The labels are not integers, are negative, or have another shape.

    Example:
        >>> as_labels([[3], [0]], "train_labels")
        array([3, 0])
    """
    array = np.asarray(labels)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 2:
        raise InputError(
            f"{name} has the shape {array.shape}, one integer an image is expected; "
            "for one-hot labels give labels.argmax(axis=1)."
        )
    if array.ndim != 1:
        raise InputError(f"{name} has the shape {array.shape}, one integer an image is expected.")
    if array.dtype.kind not in "iu":
        raise InputError(
            f"{name} must hold integers, the number of each image's class from 0 on, "
            f"not {array.dtype}."
        )
    if array.size and array.min() < 0:
        raise InputError(
            f"{name} has labels out of range: {array.min()} at example {array.argmin()}; "
            "classes count from 0."
        )
    return array.astype(np.int64)


def check_image_shape(shape: tuple[int, ...], name: str) -> None:
    """Refuses the shape of an array that cannot be one of images here.

    Args:
        shape: Of the array.
        name: What the array is called in an error.

    Raises:
        InputError: There are no images, or they have another number of axes or channels, or they
            are too small.
    """
    if len(shape) not in (3, 4):
        raise InputError(
            f"{name} has the shape {shape}; images are expected as [n, height, width] "
            "or [n, height, width, channels]."
        )
    if shape[0] == 0:
        raise InputError(f"{name} holds no images; both splits need at least one.")
    if len(shape) == 4 and shape[3] not in (1, 3):
        channels_first = shape[1] in (1, 3)
        hint = "; move the channels last with np.moveaxis(images, 1, -1)" if channels_first else ""
        raise InputError(
            f"{name} has images of shape {shape[1:]}; the last axis must be 1 or 3 channels{hint}."
        )
    if min(shape[1:3]) < MINIMUM_SIDE:
        raise InputError(
            f"{name} has images of {shape[1]} x {shape[2]} pixels; "
            f"the smallest size is {MINIMUM_SIDE} x {MINIMUM_SIDE}."
        )


def _check_pixel_values(array: np.ndarray, name: str) -> None:
    if array.dtype.kind not in "fiu":
        raise InputError(
            f"{name} must hold pixels from 0 to 255 (uint8, or floats in that range), "
            f"not {array.dtype}."
        )
    if array.dtype.kind == "f":
        broken = np.flatnonzero(~np.isfinite(array).reshape(len(array), -1).all(axis=1))
        if broken.size:
            raise InputError(
                f"{name} has NaN or infinite pixels in {broken.size} of {len(array)} images, "
                f"the first is image {broken[0]}; repair them, none is skipped."
            )
    lowest, highest = array.min(), array.max()
    if lowest < 0 or highest > 255:
        raise InputError(
            f"{name} has pixels from {lowest:g} to {highest:g}, pixels run from 0 to 255 here; "
            "give them as they were before any normalization."
        )
    if array.dtype.kind == "f" and highest <= 1:
        raise InputError(
            f"{name} has floats from {lowest:g} to {highest:g}, pixels run from 0 to 255 here; "
            "multiply them by 255."
        )
