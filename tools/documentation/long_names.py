"""Lets long names in tables break where a reader would break them."""

from __future__ import annotations

import re

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

_LONG = 24
_IN_CELL = re.compile(r"<td>.*?</td>", re.DOTALL)
_CODE = re.compile(rf"<code>([^<]{{{_LONG},}})</code>")


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Marks the places behind slashes, colons and underscores."""
    return _IN_CELL.sub(lambda cell: _CODE.sub(_with_breaks, cell[0]), html)


def _with_breaks(code: re.Match[str]) -> str:
    broken = re.sub(r"(::|[/_])", r"\1<wbr>", code[1])
    return f"<code>{broken}</code>"
