"""How numbers are written for people, on cards and in the gallery alike."""

from __future__ import annotations

import math
from collections.abc import Iterable

from tfdpzoo.privacy.statement import round_up, scientific


def epsilon(value: float, digits: int = 2) -> str:
    """Writes a privacy loss, never smaller than it is.

    Example:
        >>> epsilon(6.991), epsilon(float("inf"))
        ('7.00', '∞')
    """
    return "∞" if math.isinf(value) else round_up(value, digits)


def delta(value: float) -> str:
    """Writes a delta, never smaller than it is.

    Example:
        >>> delta(1e-5)
        '1e-5'
    """
    return scientific(value)


def percent(value: float | None, digits: int = 1) -> str:
    """Writes a share in per cent, a dash where it is not known.

    Example:
        >>> percent(0.7164), percent(None)
        ('71.6 %', '–')
    """
    return "–" if value is None else f"{100 * value:.{digits}f} %"


def count(value: int | None) -> str:
    """Writes a whole number with separators, a dash where it is not known.

    Example:
        >>> count(601069)
        '601,069'
    """
    return "–" if value is None else f"{value:,}"


def shape(value: Iterable[int] | None) -> str:
    """Writes a shape, a dash where it is not known.

    Example:
        >>> shape((32, 32, 3))
        '32 × 32 × 3'
    """
    return "–" if value is None else " × ".join(f"{side}" for side in value)
