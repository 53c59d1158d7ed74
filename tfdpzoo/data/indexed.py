"""Images that are not in memory: each is read when it is asked for, by its number."""

from __future__ import annotations

import abc
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tfdpzoo.data.aligned import aligned_zeros
from tfdpzoo.data.images import resize_images
from tfdpzoo.memory import default_memory_limit, memory_in_words

# Enough that small images are not outweighed by handing them to a thread.
_IMAGES_A_TASK = 8


@dataclass(frozen=True, eq=False)
class IndexedImages(abc.ABC):
    """Images of one shape with random access, in the place of an array of them.

    Reading an image never changes it: the same number always gives the same pixels, and the numbers
    are those of the array that the images would make.

    Args:
        shape: Number, height, width and channels, as of an array.
    """

    shape: tuple[int, int, int, int]

    def __len__(self) -> int:
        """The number of images."""
        return self.shape[0]

    @property
    def dtype(self) -> np.dtype[np.uint8]:
        """The type of a pixel."""
        return np.dtype(np.uint8)

    @property
    def nbytes(self) -> int:
        """The memory that all images together would take."""
        return math.prod(self.shape)

    @abc.abstractmethod
    def read(self, indices: npt.NDArray[np.intp], out: npt.NDArray[np.uint8]) -> None:
        """Reads some images into an array that has a row for each.

        Args:
            indices: The numbers of the images, in any order.
            out: Where they go.

        Raises:
            InputError: An image cannot be read.
        """

    def take(self, indices: npt.ArrayLike) -> npt.NDArray[np.uint8]:
        """Returns some images as an array.

        Args:
            indices: The numbers of the images, in any order.

        Raises:
            InputError: An image cannot be read.
        """
        return taken(self, np.asarray(indices, np.intp))


Images = npt.NDArray[np.uint8] | IndexedImages
"""Images in memory, or read by index."""


@dataclass(frozen=True, eq=False)
class DecodedImages(IndexedImages):
    """Images that are decoded one by one, on all cores.

    Args:
        shape: Number, height, width and channels.
        decode: Returns the image of a number, `(height, width, channels)`, or raises an
            `InputError` that names it; called from several threads at once.

    Example:
        >>> images = DecodedImages((4, 8, 8, 1), lambda index: np.full((8, 8, 1), index, np.uint8))
        >>> images.take([3, 1])[:, 0, 0, 0]
        array([3, 1], dtype=uint8)
    """

    decode: Callable[[int], npt.NDArray[np.uint8]]

    def read(self, indices: npt.NDArray[np.intp], out: npt.NDArray[np.uint8]) -> None:
        """Decodes some images into an array; the first that cannot be decoded is the error."""

        def decode_from(start: int) -> None:
            for row in range(start, min(start + _IMAGES_A_TASK, len(indices))):
                out[row] = self.decode(int(indices[row]))

        with ThreadPoolExecutor() as executor:
            for _ in executor.map(decode_from, range(0, len(indices), _IMAGES_A_TASK)):
                pass


@dataclass(frozen=True, eq=False)
class ResizedImages(IndexedImages):
    """Other images, brought to one size when they are read; see `resized`."""

    images: Images

    def read(self, indices: npt.NDArray[np.intp], out: npt.NDArray[np.uint8]) -> None:
        """Resizes some images into an array."""
        for start in range(0, len(indices), _IMAGES_A_TASK):
            rows = slice(start, start + _IMAGES_A_TASK)
            out[rows] = resize_images(taken(self.images, indices[rows]), self.shape[1])


def resized(images: Images, image_size: int) -> ResizedImages:
    """Resizes the shorter side of images and crops the centre, when they are read.

    Args:
        images: Images in memory, or read by index.
        image_size: Side of the squares.

    Example:
        >>> resized(np.zeros((2, 28, 28, 1), np.uint8), 32).take([1]).shape
        (1, 32, 32, 1)
    """
    examples, _, _, channels = images.shape
    return ResizedImages((examples, image_size, image_size, channels), images)


def held_within(limit: int | None, splits: Sequence[IndexedImages]) -> Sequence[Images]:
    """Brings all splits of a data set into memory, where they fit together; otherwise none.

    Args:
        limit: How many bytes they may take; None for half of the free memory.
        splits: Images that are read by index.

    Raises:
        InputError: An image cannot be read.
        MemoryError: Not even a single image fits.

    Example:
        >>> images = DecodedImages((4, 8, 8, 1), lambda index: np.full((8, 8, 1), index, np.uint8))
        >>> [type(each).__name__ for limit in (256, 255) for each in held_within(limit, [images])]
        ['ndarray', 'DecodedImages']
    """
    if not are_within(limit, [split.shape for split in splits]):
        return splits
    return [split.take(np.arange(len(split))) for split in splits]


def are_within(limit: int | None, shapes: Sequence[Sequence[int]]) -> bool:
    """Tells whether images of some shapes fit into memory together.

    Args:
        limit: How many bytes they may take; None for half of the free memory.
        shapes: Number, height, width and channels of each split.

    Raises:
        MemoryError: Not even a single image fits.
    """
    limit = default_memory_limit() if limit is None else limit
    largest = max(math.prod(shape[1:]) for shape in shapes)
    if largest > limit:
        raise MemoryError(
            f"a single one takes {memory_in_words(largest)}, the limit is {memory_in_words(limit)}"
        )
    return sum(math.prod(shape) for shape in shapes) <= limit


def taken(
    values: np.ndarray | IndexedImages, indices: npt.NDArray[np.intp], rows: int | None = None
) -> np.ndarray:
    """Returns some values and then zeros, in an array that TensorFlow takes without a copy.

    Args:
        values: An array, or images that are read by index.
        indices: The numbers of the values.
        rows: How many rows there are with the zeros; by default as many as indices.

    Example:
        >>> taken(np.arange(5.0), np.array([4, 2]), rows=3)
        array([4., 2., 0.])
    """
    rows = len(indices) if rows is None else rows
    result = aligned_zeros((rows, *values.shape[1:]), values.dtype)
    if isinstance(values, IndexedImages):
        values.read(indices, result[: len(indices)])
    else:
        # NumPy writes straight to `out` in this mode alone, which hides no index out of range:
        # the callers' indices are those of a sample or of a range.
        np.take(values, indices, axis=0, out=result[: len(indices)], mode="clip")
    return result


def in_blocks(images: np.ndarray | IndexedImages, rows: int) -> Iterator[np.ndarray]:
    """Yields images in order, some at a time, of which only those are in memory.

    Args:
        images: Images in memory, or read by index.
        rows: How many at a time; the last block may be smaller.

    Example:
        >>> [len(block) for block in in_blocks(np.zeros((5, 8, 8, 1), np.uint8), 2)]
        [2, 2, 1]
    """
    for start in range(0, len(images), rows):
        end = min(start + rows, len(images))
        if isinstance(images, IndexedImages):
            yield images.take(np.arange(start, end))
        else:
            yield images[start:end]
