"""The names of a model's classes, which a server does not tell."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from tfdpzoo.errors import InputError
from tfdpzoo.registry.location import SAVED_MODELS, locate
from tfdpzoo.version_folder import CLASSES_FILE


def read_class_names(source: str, models: Path = SAVED_MODELS) -> tuple[str, ...]:
    """Reads class names in the order of the classes.

    Args:
        source: A file that holds a JSON list of texts or one name a line; or a model that has them,
            as `locate` takes it.
        models: The registry's folder.

    Raises:
        InputError: There are no class names at `source`.
    """
    with contextlib.suppress(OSError):  # A text may be too long for a file's name.
        if Path(source).is_file():
            return _read(Path(source))
    file = locate(source, models) / CLASSES_FILE
    if not file.exists():
        raise InputError(f"The model {source} does not know its classes' names; give a file.")
    return _read(file)


def _read(file: Path) -> tuple[str, ...]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise InputError(f"The class names in {file} cannot be read ({reason}).") from error
    names = _listed(text) if text.lstrip().startswith("[") else text.splitlines()
    names = None if names is None else [name for name in names if name.strip()]
    if not names:
        raise InputError(
            f"{file} holds no class names: a JSON list of texts is expected, or one name a line."
        )
    return tuple(names)


def _listed(text: str) -> list[str] | None:
    try:
        names = json.loads(text)
    except (ValueError, RecursionError):
        return None
    is_list = isinstance(names, list) and all(isinstance(name, str) for name in names)
    return names if is_list else None
