"""Reading the record back from a converted file, without TensorFlow and without its weights."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

from tfdpzoo.conversion.carried_record import CLASSES, KEYS, RECORD, CarriedRecord
from tfdpzoo.conversion.formats import ENDINGS, KERAS, ONNX, TFLITE
from tfdpzoo.conversion.order import require_packages
from tfdpzoo.errors import InputError

_LARGEST_ENTRY = 1 << 24
_JSON = (RECORD, CLASSES)


def read_carried_record(path: str | Path) -> CarriedRecord:
    """Reads the privacy record that a converted file carries.

    The record is what the file says; nothing here compares it with the file's weights.

    Args:
        path: A file that ends in `.onnx`, `.tflite` or `.keras`.

    Returns:
        The record.

    Raises:
        InputError: The file cannot be read, is of no known format or carries no record, the record
            contradicts itself, or the package that reads the format is not installed.

    Example:
        >>> read_carried_record("smoothnet-digits-1.onnx").guarantee.epsilon  # doctest: +SKIP
        6.99
    """
    path = Path(path)
    formats = {ending: name for name, ending in ENDINGS.items()}
    if path.suffix not in formats:
        raise InputError(
            f"The file {path} is of no format that carries a record; known are "
            f"{', '.join(sorted(formats))}."
        )
    format_name = formats[path.suffix]
    try:
        return CarriedRecord.from_entries(_entries(path, format_name))
    except InputError as error:
        raise InputError(f"In {path}: {error}") from error


def member_of(key: str) -> str:
    """Returns the name that an entry of the record has in a `.keras` archive.

    Args:
        key: The entry's name.

    Example:
        >>> member_of("privacy_guarantee"), member_of("note")
        ('privacy_guarantee.json', 'note.txt')
    """
    return f"{key}.{'json' if key in _JSON else 'txt'}"


def _entries(path: Path, format_name: str) -> Mapping[str, str]:
    require_packages(format_name)
    try:
        return _READERS[format_name](path)
    except OSError as error:
        raise InputError(f"the file cannot be read: {error.strerror or error}.") from error
    except InputError:
        raise
    except Exception as error:
        # A damaged file makes the formats' libraries raise errors of every kind.
        raise InputError(f"the file is damaged or no file of the format {format_name}.") from error


def _of_keras(path: Path) -> dict[str, str]:
    entries = {}
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: info for info in archive.infolist()}
        for key in KEYS:
            info = members.get(member_of(key))
            if info is None:
                continue
            if info.file_size > _LARGEST_ENTRY:
                raise InputError(f"{info.filename} is too large for a privacy record.")
            entries[key] = archive.read(info).decode()
    return entries


def _of_onnx(path: Path) -> dict[str, str]:
    import onnx

    model = onnx.load(path, load_external_data=False)
    return {entry.key: entry.value for entry in model.metadata_props}


def _of_tflite(path: Path) -> dict[str, str]:
    from ai_edge_litert import schema_py_generated as schema

    content = path.read_bytes()
    if not schema.Model.ModelBufferHasIdentifier(content, 0):
        raise InputError("the file is no file of the format tflite.")
    model = schema.Model.GetRootAs(content, 0)
    entries = {}
    for index in range(model.MetadataLength()):
        entry = model.Metadata(index)
        key = entry.Name().decode()
        if key in KEYS:
            entries[key] = model.Buffers(entry.Buffer()).DataAsNumpy().tobytes().decode()
    return entries


_READERS: Mapping[str, Callable[[Path], Mapping[str, str]]] = {
    KERAS: _of_keras,
    ONNX: _of_onnx,
    TFLITE: _of_tflite,
}
