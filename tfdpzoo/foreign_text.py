"""Text from elsewhere, such as a stranger's model or a server: it may hold what steers a terminal.

This module imports nothing.
"""

from __future__ import annotations

_LONGEST_QUOTE = 200


def printable(text: str) -> str:
    """Returns a text with a replacement character for each one that cannot be shown.

    Args:
        text: From anywhere.

    Example:
        >>> printable("digits" + chr(27) + "[2J")
        'digits\ufffd[2J'
    """
    return "".join(each if each.isprintable() else "\ufffd" for each in text)


def quoted(text: str) -> str:
    r"""Returns a text as a part of a sentence: on one line, printable, and not long.

    Example:
        >>> quoted("not\nfound\x1b[1m. ")
        'not found\ufffd[1m'
    """
    shown = printable(" ".join(text.split()))
    shown = shown if len(shown) <= _LONGEST_QUOTE else f"{shown[:_LONGEST_QUOTE]}..."
    return shown.rstrip(". ")
