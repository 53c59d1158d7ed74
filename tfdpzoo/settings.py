"""Dataclass fields with ranges, checked when an object is made."""

from __future__ import annotations

import dataclasses
import math
import numbers
import typing
from collections.abc import Mapping
from typing import Any

from tfdpzoo.errors import InputError, require_utf8, unknown_name

_REQUIRED = dataclasses.MISSING


def setting(
    default: Any = _REQUIRED,
    *,
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
    choices: Mapping[str, tuple[str, ...]] | None = None,
    belongs_to: tuple[str, str] | None = None,
) -> Any:
    """Declares a dataclass field together with the values that it may take.

    Args:
        default: The value where none is given; without it the field is required.
        above: Exclusive lower end of the range.
        at_least: Inclusive lower end of the range.
        below: Exclusive upper end of the range.
        at_most: Inclusive upper end of the range.
        choices: One item: what the names stand for, and the names.
        belongs_to: `(field, choice)`: the field has a meaning only while another field of the same
            dataclass has this choice.

    Returns:
        The field, for the class body of a dataclass that calls `check_settings`.
    """
    metadata = {
        "above": above,
        "at least": at_least,
        "below": below,
        "at most": at_most,
        "choices": choices,
        "belongs_to": belongs_to,
    }
    return dataclasses.field(default=default, metadata=metadata)


def check_settings(instance: Any, table: str = "") -> None:
    """Checks type and range of every field, from `__post_init__` of a frozen dataclass.

    Whole numbers given for a real-valued field become floats, NumPy's numbers become Python's.

    Args:
        instance: The object.
        table: The table of the recipe that it stands for, the prefix of the keys in messages.

    Raises:
        InputError: A field has the wrong type, is out of its range, not finite, not one of its
            choices, or has no meaning beside another field's value.
    """
    hints = typing.get_type_hints(type(instance))
    for field in dataclasses.fields(instance):
        key = f"{table}.{field.name}" if table else field.name
        value = typed_value(key, getattr(instance, field.name), hints[field.name])
        object.__setattr__(instance, field.name, value)
        if value is not None:
            _check_range(key, value, field.metadata)
            _check_choice(value, field.metadata.get("choices"))
    for field in dataclasses.fields(instance):
        _check_belonging(instance, field, table)


def check_value(key: str, value: Any) -> Any:
    """Checks a value of a free table: text, booleans, finite numbers, lists and tables of these.

    Args:
        key: The name of the value in messages.
        value: The value.

    Returns:
        A copy, with tuples as lists.

    Raises:
        InputError: The value is of another type or a number is not finite.
    """
    if isinstance(value, (bool, str)):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return _finite(key, value)
    if isinstance(value, (list, tuple)):
        return [check_value(key, item) for item in value]
    if isinstance(value, Mapping):
        return {str(name): check_value(f"{key}.{name}", item) for name, item in value.items()}
    raise InputError(
        f"{key} must be text, a number, true or false, a list or a table, got {_shown(value)}."
    )


def typed_value(key: str, value: Any, hint: Any) -> Any:
    """Checks a value against a type annotation.

    Args:
        key: The name of the value in messages.
        value: The value.
        hint: `str`, `int`, `float`, `bool` or one of these with None; any other annotation lets
            every value pass.

    Returns:
        The value as that type: whole numbers as float where a float is wanted, NumPy's numbers as
        Python's.

    Raises:
        InputError: The value is of another type, empty text or a number that is not finite.

    Example:
        >>> typed_value("width", 8, float)
        8.0
    """
    members = typing.get_args(hint)
    if type(None) in members:
        if value is None:
            return None
        (hint,) = (member for member in members if member is not type(None))
    if hint is str:
        if isinstance(value, str) and value.strip():
            require_utf8(key, value)
            return value
        raise InputError(f"{key} must be text that is not empty, got {_shown(value)}.")
    if hint is bool:
        if isinstance(value, bool):
            return value
        raise InputError(f"{key} must be true or false, got {_shown(value)}.")
    if hint is int:
        if isinstance(value, numbers.Integral) and not isinstance(value, bool):
            return int(value)
        raise InputError(f"{key} must be a whole number, got {_shown(value)}.")
    if hint is float:
        if isinstance(value, numbers.Real) and not isinstance(value, bool):
            return _finite(key, value)
        raise InputError(f"{key} must be a number, got {_shown(value)}.")
    return value


def required_names(kind: type) -> list[str]:
    """Returns the names of a dataclass's fields that have no default."""
    return [
        field.name
        for field in dataclasses.fields(kind)
        if field.default is _REQUIRED and field.default_factory is _REQUIRED
    ]


def typed_fields(kind: type, table: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Checks the values for some fields of a dataclass against the fields' types.

    Args:
        kind: The dataclass.
        table: The table of the recipe that it stands for, the prefix of the keys in messages.
        values: Values by field name.

    Returns:
        The values as the fields' types.

    Raises:
        InputError: A value has the wrong type.
    """
    hints = typing.get_type_hints(kind)
    return {
        name: typed_value(f"{table}.{name}", value, hints[name]) for name, value in values.items()
    }


def settings_table(instance: Any) -> dict[str, Any]:
    """Returns the fields of an object that are not None and have a meaning, by name."""
    return {
        field.name: value
        for field in dataclasses.fields(instance)
        if (value := getattr(instance, field.name)) is not None and _has_meaning(instance, field)
    }


def dependent_names(kind: type, name: str, choice: Any) -> list[str]:
    """Returns the fields that have no meaning where the field `name` has the value `choice`."""
    return [
        field.name
        for field in dataclasses.fields(kind)
        if (owner := field.metadata.get("belongs_to")) and owner[0] == name and owner[1] != choice
    ]


def _finite(key: str, value: Any) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise InputError(f"{key} must be a finite number, got {_shown(value)}.")
    return number


def _check_range(key: str, value: Any, metadata: Mapping[str, Any]) -> None:
    ends = {
        words: metadata[words]
        for words in ("above", "at least", "below", "at most")
        if metadata.get(words) is not None
    }
    inside = {
        "above": lambda end: value > end,
        "at least": lambda end: value >= end,
        "below": lambda end: value < end,
        "at most": lambda end: value <= end,
    }
    if not all(inside[words](end) for words, end in ends.items()):
        limits = " and ".join(f"{words} {end:g}" for words, end in ends.items())
        raise InputError(f"{key} must be {limits}, got {_shown(value)}.")


def _check_choice(value: Any, choices: Mapping[str, tuple[str, ...]] | None) -> None:
    for kind, names in (choices or {}).items():
        if value not in names:
            raise unknown_name(kind, value, names)


def _has_meaning(instance: Any, field: dataclasses.Field[Any]) -> bool:
    owner = field.metadata.get("belongs_to")
    return owner is None or getattr(instance, owner[0]) == owner[1]


def _check_belonging(instance: Any, field: dataclasses.Field[Any], table: str) -> None:
    value = getattr(instance, field.name)
    if value != field.default and not _has_meaning(instance, field):
        name, choice = field.metadata["belongs_to"]
        raise InputError(
            f"{table}.{field.name} is {value!r} but has a meaning only with "
            f"{table}.{name} = {choice!r}; {table}.{name} is {getattr(instance, name)!r}."
        )


def _shown(value: Any) -> str:
    # An integer of many digits, or a long text, would bury the sentence.
    if isinstance(value, int) and abs(value) >= 10**30:
        return "a whole number of more than 30 digits"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
