"""Image files for a served model, brought to its size as the training images were to theirs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tfdpzoo.data.images import decode_image, read_header
from tfdpzoo.errors import InputError


def read_images(files: Sequence[Path], shape: tuple[int, int, int]) -> npt.NDArray[np.uint8]:
    """Reads JPEG or PNG files.

    For a model of square images the shorter side is resized and the centre is cropped, as
    `tfdpzoo.data.folder` does; others must have the model's size.

    Args:
        files: The files.
        shape: Height, width and channels of the model's images; 1 channel makes them grey.

    Returns:
        Raw pixels, `[images, height, width, channels]`.

    Raises:
        InputError: A file is no such image, or has another size than a model that is not square.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> file = Path(tempfile.mkdtemp()) / "cat.png"
        >>> Image.new("RGB", (40, 20)).save(file)
        >>> read_images([file], (16, 16, 3)).shape
        (1, 16, 16, 3)
    """
    return np.stack([_read(file, shape) for file in files])


def _read(file: Path, shape: tuple[int, int, int]) -> npt.NDArray[np.uint8]:
    height, width, channels = shape
    read_header(file)
    pixels = decode_image(file, channels=channels, image_size=height if height == width else None)
    if pixels.shape != shape:
        raise InputError(
            f"The image {file} has {pixels.shape[1]} x {pixels.shape[0]} pixels, but the model "
            f"takes {width} x {height}, which is not square; resize it."
        )
    return pixels
