"""Where two JSON values differ."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

ANYTHING = object()
"""Stands for a value that is not compared."""


def differences(
    stated: Any, expected: Any, where: str = "", *, tolerance: float = 0.0
) -> Iterator[tuple[str, Any, Any]]:
    """Finds what `stated` says otherwise than `expected`, which may hold fewer fields.

    Args:
        stated: A value of JSON.
        expected: What it should be.
        where: The name of the field that holds it.
        tolerance: Relative, of numbers.

    Yields:
        The name of a field, what it is and what it should be.

    Example:
        >>> list(differences({"a": [1, 2], "b": 3}, {"a": [1, 4]}))
        [('a[1]', 2, 4)]
    """
    if isinstance(expected, dict) and isinstance(stated, dict):
        for name, value in expected.items():
            inner = f"{where}.{name}" if where else name
            yield from differences(stated.get(name), value, inner, tolerance=tolerance)
    elif isinstance(expected, list) and isinstance(stated, list) and len(expected) == len(stated):
        for index, value in enumerate(expected):
            inner = f"{where}[{index}]"
            yield from differences(stated[index], value, inner, tolerance=tolerance)
    elif not _agree(stated, expected, tolerance):
        yield where, stated, expected


def _agree(stated: Any, expected: Any, tolerance: float) -> bool:
    if expected is ANYTHING or stated == expected:
        return True
    numbers = isinstance(stated, float) and isinstance(expected, float)
    return numbers and math.isclose(stated, expected, rel_tol=tolerance)
