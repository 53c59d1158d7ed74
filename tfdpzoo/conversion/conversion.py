"""Exporting a version in a format that is given by its name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tfdpzoo.conversion.agreement import Agreement
from tfdpzoo.conversion.formats import (
    KERAS,
    ONNX,
    RECORD_PLACES,
    SAVED_MODEL,
)
from tfdpzoo.conversion.network import NamedBuilder
from tfdpzoo.conversion.order import check_order
from tfdpzoo.conversion.original import Original


@dataclass(frozen=True)
class Conversion:
    """An exported model.

    Attributes:
        path: Where it lies.
        format: One of `tfdpzoo.conversion.formats.FORMATS`.
        original: What it was made from.
        record_place: Where it has the privacy record.
        needs: What loads it.
        agreement: How far its outputs are from the original's; None for a copy, which has the same
            files.
    """

    path: Path
    format: str
    original: Original
    record_place: str
    needs: str
    agreement: Agreement | None


def convert(
    folder: Path,
    format_name: str,
    path: Path,
    *,
    builder: NamedBuilder,
    batch_size: int | None = None,
) -> Conversion:
    """Verifies a version, and writes its model and its privacy record in another format.

    Args:
        folder: The version's folder.
        format_name: One of `tfdpzoo.conversion.formats.FORMATS`.
        path: Where to write, which must not exist.
        builder: Builds the architectures that recipes name, as `tfdpzoo.zoo.build` does; used for
            `"keras"`.
        batch_size: How many images a call takes, for `"tflite"`; 1 by default.

    Returns:
        What was written.

    Raises:
        InputError: The version does not verify, the path cannot be written, a package is missing,
            or the model cannot be converted.

    Example:
        >>> convert(
        ...     Path("saved_models/smoothnet/1"), "onnx", Path("smoothnet.onnx"), builder=zoo.build
        ... )  # doctest: +SKIP
    """
    check_order(format_name, path, batch_size)
    original = Original.open(folder)
    needs, agreement = _write(original, format_name, path, builder, batch_size or 1)
    return Conversion(path, format_name, original, RECORD_PLACES[format_name], needs, agreement)


def _write(
    original: Original, format_name: str, path: Path, builder: NamedBuilder, batch_size: int
) -> tuple[str, Agreement | None]:
    """Each format's packages are imported when it is written."""
    if format_name == SAVED_MODEL:
        from tfdpzoo.conversion.saved_model_copy import copy_saved_model

        copy_saved_model(original, path)
        return "TensorFlow or TensorFlow Serving", None
    if format_name == KERAS:
        from tfdpzoo.conversion.keras_file import write_keras

        written = write_keras(original, path, builder)
        return _needed_for_layers(written.custom_layers), written.agreement
    if format_name == ONNX:
        from tfdpzoo.conversion.onnx_file import OPSET, write_onnx

        return f"a runtime for ONNX, opset {OPSET}", write_onnx(original, path)
    from tfdpzoo.conversion.lite_file import write_lite

    agreement = write_lite(original, path, batch_size)
    return f"LiteRT; images in batches of {batch_size}", agreement


def _needed_for_layers(names: tuple[str, ...]) -> str:
    if not names:
        return "Keras"
    return f"Keras, and `import tfdpzoo.layers` before loading, for {', '.join(names)}"
