"""The form in which every data source hands over its examples."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tfdpzoo.data.indexed import Images, IndexedImages
from tfdpzoo.data.pixels import as_labels, as_pixels, check_image_shape
from tfdpzoo.errors import InputError


@dataclass(frozen=True)
class Normalization:
    """Constants that bring pixels to about zero mean and unit variance: (pixel - mean) / std.

    They are published or fixed, never computed from the training examples: a statistic of private
    data that enters the model is a release that no accountant has seen.

    Args:
        mean: One number a channel, in pixel units (0 to 255).
        std: One number above 0 a channel, in pixel units.
        source: Where the numbers come from, in words.

    Raises:
        InputError: The lengths differ, or a number is not finite, or a `std` is not above 0.

    Example:
        >>> Normalization.centered(1).mean
        (127.5,)
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    source: str

    def __post_init__(self) -> None:
        if not self.mean or len(self.mean) != len(self.std):
            raise InputError(
                "A normalization needs one mean and one std a channel, "
                f"not {len(self.mean)} means and {len(self.std)} stds."
            )
        if not all(math.isfinite(value) for value in (*self.mean, *self.std)) or min(self.std) <= 0:
            raise InputError(
                f"A normalization needs finite means and stds above 0, not mean {self.mean} "
                f"and std {self.std}."
            )

    @classmethod
    def centered(cls, channels: int) -> Normalization:
        """Returns the fixed constants that map 0 to 255 onto -1 to 1, for any image.

        Args:
            channels: Number of channels, at least 1.
        """
        constants = (127.5,) * channels
        return cls(constants, constants, "fixed constants that map 0..255 onto -1..1")

    @classmethod
    def from_unit_range(
        cls, mean: tuple[float, ...], std: tuple[float, ...], source: str
    ) -> Normalization:
        """Returns constants that were published for pixels from 0 to 1.

        Args:
            mean: One number a channel, for pixels from 0 to 1.
            std: One number a channel, for pixels from 0 to 1.
            source: Where the numbers come from, in words.

        Example:
            >>> Normalization.from_unit_range((0.4,), (0.2,), "a paper").mean
            (102.0,)
        """
        return cls(
            tuple(round(255.0 * value, 6) for value in mean),
            tuple(round(255.0 * value, 6) for value in std),
            f"{source}, times 255",
        )


@dataclass(frozen=True, eq=False)
class ImageDataset:
    """Labelled images, a training and a test split of one image shape.

    The images are arrays, or `IndexedImages` where they do not fit into memory; labels are arrays.

    Every training example of the source is here exactly once and in the source's order: the
    guarantee counts them, so none may be dropped, repeated or skipped.

    Args:
        name: What the data set is called in reports.
        train_images: Pixels from 0 to 255, [n, height, width, channels] (or without the channel
            axis) with 1 or 3 channels and sides of at least 8. Kept as uint8, or read by index.
        train_labels: Class numbers from 0 on, [n] or [n, 1]. Kept as int64 of shape [n].
        test_images: As `train_images`, the same image shape.
        test_labels: As `train_labels`.
        class_names: One name a class, at least two; label i means `class_names[i]`. Names and
            their number are taken to be public.
        normalization: One mean and std a channel.

    Raises:
        InputError: The arrays do not fit the description or one another.

    Example:
        >>> images, labels = np.zeros((4, 8, 8), np.uint8), [0, 1, 1, 0]
        >>> dataset = ImageDataset("blank", images, labels, images, labels, ("no", "yes"),
        ...                        Normalization.centered(1))
        >>> dataset.input_shape, dataset.classes, dataset.examples
        ((8, 8, 1), 2, 4)
    """

    name: str
    train_images: Images = field(repr=False)
    train_labels: npt.NDArray[np.int64] = field(repr=False)
    test_images: Images = field(repr=False)
    test_labels: npt.NDArray[np.int64] = field(repr=False)
    class_names: tuple[str, ...]
    normalization: Normalization

    def __post_init__(self) -> None:
        object.__setattr__(self, "class_names", tuple(str(name) for name in self.class_names))
        if len(self.class_names) < 2:
            raise InputError(
                f"The data set {self.name!r} needs at least 2 classes, it has "
                f"{len(self.class_names)}."
            )
        for split in ("train", "test"):
            self._check_split(split)
        if self.train_images.shape[1:] != self.test_images.shape[1:]:
            raise InputError(
                f"The training images of {self.name!r} have the shape "
                f"{self.train_images.shape[1:]} and its test images {self.test_images.shape[1:]}; "
                "both need one shape."
            )
        if len(self.normalization.mean) != self.input_shape[2]:
            raise InputError(
                f"The images of {self.name!r} have {self.input_shape[2]} channels and its "
                f"normalization {len(self.normalization.mean)}."
            )

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of every image."""
        height, width, channels = self.train_images.shape[1:]
        return height, width, channels

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @property
    def examples(self) -> int:
        """Number of training examples, the N of the privacy accounting."""
        return len(self.train_images)

    @property
    def decoded_bytes(self) -> int:
        """The memory that all images take, or would take."""
        return self.train_images.nbytes + self.test_images.nbytes

    @property
    def in_memory(self) -> bool:
        """Whether all images are in memory, and none is read when it is used."""
        return not any(
            isinstance(images, IndexedImages) for images in (self.train_images, self.test_images)
        )

    def _check_split(self, split: str) -> None:
        images = _checked(getattr(self, f"{split}_images"), f"{self.name}: {split}_images")
        labels = as_labels(getattr(self, f"{split}_labels"), f"{self.name}: {split}_labels")
        if len(images) != len(labels):
            raise InputError(
                f"{self.name}: {split}_images holds {len(images)} images and {split}_labels "
                f"{len(labels)} labels; there must be one label an image."
            )
        if labels.max() >= self.classes:
            raise InputError(
                f"{self.name}: {split}_labels has labels out of range: {labels.max()} at example "
                f"{labels.argmax()}, with {self.classes} classes they run from 0 to "
                f"{self.classes - 1}."
            )
        object.__setattr__(self, f"{split}_images", images)
        object.__setattr__(self, f"{split}_labels", labels)


def _checked(images: Images, name: str) -> Images:
    if not isinstance(images, IndexedImages):
        return as_pixels(images, name)
    check_image_shape(images.shape, name)
    return images
