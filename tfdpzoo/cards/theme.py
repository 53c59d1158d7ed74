"""The colours of pictures: as variables of the page's style, so that they follow light and dark.

A picture that stands alone gets the light colours themselves.
"""

from __future__ import annotations

import re

_COLOURS = {
    "ink": "#1f2430",
    "muted": "#5c6370",
    "line": "#d9d6cd",
    "surface": "#ffffff",
    "accent": "#1b5e6b",
    "warm": "#a8480f",
    "convolution": "#1b5e6b",
    "dense": "#7a3e8e",
    "pooling": "#3d7a3a",
    "join": "#a8480f",
    "other": "#8a8577",
}
_VARIABLE = re.compile(r"var\(--[a-z-]+, (#[0-9a-f]{6})\)")


def colour(name: str) -> str:
    """Returns a colour that follows the page's theme where there is one.

    Example:
        >>> colour("ink")
        'var(--ink, #1f2430)'
    """
    return f"var(--{name}, {_COLOURS[name]})"


def light_colour(name: str) -> str:
    """Returns a colour of the light theme, for example `"#1f2430"`."""
    return _COLOURS[name]


def standing_alone(svg: str) -> str:
    """Returns a picture in the light theme, for a file of its own.

    Example:
        >>> standing_alone('<g fill="var(--ink, #1f2430)"/>')
        '<g fill="#1f2430"/>'
    """
    return _VARIABLE.sub(r"\1", svg)
