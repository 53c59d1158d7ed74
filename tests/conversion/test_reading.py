"""Records are read from foreign and damaged files with a sentence, never with a stack trace."""

from __future__ import annotations

import random
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tfdpzoo.conversion import reading
from tfdpzoo.conversion.formats import ENDINGS, KERAS, ONNX, TFLITE
from tfdpzoo.conversion.keras_file import write_keras
from tfdpzoo.conversion.lite_file import write_lite
from tfdpzoo.conversion.onnx_file import write_onnx
from tfdpzoo.conversion.original import Original
from tfdpzoo.conversion.reading import member_of, read_carried_record
from tfdpzoo.errors import InputError
from tfdpzoo.zoo import catalog

pytest.importorskip("tf2onnx", reason="needs the extra convert")
pytest.importorskip("ai_edge_litert", reason="needs the extra convert")


@pytest.fixture(scope="module")
def files(original: Original, tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("files")
    files = {name: folder / f"model{ending}" for name, ending in ENDINGS.items()}
    write_keras(original, files[KERAS], catalog.build)
    write_onnx(original, files[ONNX])
    write_lite(original, files[TFLITE])
    return files


@pytest.fixture(params=sorted(ENDINGS))
def file(request, files, tmp_path) -> Path:
    """A copy, to be damaged."""
    path = tmp_path / files[request.param].name
    path.write_bytes(files[request.param].read_bytes())
    return path


def test_all_formats_carry_the_same(files, original) -> None:
    records = [read_carried_record(path) for path in files.values()]

    for record in records:
        assert record.guarantee == original.guarantee
        assert record.class_names == original.class_names


def test_damaged_files_are_refused(file: Path) -> None:
    content, choices = file.read_bytes(), random.Random(0)
    refused = 0
    for _ in range(60):
        damaged = bytearray(content)
        if choices.random() < 0.5:
            del damaged[choices.randrange(len(damaged)) :]
        else:
            start = choices.randrange(len(damaged))
            damaged[start : start + 200] = choices.randbytes(200)
        file.write_bytes(damaged)
        try:
            read_carried_record(file)
        except InputError as error:
            assert str(error).startswith(f"In {file}: ")
            refused += 1
    # A damaged weight is none of the record's business.
    assert refused >= 20


@pytest.mark.parametrize("content", [b"", b"a text of another kind", bytes(100)])
def test_foreign_files_are_refused(content: bytes, tmp_path: Path) -> None:
    for ending in ENDINGS.values():
        path = tmp_path / f"model{ending}"
        path.write_bytes(content)
        with pytest.raises(InputError, match=f"^In {path}: "):
            read_carried_record(path)


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    for ending in ENDINGS.values():
        path = tmp_path / f"nothing{ending}"
        with pytest.raises(InputError, match="the file cannot be read: No such file"):
            read_carried_record(path)
    with pytest.raises(InputError, match=r"of no format .* known are \.keras, \.onnx, \.tflite"):
        read_carried_record(tmp_path / "model.pdf")


def test_a_keras_file_of_another_program_carries_none(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")

    with pytest.raises(InputError, match="it carries no privacy record of tfdpzoo"):
        read_carried_record(path)


def test_an_entry_that_would_fill_the_memory_is_refused(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(reading, "_LARGEST_ENTRY", 1000)
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member_of("privacy_guarantee"), " " * 1001)

    with pytest.raises(InputError, match=r"privacy_guarantee.json is too large"):
        read_carried_record(path)


def test_reading_needs_no_tensorflow(files) -> None:
    paths = [str(path) for path in files.values()]
    code = (
        "import sys\n"
        "from tfdpzoo.conversion.reading import read_carried_record\n"
        f"for path in {paths!r}: read_carried_record(path)\n"
        "assert not {'tensorflow', 'keras'} & {*sys.modules}\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
