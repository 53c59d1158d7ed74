"""What the clients of both APIs can do."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from tfdpzoo.errors import InputError
from tfdpzoo.serving.served_model import ServedSignatures

_ROUNDING = 1e-3
"""How far from 1 the sum of a row of float32 probabilities may be, with room for many classes."""


class Client(Protocol):
    """Asks one model of one server."""

    @property
    def place(self) -> str:
        """The model and its server, as they are called in a sentence."""

    def signatures(self) -> ServedSignatures:
        """Asks what the model takes and gives.

        Raises:
            InputError: The server does not answer in time, or does not serve the model.
        """

    def probabilities(self, images: npt.NDArray[np.uint8], classes: int) -> npt.NDArray[np.float64]:
        """Asks for the probability of each class.

        Args:
            images: Raw pixels, `[images, height, width, channels]`.
            classes: How many classes the model tells apart.

        Returns:
            `[images, classes]`.

        Raises:
            InputError: The server does not answer in time, refuses, or answers nonsense.
        """

    def guarantee(self) -> str:
        """Asks the model for its privacy record and returns its JSON, which nobody checked yet.

        Raises:
            InputError: The server does not answer in time, or the model has no record.
        """


def require_probabilities(
    values: npt.NDArray[np.float64], images: int, classes: int, place: str
) -> npt.NDArray[np.float64]:
    """Returns probabilities that a server gave; refuses what cannot be any.

    Args:
        values: What the server gave.
        images: How many images were sent.
        classes: How many classes the model tells apart.
        place: The model and its server, for the error.

    Raises:
        InputError: The shape is another one, or a row is no distribution.
    """
    if values.shape != (images, classes):
        raise InputError(
            f"{place} gave numbers of shape {values.shape} for {images} images of {classes} "
            "classes; it cannot be used."
        )
    if not (np.all(values >= 0) and np.allclose(values.sum(axis=1), 1.0, atol=_ROUNDING)):
        raise InputError(f"{place} gave numbers that are not probabilities; it cannot be used.")
    return values
