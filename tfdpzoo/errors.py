"""Errors that speak to the person who gave the input."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Something that the caller gave cannot be used.

    The message is for a person: what is wrong, with which value, and what to do. The command line
    prints it as it is and exits with status 2.
    """


def require_utf8(name: str, text: str) -> None:
    """Refuses text that stands for bytes that are no UTF-8, as some files' names are.

    It can be in no record and on no screen.

    Args:
        name: What the text is.
        text: The text.

    Raises:
        InputError: The text cannot be written as UTF-8.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        shown = text.encode(errors="replace").decode()
        raise InputError(f"{name} is {shown!r}, which is not valid UTF-8; rename it.") from error


def unknown_name(kind: str, name: str, choices: Iterable[str]) -> InputError:
    """Returns the error for a name that is not among `choices`, with the nearest ones.

    Args:
        kind: What the name stands for, in the singular, for example `"model"`.
        name: The name as it was given.
        choices: The names that exist.

    Returns:
        An `InputError` to raise.

    Example:
        >>> print(unknown_name("model", "smothnet", ["smoothnet", "tanh_cnn"]))
        There is no model named 'smothnet'; did you mean 'smoothnet'? Known: smoothnet, tanh_cnn.
    """
    known = sorted(choices)
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(repr(match) for match in near)}?" if near else "."
    return InputError(f"There is no {kind} named {name!r}{hint} Known: {', '.join(known)}.")
