"""Values that replace a recipe's: how a key is found and how its text is read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tfdpzoo import toml
from tfdpzoo.errors import InputError, unknown_name


def parse_assignments(assignments: Iterable[str]) -> dict[str, str]:
    """Splits the `key=value` texts of the command line.

    Args:
        assignments: Texts such as `"privacy.batch_size=512"`.

    Returns:
        The values by key, for `Recipe.with_overrides`.

    Raises:
        InputError: A text has no `=`, no key, or a key is given twice.

    Example:
        >>> parse_assignments(["batch_size=512", "activation=relu"])
        {'batch_size': '512', 'activation': 'relu'}
    """
    values: dict[str, str] = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        key = key.strip()
        if not equals or not key:
            raise InputError(f"An override must read key=value, got {assignment!r}.")
        if key in values:
            raise InputError(f"{key} is set twice; give it once.")
        values[key] = value.strip()
    return values


def full_key(given: str, keys: Iterable[str]) -> str:
    """Finds the dotted key that is meant by a key or by its last part.

    Args:
        given: A dotted key such as `privacy.epsilon`, or `epsilon` alone.
        keys: The dotted keys that exist.

    Returns:
        The dotted key.

    Raises:
        InputError: There is no such key, or several end so.

    Example:
        >>> full_key("epsilon", ["privacy.epsilon", "optimizer.name"])
        'privacy.epsilon'
    """
    keys = list(keys)
    if given in keys:
        return given
    matches = [key for key in keys if key.endswith(f".{given}")]
    inside = [key for key in keys if key.startswith(f"{given}.")]
    # "name" alone could as well mean the recipe's own name, which is fixed.
    if len(matches) > 1 or given == "name":
        raise InputError(f"{given!r} alone is ambiguous; write {' or '.join(matches)}.")
    if matches:
        return matches[0]
    if inside:
        raise InputError(f"{given!r} is a table; write one of {', '.join(inside)}.")
    if "." in given:
        raise unknown_name("recipe key", given, keys)
    raise unknown_name("recipe key", given, {key.rpartition(".")[2] for key in keys} - {"name"})


def read_value(value: Any, *, hint: Any) -> Any:
    """Reads the text of an override as a TOML value, or as it stands where it is none.

    Args:
        value: The text; anything else passes as it is.
        hint: The type that is wanted, where it is known. A folder may well be called "2024": where
            text is wanted, text stays text.

    Returns:
        The value.

    Example:
        >>> read_value("512", hint=int), read_value("2024", hint=str), read_value("relu", hint=None)
        (512, '2024', 'relu')
    """
    if not isinstance(value, str):
        return value
    parsed = toml.parse_value(value)
    return value if hint is str and not isinstance(parsed, str) else parsed
