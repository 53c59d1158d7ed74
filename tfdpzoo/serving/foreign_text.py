"""Text from a server, which may hold anything, also what would steer a terminal."""

from __future__ import annotations

_LONGEST_QUOTE = 200


def quoted(text: str) -> str:
    r"""Returns foreign text as a part of a sentence: on one line, printable, and not long.

    Example:
        >>> quoted("not\nfound\x1b[1m. ")
        'not found [1m'
    """
    shown = "".join(each if each.isprintable() else " " for each in text)
    shown = " ".join(shown.split())
    shown = shown if len(shown) <= _LONGEST_QUOTE else f"{shown[:_LONGEST_QUOTE]}..."
    return shown.rstrip(". ")
