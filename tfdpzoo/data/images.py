"""Reading JPEG and PNG images with Pillow, and bringing images to one size."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from tfdpzoo.data.pixels import MINIMUM_SIDE
from tfdpzoo.errors import InputError

FORMATS = ("JPEG", "PNG")

# What Pillow raises for a damaged file depends on the format and on where the damage lies.
_DECODING_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    struct.error,
    Image.DecompressionBombError,
)


def check_image_size(image_size: int | None) -> None:
    """Refuses an image size that no model here takes.

    Args:
        image_size: Height and width in pixels, or None for images as they are.

    Raises:
        InputError: The size is not an integer of at least 8.
    """
    if image_size is None:
        return
    if isinstance(image_size, bool) or not isinstance(image_size, (int, np.integer)):
        raise InputError(f"The image size must be a whole number of pixels, not {image_size!r}.")
    if image_size < MINIMUM_SIDE:
        raise InputError(
            f"The image size {image_size} is too small; the smallest is {MINIMUM_SIDE} pixels."
        )


def read_header(path: Path) -> tuple[tuple[int, int], bool]:
    """Reads an image file's size and whether it is grey, without decoding its pixels.

    Args:
        path: A JPEG or PNG file.

    Returns:
        (height, width) as stored in the file, and True for a grey image.

    Raises:
        InputError: The file cannot be read as a JPEG or PNG image, or has more than 8 bits a pixel
            and channel.
    """
    try:
        with Image.open(path, formats=FORMATS) as image:
            mode, (width, height) = image.mode, image.size
    except _DECODING_ERRORS as error:
        raise _unreadable(str(path), error) from error
    if mode.startswith(("I", "F")):
        raise InputError(f"The image {path} has more than 8 bits a pixel; convert it to 8 bits.")
    return (height, width), mode in ("1", "L", "LA")


def decode_image(
    source: Path | IO[bytes], *, channels: int, image_size: int | None, name: str | None = None
) -> npt.NDArray[np.uint8]:
    """Decodes a JPEG or PNG image and brings it to one size.

    The orientation that a camera stored beside the pixels is applied; transparency is dropped.

    Args:
        source: A file, or an open stream.
        channels: 1 for grey pixels, 3 for RGB.
        image_size: Side of the square that is returned: the shorter side is resized to it, then
            the centre is cropped. None keeps the image's own size.
        name: What the image is called in an error; by default the file.

    Returns:
        Pixels, [height, width, channels].

    Raises:
        InputError: The image cannot be decoded.

    Example:
        >>> import io
        >>> stream = io.BytesIO()
        >>> Image.new("RGB", (40, 20)).save(stream, "PNG")
        >>> decode_image(stream, channels=3, image_size=16).shape
        (16, 16, 3)
    """
    try:
        with Image.open(source, formats=FORMATS) as opened:
            image = ImageOps.exif_transpose(opened)
            if "transparency" in image.info:
                # Pillow wants the palette's transparency spelled out before it can be dropped.
                image = image.convert("RGBA")
            image = image.convert("L" if channels == 1 else "RGB")
    except _DECODING_ERRORS as error:
        raise _unreadable(name or str(source), error) from error
    if image_size is not None:
        image = _resize_and_crop(image, image_size)
    return np.asarray(image).reshape(image.height, image.width, channels)


def resize_images(images: npt.NDArray[np.uint8], image_size: int | None) -> npt.NDArray[np.uint8]:
    """Resizes the shorter side of every image and crops the centre.

    Args:
        images: Pixels, [n, height, width, channels] with 1 or 3 channels.
        image_size: Side of the squares that are returned; None returns `images` as they are.

    Returns:
        Pixels, [n, image_size, image_size, channels].

    Example:
        >>> resize_images(np.zeros((2, 28, 28, 1), np.uint8), 32).shape
        (2, 32, 32, 1)
    """
    if image_size is None or images.shape[1:3] == (image_size, image_size):
        return images
    channels = images.shape[3]
    resized = np.empty((len(images), image_size, image_size, channels), np.uint8)
    for target, pixels in zip(resized, images, strict=True):
        image = Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
        target[...] = np.asarray(_resize_and_crop(image, image_size)).reshape(target.shape)
    return resized


def _resize_and_crop(image: Image.Image, image_size: int) -> Image.Image:
    # Pillow widens the filter when it shrinks an image, so that nothing aliases.
    return ImageOps.fit(image, (image_size, image_size), Image.Resampling.BILINEAR)


def _unreadable(name: str, error: Exception) -> InputError:
    if isinstance(error, UnidentifiedImageError):
        reason = "it is not a JPEG or PNG image"
    elif isinstance(error, OSError) and error.strerror:
        reason = error.strerror
    else:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return InputError(
        f"The image {name} cannot be read ({reason}); repair or remove it, "
        "no image is skipped silently."
    )
