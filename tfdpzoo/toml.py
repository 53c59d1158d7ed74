"""Reading and writing TOML, with errors that name the file."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfdpzoo.errors import InputError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def read_table(path: str | Path) -> dict[str, Any]:
    """Reads a TOML file.

    Args:
        path: The file.

    Returns:
        Its contents as nested dictionaries.

    Raises:
        InputError: The file is missing, cannot be read or is not valid TOML.
    """
    try:
        return tomllib.loads(Path(path).read_bytes().decode("utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"There is no file {path}.") from error
    except OSError as error:
        raise InputError(f"The file {path} cannot be read: {error.strerror}.") from error
    # ValueError also covers bytes that are not UTF-8 and integers beyond Python's digit limit.
    except (ValueError, RecursionError) as error:
        raise InputError(f"The file {path} is not valid TOML: {error}") from error


def parse_table(text: str) -> dict[str, Any]:
    """Reads the text of a TOML file.

    Args:
        text: What `write_table` wrote, for example.

    Returns:
        Its contents as nested dictionaries.

    Raises:
        InputError: The text is not valid TOML.

    Example:
        >>> parse_table("delta = 1e-05")
        {'delta': 1e-05}
    """
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"The text is not valid TOML: {error}") from error


def parse_value(text: str) -> Any:
    """Reads one TOML value; text that is none is taken as it stands.

    Args:
        text: For example `512`, `1e-5`, `true`, `[1, 2]`, `"quoted"` or `unquoted`.

    Returns:
        The value, with surrounding blanks removed where it is plain text.

    Example:
        >>> parse_value("1e-5"), parse_value("true"), parse_value("relu"), parse_value('"1"')
        (1e-05, True, 'relu', '1')
    """
    try:
        table = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text.strip()
    # A line break in the text could have smuggled in further keys: then it is no single value.
    return table["value"] if len(table) == 1 else text.strip()


def write_table(table: Mapping[str, Any]) -> str:
    """Writes nested tables as TOML: plain values first, then one section per table.

    Tables below a section are written inline. None has no form in TOML and is refused.

    Args:
        table: Text, numbers, booleans, lists and tables of these.

    Returns:
        TOML text that reads back as an equal table.

    Raises:
        InputError: A value has no form in TOML.

    Example:
        >>> print(write_table({"name": "paper", "privacy": {"delta": 1e-05}}), end="")
        name = "paper"
        <BLANKLINE>
        [privacy]
        delta = 1e-05
    """
    plain = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    sections = {key: value for key, value in table.items() if isinstance(value, Mapping)}
    blocks = [_lines(plain)] if plain else []
    blocks += [f"[{_key(name)}]\n{_lines(section)}" for name, section in sections.items()]
    return "\n".join(blocks)


def _lines(table: Mapping[str, Any]) -> str:
    return "".join(f"{_key(key)} = {_value(value)}\n" for key, value in table.items())


def _key(key: str) -> str:
    bare = key.isascii() and key.replace("_", "").replace("-", "").isalnum()
    return key if bare else _string(key)


def _string(text: str) -> str:
    # JSON's escapes are TOML's, except that TOML also wants DEL escaped.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    raise InputError(f"{value!r} cannot be written as TOML.")
