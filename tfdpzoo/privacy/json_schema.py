"""JSON Schema of the records that `strict_json` reads and writes, made from the dataclasses.

The types of the fields become the schema's types, the docstrings its descriptions. The dialect is
draft 2020-12.
"""

from __future__ import annotations

import inspect
import re
from typing import Any, Literal, get_args, get_origin

from tfdpzoo.privacy import strict_json

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}
_SECTION = re.compile(r"\n(?:Attributes|Args):\n((?: {4}.*\n|\n)*)")
_FIELD = re.compile(r"^ {4}(\w+): ((?:.*\n)(?: {8}.*\n)*)", re.MULTILINE)


def schema_of(record: Any) -> dict[str, Any]:
    """Returns the schema of a dataclass's objects, with those of the classes in it in `$defs`.

    Args:
        record: The dataclass.

    Example:
        >>> from tfdpzoo.privacy.record import CurvePoint
        >>> schema_of(CurvePoint)["properties"]["delta"]
        {'type': 'number', 'description': 'Above 0 and below 1.'}
    """
    definitions: dict[str, Any] = {}
    schema = _object(record, definitions)
    if definitions:
        schema["$defs"] = {name: definitions[name] for name in sorted(definitions)}
    return schema


def _object(record: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    types = strict_json.types_of_fields(record)
    documentation = inspect.getdoc(record) or ""
    descriptions = _descriptions(documentation)
    properties = {}
    for name, hint in types.items():
        properties[name] = _schema(hint, definitions)
        if name in descriptions:
            properties[name]["description"] = descriptions[name]
    return {
        "description": documentation.partition("\n\n")[0].replace("\n", " "),
        "type": "object",
        "properties": properties,
        "required": list(types),
        "additionalProperties": False,
    }


def _schema(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    if get_origin(hint) in strict_json.UNIONS:
        inner = _schema(strict_json.required_type(hint), definitions)
        return {"anyOf": [inner, {"type": "null"}]}
    if get_origin(hint) is tuple:
        return {"type": "array", "items": _schema(get_args(hint)[0], definitions)}
    if get_origin(hint) is Literal:
        return {"enum": list(get_args(hint))}
    if hint == strict_json.Epsilon:
        return {"anyOf": [{"type": "number", "minimum": 0}, {"const": strict_json.INFINITY}]}
    if hint in _TYPES:
        return {"type": _TYPES[hint]}
    name = hint.__name__
    if name not in definitions:
        definitions[name] = {}  # A class may refer to itself.
        definitions[name] = _object(hint, definitions)
    return {"$ref": f"#/$defs/{name}"}


def _descriptions(documentation: str) -> dict[str, str]:
    """What a docstring in Google's style says of each field; Python may be told to drop it."""
    section = _SECTION.search(documentation + "\n")
    if section is None:
        return {}
    return {name: " ".join(text.split()) for name, text in _FIELD.findall(section[1])}
