"""What can be refused of an export before a model is loaded. This module imports no TensorFlow."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from tfdpzoo.conversion.formats import ENDINGS, FORMATS, ONNX, TFLITE
from tfdpzoo.errors import InputError, unknown_name
from tfdpzoo.version_folder import check_destination

_PACKAGES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {ONNX: ("onnx", "onnxruntime", "tf2onnx"), TFLITE: ("ai_edge_litert",)}
)
"""What a format needs beside TensorFlow: the extra `convert`."""


def check_order(format_name: str, path: Path, batch_size: int | None = None) -> None:
    """Checks what can be checked before a model is loaded.

    Args:
        format_name: One of `FORMATS`.
        path: Where it is to be written.
        batch_size: How many images a call takes, if that was given.

    Raises:
        InputError: The format is unknown, its packages are missing, the path is taken, cannot be
            written or has a name that programs do not expect, or the batch size has no meaning.
    """
    if format_name not in FORMATS:
        raise unknown_name("format", format_name, FORMATS)
    if batch_size is not None and format_name != TFLITE:
        raise InputError(
            f"The format {format_name} takes any number of images at once; leave out --batch-size, "
            f"which {TFLITE} needs."
        )
    if batch_size is not None and batch_size < 1:
        raise InputError(f"A batch size of {batch_size} is too small; give at least 1.")
    ending = ENDINGS.get(format_name)
    if ending is not None and path.suffix != ending:
        raise InputError(
            f"The file {path} must have a name that ends in {ending}, as programs that read "
            f"{format_name} expect."
        )
    require_packages(format_name)
    check_destination(path)


def require_packages(format_name: str) -> None:
    """Checks that the packages of a format are installed.

    Args:
        format_name: One of `FORMATS`.

    Raises:
        InputError: One is missing.
    """
    needed = _PACKAGES.get(format_name, ())
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(
            f"The format {format_name} needs {' and '.join(missing)}, which is not installed; "
            "run: pip install 'tfdpzoo[convert]'."
        )
