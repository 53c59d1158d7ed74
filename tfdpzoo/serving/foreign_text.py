"""Text from a server, which may hold anything, also what would steer a terminal."""

from __future__ import annotations

_LONGEST_QUOTE = 200


def printable(text: str) -> str:
    r"""Returns foreign text on one line, without characters that cannot be seen.

    Example:
        >>> printable("a\nb\x1b[1m")
        'a b [1m'
    """
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


def quoted(text: str) -> str:
    r"""Returns foreign text as a part of a sentence: printable, not long, without a full stop.

    Example:
        >>> quoted("not\nfound. ")
        'not found'
    """
    shown = printable(text)
    shown = shown if len(shown) <= _LONGEST_QUOTE else f"{shown[:_LONGEST_QUOTE]}..."
    return shown.rstrip(". ")
