"""Every model of the zoo is converted to every format, and computes the same there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import pytest
from converted import export_by_recipe

from tfdpzoo.conversion.keras_file import write_keras
from tfdpzoo.conversion.lite_file import write_lite
from tfdpzoo.conversion.onnx_file import write_onnx
from tfdpzoo.conversion.original import Original
from tfdpzoo.conversion.reading import read_carried_record
from tfdpzoo.zoo import catalog
from tfdpzoo.zoo.wide_resnet import wide_resnet

pytest.importorskip("tf2onnx", reason="needs the extra convert")
pytest.importorskip("ai_edge_litert", reason="needs the extra convert")

SHAPE = (16, 16, 3)
SMALLER_SHAPES = {
    # Shrinks to one pixel, where tf2onnx's optimiser of transpositions makes wrong shapes.
    "equivariant_resnet9": (8, 8, 3),
}

SMALL_FORMS: Mapping[str, Mapping[str, Any]] = {
    "smoothnet": {"width": 1.0, "depth": 1},
    "resnet9": {"widths": [8, 8, 8], "normalization_groups": 4},
    "equivariant_resnet9": {"layout": [8, 8, 8]},
    "tanh_cnn": {"layout": "cifar10-small"},
    # Of the same function as wrn16_4 and wrn40_4, which have no small form.
    "wrn10_1": {},
}
LAYERS_OF_TFDPZOO = {
    "smoothnet": ("AdaptiveAveragePooling2D", "SmoothBlock"),
    "equivariant_resnet9": (
        "AdaptiveAveragePooling2D",
        "FieldNormalization",
        "GroupPooling",
        "GroupRestriction",
        "SymmetricPooling2D",
    ),
}


def build(name: str, **arguments: Any) -> keras.Model:
    if name == "wrn10_1":
        return wide_resnet(10, 1, arguments["input_shape"], arguments["classes"])
    return catalog.build(name, **arguments)


def exported(
    name: str, architecture: Mapping[str, Any], path: Path, shape: tuple[int, int, int] = SHAPE
) -> Original:
    keras.utils.set_random_seed(0)
    model = build(name, input_shape=shape, classes=5, **architecture)
    return Original.open(export_by_recipe(model, path, name=name, architecture=architecture))


@pytest.fixture(scope="module", params=SMALL_FORMS)
def small(request, tmp_path_factory) -> Original:
    path = tmp_path_factory.mktemp("models") / request.param / "1"
    shape = SMALLER_SHAPES.get(request.param, SHAPE)
    return exported(request.param, SMALL_FORMS[request.param], path, shape)


def name_of(original: Original) -> str:
    return original.folder.parent.name


def test_keras(small: Original, tmp_path: Path) -> None:
    written = write_keras(small, tmp_path / "model.keras", build)

    assert written.agreement.holds
    assert written.custom_layers == LAYERS_OF_TFDPZOO.get(name_of(small), ())


def test_onnx(small: Original, tmp_path: Path) -> None:
    assert write_onnx(small, tmp_path / "model.onnx").holds


def test_lite(small: Original, tmp_path: Path) -> None:
    assert write_lite(small, tmp_path / "model.tflite").holds


@pytest.mark.parametrize(
    "choices",
    [
        {"connections": "residual", "depth": 1},
        {"separable": True, "pooling": "average", "normalization": "instance", "depth": 1},
    ],
    ids=lambda choices: next(iter(choices)),
)
def test_other_smoothnets_become_keras_files(choices: Mapping[str, Any], tmp_path: Path) -> None:
    original = exported("smoothnet", {"width": 1.0, **choices}, tmp_path / "smoothnet" / "1")

    assert write_keras(original, tmp_path / "model.keras", build).agreement.holds


@pytest.mark.slow
@pytest.mark.parametrize("name", catalog.names())
def test_whole_models(name: str, tmp_path: Path) -> None:
    original = exported(name, {}, tmp_path / name / "1")

    assert write_keras(original, tmp_path / "model.keras", build).agreement.holds
    assert write_onnx(original, tmp_path / "model.onnx").holds
    assert write_lite(original, tmp_path / "model.tflite", batch_size=2).holds
    for ending in ("keras", "onnx", "tflite"):
        assert read_carried_record(tmp_path / f"model.{ending}").guarantee == original.guarantee
