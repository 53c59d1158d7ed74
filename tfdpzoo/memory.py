"""Amounts of memory: as people write them, and how much of it is free."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import psutil

from tfdpzoo.errors import InputError

_UNITS = {
    **{"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12},
    **{"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40},
}
# No more digits than any machine has memory, so that no number takes long to read.
_AMOUNT = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,15})?)\s*([A-Z]+)", re.IGNORECASE | re.ASCII)
_SHARE_FOR_IMAGES = 2


def parse_memory(text: str) -> int:
    """Reads an amount of memory: a number and a unit.

    Args:
        text: Such as `256MiB` (2 to the power of 20) or `2GB` (10 to the power of 9).

    Returns:
        The number of bytes, rounded down.

    Raises:
        InputError: It is no such amount, or less than a byte.

    Example:
        >>> parse_memory("256MiB"), parse_memory("1.5 GB")
        (268435456, 1500000000)
    """
    match = _AMOUNT.fullmatch(text.strip())
    unit = _UNITS.get(match[2].upper()) if match else None
    amount = int(Fraction(match[1]) * unit) if match and unit else 0
    if amount < 1:
        raise InputError(
            f"{text!r} is no amount of memory; give a number and a unit, such as 256MiB or 2GB."
        )
    return amount


def memory_in_words(amount: float) -> str:
    """Writes a number of bytes for people.

    Example:
        >>> memory_in_words(1000), memory_in_words(614_400_000)
        ('1000 B', '585.9 MiB')
    """
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.4g} {unit}"
        amount /= 1024
    return f"{amount:.4g} TiB"


def default_memory_limit() -> int:
    """Returns half of the free memory, in bytes: what decoded images may take unless told."""
    return int(free_memory() // _SHARE_FOR_IMAGES)


def free_memory() -> float:
    """Returns how many bytes this process may still take from the machine or its container."""
    return min(float(psutil.virtual_memory().available), _free_in_container())


def _free_in_container() -> float:
    """What a control group leaves, where there is one with a limit."""
    folder = Path("/sys/fs/cgroup")
    try:
        limit, used = (
            (folder / name).read_text().strip() for name in ("memory.max", "memory.current")
        )
    except OSError:
        return float("inf")
    return float("inf") if limit == "max" else float(limit) - float(used)
