"""A recipe as a table: every setting, its value and where that comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tfdpzoo.errors import InputError
from tfdpzoo.toml import parse_table

_SOURCES = "sources"
_HEAD = ("name", "model", "description", _SOURCES)
_NO_SOURCE = "not stated; the default"


@dataclass(frozen=True)
class Setting:
    """A setting of a recipe.

    Attributes:
        name: With the section that it stands in.
        value: As it is written.
        source: Where it comes from.
    """

    name: str
    value: str
    source: str


def recipe_settings(text: str) -> tuple[Setting, ...]:
    r"""Returns the settings of a recipe; none where the text is not TOML.

    Args:
        text: The recipe.

    Example:
        >>> recipe_settings('[privacy]\ndelta = 1e-5\n[sources]\n"privacy.delta" = "ours"')
        (Setting(name='privacy.delta', value='1e-05', source='ours'),)
    """
    try:
        recipe = parse_table(text)
    except InputError:
        return ()
    found = recipe.get(_SOURCES)
    sources = dict(_flat(found)) if isinstance(found, Mapping) else {}
    settings = {name: value for name, value in recipe.items() if name not in _HEAD}
    return tuple(
        Setting(name, _written(value), _source(name, sources)) for name, value in _flat(settings)
    )


def _source(name: str, sources: Mapping[str, Any]) -> str:
    """The source of a setting, or of the table that it stands in."""
    while name:
        if name in sources:
            return str(sources[name])
        name = name.rpartition(".")[0]
    return _NO_SOURCE


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else repr(value)
