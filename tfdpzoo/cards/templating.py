"""Templates that escape whatever is put into them: as HTML and SVG, or as Markdown."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any

import jinja2

from tfdpzoo.cards import formatting
from tfdpzoo.foreign_text import printable

# An underscore within a word is none of Markdown's; some signs are so only where a line begins.
_MARKDOWN_SPECIAL = re.compile(
    r"([\\`*\[\]|~$!]|(?<![^\W_])_|_(?![^\W_])|^[#+=-]|^\d+(?=[.)](?:\s|$)))"
)
_FENCE = re.compile(r"`{3,}")


class Verbatim(str):
    """Text that is written into Markdown as it stands."""


def escape_markdown(value: Any) -> str:
    r"""Returns a value so that Markdown, and HTML in it, show it as text on one line.

    Example:
        >>> print(escape_markdown("<b>*bold*</b>"))
        &lt;b&gt;\*bold\*&lt;/b&gt;
        >>> escape_markdown(Verbatim("*bold*"))
        '*bold*'
    """
    if isinstance(value, Verbatim):
        return str(value)
    text = printable(" ".join(str(value).split()))
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKDOWN_SPECIAL.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    """A number that would begin a list has its backslash before the point."""
    return f"{found[0]}\\" if found[0].isdecimal() else f"\\{found[0]}"


def fenced(text: str, language: str = "") -> Verbatim:
    """Returns text as a block of code that it cannot end.

    Example:
        >>> print(fenced("x = 1", "python"))
        ```python
        x = 1
        ```
    """
    longest = max((len(found) for found in _FENCE.findall(text)), default=2)
    fence = "`" * max(3, longest + 1)
    return Verbatim(f"{fence}{language}\n{text.rstrip()}\n{fence}")


@functools.cache
def page_templates(package: str) -> jinja2.Environment:
    """Returns the templates of a package for HTML and SVG; every value is escaped.

    Args:
        package: The package that holds `templates/`, and shares those of model cards.
    """
    loader = jinja2.ChoiceLoader(
        [jinja2.PackageLoader(name) for name in dict.fromkeys((package, "tfdpzoo.cards"))]
    )
    return _environment(loader, autoescape=True)


@functools.cache
def markdown_templates() -> jinja2.Environment:
    """Returns the templates of model cards for Markdown; every value is escaped."""
    loader = jinja2.PackageLoader("tfdpzoo.cards")
    environment = _environment(loader, autoescape=False, finalize=escape_markdown)
    environment.filters["fenced"] = fenced
    environment.filters["verbatim"] = Verbatim
    return environment


def _environment(loader: jinja2.BaseLoader, **options: Any) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=loader,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        **options,
    )
    environment.filters.update(_FORMATS)
    return environment


_FORMATS: Mapping[str, Any] = {
    "count": formatting.count,
    "delta": formatting.delta,
    "epsilon": formatting.epsilon,
    "percent": formatting.percent,
    "shape": formatting.shape,
}
