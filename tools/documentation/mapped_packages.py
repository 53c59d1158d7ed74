"""Shows the API reference the packages under their installed names.

The folders `zoo/` and `cli/` lie beside `tfdpzoo/` and are installed inside of it. The reference is
made from the sources, which are read and never imported; it gets a copy in which they lie as they
are installed, and in which `Example:` reads `Examples:`, the only one of the two that it shows as
code.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority

_COPY = tempfile.TemporaryDirectory(prefix="tfdpzoo-documentation-")
_EXAMPLE = re.compile(r"^( +)Example:$", re.MULTILINE)
_PLACES = {"tfdpzoo": "tfdpzoo", "zoo": "tfdpzoo/zoo", "cli": "tfdpzoo/cli"}


@event_priority(100)
def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Gives mkdocstrings the copy, before it looks where to read."""
    root = Path(config.config_file_path).parent
    for folder, place in _PLACES.items():
        shutil.copytree(
            root / folder,
            Path(_COPY.name) / place,
            ignore=shutil.ignore_patterns("__pycache__"),
            copy_function=_copy,
            dirs_exist_ok=True,
        )
    config.plugins["mkdocstrings"].config.handlers["python"]["paths"] = [_COPY.name]
    return config


def _copy(source: str, target: str) -> None:
    if not source.endswith(".py"):
        return
    text = Path(source).read_text(encoding="utf-8")
    Path(target).write_text(_EXAMPLE.sub(r"\1Examples:", text), encoding="utf-8")
