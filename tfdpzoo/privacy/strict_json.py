"""JSON for frozen dataclasses that is read back strictly and always written the same way.

A privacy record is a claim, so reading it guesses nothing: an unknown, missing, repeated or
wrong-typed field is an error that names the field. Writing is canonical (the order of the fields,
one spelling of each number), so that equal records are equal texts.

JSON has no infinity and no NaN. A field of the type `Epsilon` may be infinite, which is written as
the string `"infinity"`; no other number may be, and NaN is refused everywhere.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import types
from collections.abc import Callable, Mapping
from typing import (
    Annotated,
    Any,
    Literal,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from tfdpzoo.errors import InputError

Epsilon = Annotated[float, "may be infinite"]
"""A privacy loss: 0 or more, possibly infinite."""

INFINITY = "infinity"
"""How an infinite privacy loss is written."""

_Record = TypeVar("_Record")


def to_text(value: Any) -> str:
    """Writes a JSON value: objects one field a line, lists of plain values on one line.

    Example:
        >>> print(to_text({"name": "a", "orders": [1.5, 2.0]}))
        {
          "name": "a",
          "orders": [1.5, 2.0]
        }
    """
    return _layout(value, "")


def from_text(text: str | bytes) -> Any:
    """Reads a JSON value and refuses what JSON leaves open: repeated keys, NaN, infinities.

    Raises:
        InputError: The text is not such a value.
    """
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        raise InputError(f"The privacy record is not valid JSON: {error}.") from error


def encode(record: Any) -> dict[str, Any]:
    """Turns a dataclass into JSON objects, in the order of its fields."""
    kind: Any = type(record)
    hints = types_of_fields(kind)
    return {name: _encode(getattr(record, name), hint) for name, hint in hints.items()}


def decode(record: Callable[..., _Record], value: Any, where: str = "") -> _Record:
    """Builds the dataclass `record` from JSON objects.

    Args:
        record: The dataclass.
        value: What `from_text` returned.
        where: The name of the field that holds `value`, for errors.

    Raises:
        InputError: A field is unknown, missing, of another type or out of its range.
    """
    if not isinstance(value, Mapping):
        raise _wrong_type(where, "an object", value)
    hints = types_of_fields(record)
    prefix = f"{where}." if where else ""
    missing = [prefix + name for name in hints if name not in value]
    if missing:
        raise InputError(f"The privacy record lacks {_fields(missing)}.")
    unknown = [prefix + name for name in value if name not in hints]
    if unknown:
        raise InputError(f"The privacy record has {_fields(unknown)}, which tfdpzoo does not know.")
    return record(
        **{name: _decode(hint, value[name], prefix + name) for name, hint in hints.items()}
    )


@functools.cache
def types_of_fields(record: Any) -> dict[str, Any]:
    """Returns the types of a dataclass's fields by their names, in order."""
    hints = get_type_hints(record, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(record)}


def _encode(value: Any, hint: Any) -> Any:
    if value is None:
        return None
    if get_origin(hint) in UNIONS:
        return _encode(value, required_type(hint))
    if get_origin(hint) is tuple:
        return [_encode(item, get_args(hint)[0]) for item in value]
    if _is_record(hint):
        return encode(value)
    if get_origin(hint) is Literal:
        return value
    if hint == Epsilon and value == math.inf:
        return INFINITY
    if hint == Epsilon or hint is float:
        number = float(value)
        if not math.isfinite(number):
            raise InputError(f"A privacy record cannot hold the number {number}.")
        return number
    return hint(value)


def _decode(hint: Any, value: Any, where: str) -> Any:
    if get_origin(hint) in UNIONS:
        return None if value is None else _decode(required_type(hint), value, where)
    if get_origin(hint) is tuple:
        if not isinstance(value, list):
            raise _wrong_type(where, "a list", value)
        item = get_args(hint)[0]
        return tuple(_decode(item, each, f"{where}[{i}]") for i, each in enumerate(value))
    if _is_record(hint):
        return decode(hint, value, where)
    if get_origin(hint) is Literal:
        if type(value) is not str or value not in get_args(hint):
            raise _wrong_type(where, " or ".join(map(json.dumps, get_args(hint))), value)
        return value
    if hint == Epsilon:
        number = math.inf if value == INFINITY else _number(value, where)
        if number < 0:
            raise _wrong_type(where, "a number of 0 or more", value)
        return number
    if hint is float:
        return _number(value, where)
    if type(value) is not hint:
        raise _wrong_type(where, _KINDS[hint], value)
    return value


UNIONS = (types.UnionType, Union)
_KINDS = {str: "a text", int: "a whole number", bool: "true or false"}


def _is_record(hint: Any) -> bool:
    return dataclasses.is_dataclass(hint)


def required_type(hint: Any) -> Any:
    """Returns the type T of the hint `T | None`."""
    return next(each for each in get_args(hint) if each is not type(None))


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong_type(where, "a number", value)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise _wrong_type(where, "a finite number", value)
    return number


def _wrong_type(where: str, expected: str, value: Any) -> InputError:
    shown = json.dumps(value)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    subject = f"The field {where} of the privacy record" if where else "The privacy record"
    return InputError(f"{subject} must be {expected}, not {shown}.")


def _fields(names: list[str]) -> str:
    return ("the field " if len(names) == 1 else "the fields ") + ", ".join(names)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(f"The privacy record repeats {_fields(repeated)}.")
    return dict(pairs)


def _refuse_constant(name: str) -> float:
    raise InputError(f"The privacy record holds {name}, which is not a number of JSON.")


def _layout(value: Any, indent: str) -> str:
    deeper = indent + "  "
    if isinstance(value, Mapping) and value:
        rows = [f"{json.dumps(name)}: {_layout(each, deeper)}" for name, each in value.items()]
    elif isinstance(value, list) and any(isinstance(each, Mapping | list) for each in value):
        rows = [_layout(each, deeper) for each in value]
    else:
        return json.dumps(value, allow_nan=False)
    opening, closing = "{}" if isinstance(value, Mapping) else "[]"
    body = f",\n{deeper}".join(rows)
    return f"{opening}\n{deeper}{body}\n{indent}{closing}"
