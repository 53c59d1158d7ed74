"""Records in which one field is missing, unknown or of another type."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import hypothesis.strategies as st
from hypothesis import assume

Place = tuple[str | int, ...]


def places(value: Any, where: Place = ()) -> Iterator[Place]:
    """Every object and value of a record, by its path."""
    yield where
    items: Any = value.items() if isinstance(value, dict) else ()
    items = enumerate(value) if isinstance(value, list) else items
    for name, inner in items:
        yield from places(inner, (*where, name))


def at(value: Any, where: Place) -> Any:
    """What is at a place."""
    for name in where:
        value = value[name]
    return value


def dotted(where: Place) -> str:
    """A place as errors name it."""
    return re.sub(r"\.(\[)", r"\1", ".".join(f"[{x}]" if isinstance(x, int) else x for x in where))


def alter_one_field(fields: Any, data: st.DataObject) -> Place:
    """Alters a field in place, and returns which one is wrong now."""
    where = data.draw(st.sampled_from([place for place in places(fields) if place]))
    change = data.draw(st.sampled_from(["missing", "unknown", "type"]))
    holder, name = at(fields, where[:-1]), where[-1]
    assume(change == "type" or isinstance(holder, dict))
    # Which files a model has is not said by a record's form.
    assume(change != "missing" or where[0] != "files" or len(where) == 1)
    if change == "type":
        holder[name] = 3 if isinstance(holder[name], dict) else {"unexpected": 1}
        return where
    if change == "missing":
        del holder[name]
        return where
    holder["surprise"] = 1
    return (*where[:-1], "surprise")
