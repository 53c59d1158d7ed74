"""Arguments that every architecture has, and the sentences for those it cannot take."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any

from tfdpzoo.errors import InputError


def is_whole(value: Any) -> bool:
    """Tells whether a value is a whole number of at least 1; True and False are none.

    Example:
        >>> is_whole(3), is_whole(0), is_whole(2.0), is_whole(True)
        (True, False, False, False)
    """
    return isinstance(value, numbers.Integral) and not isinstance(value, bool) and int(value) > 0


def require_classes(classes: Any) -> None:
    """Checks that there are classes to tell apart.

    Raises:
        InputError: There are not two.
    """
    if not is_whole(classes) or classes < 2:
        raise InputError(f"classes is {classes!r}; a classifier needs a whole number from 2 on.")


def require_images(
    model: str, input_shape: Any, smallest_side: int, channels: Sequence[int] | None = None
) -> None:
    """Checks that a model can take images of a shape.

    Args:
        model: What the sentence calls it, as "SmoothNet" or "a ResNet-9".
        input_shape: Height, width and channels.
        smallest_side: The least height and width.
        channels: How many channels images may have; by default any number.

    Raises:
        InputError: It cannot.

    Example:
        >>> require_images("a ResNet-9", (8, 8, 3), 16)
        Traceback (most recent call last):
        ...
        tfdpzoo.errors.InputError: input_shape is (8, 8, 3); a ResNet-9 takes (height, width, \
channels) with sides of at least 16.
    """
    shape = tuple(input_shape) if isinstance(input_shape, tuple | list) else ()
    if (
        len(shape) == 3
        and all(map(is_whole, shape))
        and min(shape[:2]) >= smallest_side
        and (channels is None or shape[2] in channels)
    ):
        return
    limit = "" if channels is None else f" and {' or '.join(map(str, channels))} channels"
    raise InputError(
        f"input_shape is {input_shape!r}; {model} takes (height, width, channels) with sides of at "
        f"least {smallest_side}{limit}."
    )
