"""The formats that a model can be exported in. This module imports nothing slow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

SAVED_MODEL = "saved_model"
KERAS = "keras"
ONNX = "onnx"
TFLITE = "tflite"

FORMATS = (SAVED_MODEL, KERAS, ONNX, TFLITE)

ENDINGS: Mapping[str, str] = MappingProxyType({KERAS: ".keras", ONNX: ".onnx", TFLITE: ".tflite"})
"""How the name of a format's file ends; a SavedModel is a folder."""

RECORD_PLACES: Mapping[str, str] = MappingProxyType(
    {
        SAVED_MODEL: "assets.extra/privacy.json and the signature privacy_guarantee",
        KERAS: "privacy_guarantee.json in the zip archive",
        ONNX: "metadata_props, key privacy_guarantee",
        TFLITE: "metadata, entry privacy_guarantee",
    }
)
"""Where each format has the privacy record."""

DEFAULT_FOLDER = Path("exported")


def default_path(version: Path, format_name: str) -> Path:
    """Returns where an exported version goes if nobody says otherwise.

    Args:
        version: The version's folder, `NAME/VERSION`.
        format_name: One of `FORMATS`.

    Example:
        >>> default_path(Path("saved_models/smoothnet/3"), "onnx").as_posix()
        'exported/smoothnet-3.onnx'
        >>> default_path(Path("saved_models/smoothnet/3"), "saved_model").as_posix()
        'exported/smoothnet/3'
    """
    version = version.absolute()
    if format_name == SAVED_MODEL:
        return DEFAULT_FOLDER / version.parent.name / version.name
    return DEFAULT_FOLDER / f"{version.parent.name}-{version.name}{ENDINGS[format_name]}"
