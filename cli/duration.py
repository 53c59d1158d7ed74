"""Times in words."""

from __future__ import annotations

_UNITS = (("second", 1, 120), ("minute", 60, 120), ("hour", 3600, 48))
_SECONDS_OF_A_DAY = 86_400


def duration_in_words(seconds: float) -> str:
    """Says a time in the unit that suits it, rounded to a whole number.

    Args:
        seconds: 0 or more.

    Example:
        >>> [duration_in_words(each) for each in (0.4, 1, 34.2, 600, 111_600, 400_000)]
        ['0 seconds', '1 second', '34 seconds', '10 minutes', '31 hours', '5 days']
    """
    for unit, length, end in _UNITS:
        if round(seconds / length) < end:
            return _counted(round(seconds / length), unit)
    return _counted(round(seconds / _SECONDS_OF_A_DAY), "day")


def clock(seconds: float) -> str:
    """Writes a time as a clock does.

    Example:
        >>> clock(34.2), clock(754), clock(111_600)
        ('0:34', '12:34', '31:00:00')
    """
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _counted(number: int, unit: str) -> str:
    return f"{number:,} {unit}" if number == 1 else f"{number:,} {unit}s"
