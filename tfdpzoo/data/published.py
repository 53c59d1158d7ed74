"""What is published of the data sets that have a name: their sizes, known without reading them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType


@dataclass(frozen=True)
class PublishedSize:
    """The size of a data set.

    Attributes:
        examples: Number of training examples.
        height: Of an image, in pixels; None where images differ in size.
        width: As `height`.
        channels: 1 or 3.
        classes: Number of classes.
    """

    examples: int
    height: int | None
    width: int | None
    channels: int
    classes: int

    @property
    def input_shape(self) -> tuple[int, int, int] | None:
        """Height, width and channels of an image; None where images differ in size."""
        if self.height is None or self.width is None:
            return None
        return self.height, self.width, self.channels


SIZES: Mapping[str, PublishedSize] = MappingProxyType(
    {
        # Four of five of the 1,797 digits; see tfdpzoo/data/digits.py for the split.
        "digits": PublishedSize(1433, 8, 8, 1, 10),
        "cifar10": PublishedSize(50_000, 32, 32, 3, 10),
        "fashion_mnist": PublishedSize(60_000, 28, 28, 1, 10),
        "imagenette": PublishedSize(9469, None, None, 3, 10),
        "mnist": PublishedSize(60_000, 28, 28, 1, 10),
    }
)
"""By the name that `tfdpzoo.data.load` takes."""


def published_size(name: str, image_size: int | None = None) -> PublishedSize | None:
    """Returns the size of a data set without reading it, so that it can be planned for.

    Args:
        name: A name or a path that `tfdpzoo.data.load` takes.
        image_size: Side of the square images to which they are brought; None keeps their own.

    Returns:
        The size, or None for a folder, a file or an unknown name.

    Example:
        >>> published_size("cifar10").input_shape
        (32, 32, 3)
        >>> published_size("imagenette", image_size=224).input_shape
        (224, 224, 3)
    """
    size = SIZES.get(name)
    if size is None or image_size is None:
        return size
    return replace(size, height=image_size, width=image_size)
