"""Does a converted model compute what the original computes? Measured on random images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tfdpzoo.conversion.original import OUTPUTS, Original
from tfdpzoo.errors import InputError

TOLERANCE = 1e-4
"""Of the largest output, or of 1 where that is smaller. Runtimes add float32 numbers in different
orders, which moves the logits of the zoo's deepest model, a Wide-ResNet-40-4, by some 1e-5. In a
SmoothNet for digits a transposed kernel moves them by 0.8, a reversed bias by 0.008 at least."""

BATCH_SIZES = (1, 3, 8)

Predict = Callable[[np.ndarray], Mapping[str, np.ndarray]]
"""From raw pixels to some of `OUTPUTS`."""


@dataclass(frozen=True)
class Agreement:
    """How far a converted model is from the original.

    Attributes:
        batch_sizes: The sizes of the batches of random images that were compared.
        differences: The largest difference by output, divided by the largest output, or by 1 where
            that is smaller.
    """

    batch_sizes: tuple[int, ...]
    differences: Mapping[str, float]

    @property
    def holds(self) -> bool:
        """Whether every difference is within `TOLERANCE`; one that is no number is not."""
        return all(each <= TOLERANCE for each in self.differences.values())


def compare(
    original: Original, predict: Predict, batch_sizes: Sequence[int] = BATCH_SIZES
) -> Agreement:
    """Compares a converted model with the original on random images.

    Args:
        original: The original.
        predict: The converted model.
        batch_sizes: The sizes of the batches.

    Returns:
        The largest differences.

    Raises:
        InputError: An output of the converted model has another shape.
    """
    random = np.random.default_rng(0)
    differences: dict[str, float] = {}
    for size in batch_sizes:
        images = _random_images(random, (size, *original.image_shape))
        expected, found = original.predict(images), predict(images)
        for name in OUTPUTS:
            if name in found:
                difference = _difference(name, np.asarray(found[name]), expected[name])
                # In this order a difference that is no number stays.
                differences[name] = float(np.maximum(difference, differences.get(name, 0.0)))
    return Agreement(tuple(batch_sizes), differences)


def require_agreement(
    original: Original, predict: Predict, batch_sizes: Sequence[int] = BATCH_SIZES
) -> Agreement:
    """Compares as `compare` does, and refuses a converted model that computes something else.

    Raises:
        InputError: It does.
    """
    agreement = compare(original, predict, batch_sizes)
    if not agreement.holds:
        name, most = max(agreement.differences.items(), key=lambda item: _rank(item[1]))
        raise InputError(
            f"The converted model does not compute what {original.folder} computes: its {name} "
            f"differ by {most:.2g} of the largest one, where {TOLERANCE:g} is allowed; nothing was "
            "written."
        )
    return agreement


def _random_images(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Noise of every brightness and contrast, from 0 to 255."""
    ends = random.uniform(0, 255, (2, shape[0], 1, 1, 1))
    return random.uniform(ends.min(axis=0), ends.max(axis=0), shape).astype(np.float32)


def _difference(name: str, found: np.ndarray, expected: np.ndarray) -> float:
    if found.shape != expected.shape:
        raise InputError(
            f"The converted model gives {name} of shape {found.shape} where the original gives "
            f"{expected.shape}; nothing was written."
        )
    difference = np.abs(found.astype(np.float64) - expected).max()
    return float(difference / max(1.0, np.abs(expected).max()))


def _rank(difference: float) -> float:
    return np.inf if np.isnan(difference) else difference
