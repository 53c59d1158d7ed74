"""What is refused before anything is loaded."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tfdpzoo.conversion.formats import FORMATS, default_path
from tfdpzoo.conversion.order import check_order, require_packages
from tfdpzoo.errors import InputError


@pytest.mark.parametrize("format_name", FORMATS)
def test_the_default_path_is_in_order(
    format_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tf2onnx", reason="needs the extra convert")
    monkeypatch.chdir(tmp_path)

    check_order(format_name, default_path(Path("saved_models/a/3"), format_name))

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("format_name", "name", "batch_size", "sentence"),
    [
        ("pdf", "a.pdf", None, "There is no format named 'pdf'"),
        ("onnx", "a.bin", None, "must have a name that ends in .onnx, as programs that read onnx"),
        ("keras", "a.h5", None, "must have a name that ends in .keras"),
        ("onnx", "a.onnx", 2, "onnx takes any number of images at once; leave out --batch-size"),
        ("saved_model", "1", 1, "saved_model takes any number of images at once"),
        ("tflite", "a.tflite", 0, "A batch size of 0 is too small; give at least 1."),
        ("keras", "there.keras", None, "exists already and is never overwritten"),
    ],
)
def test_what_cannot_be_done_is_refused(
    format_name: str, name: str, batch_size: int | None, sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "there.keras").write_bytes(b"")

    with pytest.raises(InputError) as refusal:
        check_order(format_name, tmp_path / name, batch_size)

    assert sentence in str(refusal.value)


@pytest.mark.parametrize(
    ("format_name", "missing", "named"),
    [
        ("onnx", ("tf2onnx",), "needs tf2onnx, which"),
        ("onnx", ("onnx", "onnxruntime", "tf2onnx"), "needs onnx and onnxruntime and tf2onnx"),
        ("tflite", ("ai_edge_litert",), "needs ai_edge_litert, which"),
    ],
)
def test_a_missing_extra_is_told(
    format_name: str, missing: tuple[str, ...], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in missing else found("json")
    )

    with pytest.raises(InputError) as refusal:
        require_packages(format_name)

    assert named in str(refusal.value)
    assert str(refusal.value).endswith("is not installed; run: pip install 'tfdpzoo[convert]'.")
    for other in ("keras", "saved_model"):
        require_packages(other)
