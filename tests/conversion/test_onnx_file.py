"""ONNX files: what is in them, and that ONNX Runtime computes what TensorFlow does."""

from __future__ import annotations

import json

import numpy as np
import pytest
from converted import CLASS_NAMES

from tfdpzoo.conversion.onnx_file import OPSET, onnx_runtime, write_onnx
from tfdpzoo.conversion.reading import read_carried_record
from tfdpzoo.errors import InputError

onnx = pytest.importorskip("onnx", reason="needs the extra convert")
pytest.importorskip("tf2onnx", reason="needs the extra convert")
pytest.importorskip("onnxruntime", reason="needs the extra convert")


@pytest.fixture(scope="module")
def written(original, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    agreement = write_onnx(original, path)
    assert agreement.holds
    assert set(agreement.differences) == {"logits", "probabilities"}
    return path


def test_inputs_and_outputs_have_the_names_and_shapes_of_the_savedmodel(written) -> None:
    graph = onnx.load(written).graph

    def shape(each):
        dimensions = each.type.tensor_type.shape.dim
        return tuple(each.dim_param or each.dim_value for each in dimensions)

    assert {each.name: shape(each) for each in graph.input} == {"images": ("batch", 8, 8, 3)}
    assert {each.name: shape(each) for each in graph.output} == {
        "logits": ("batch", 5),
        "probabilities": ("batch", 5),
    }


def test_it_needs_the_stated_operators_and_no_others(written) -> None:
    model = onnx.load(written)

    assert {each.version for each in model.opset_import if each.domain == ""} == {OPSET}
    assert {node.domain for node in model.graph.node} == {""}


@pytest.mark.parametrize("size", [1, 2, 17])
def test_any_number_of_images_is_taken(written, original, size: int) -> None:
    images = np.random.default_rng(1).uniform(0, 255, (size, 8, 8, 3)).astype("float32")

    outputs = onnx_runtime(written.read_bytes())(images)

    # float32 sums in another order.
    np.testing.assert_allclose(outputs["logits"], original.predict(images)["logits"], atol=1e-5)
    np.testing.assert_allclose(outputs["probabilities"].sum(axis=1), 1, atol=1e-6)


def test_it_carries_the_record(written, original) -> None:
    entries = {each.key: each.value for each in onnx.load(written).metadata_props}

    digest = original.guarantee.provenance.weights_sha256
    assert json.loads(entries["privacy_guarantee"]) == original.guarantee.to_fields()
    assert json.loads(entries["classes"]) == list(CLASS_NAMES)
    assert entries["weights_sha256"] == digest
    assert digest in entries["note"]
    assert entries["converter"].startswith("tfdpzoo ")
    assert "tf2onnx 1." in entries["converter"]
    assert read_carried_record(written).guarantee == original.guarantee


def test_a_model_without_class_names_carries_none(plain_original, tmp_path) -> None:
    write_onnx(plain_original, tmp_path / "model.onnx")

    assert read_carried_record(tmp_path / "model.onnx").class_names is None


def test_what_tf2onnx_cannot_convert_is_told(original, nothing_left, monkeypatch) -> None:
    from tf2onnx import tfonnx

    def fail(*_arguments, **_named):
        raise KeyError("an operator\nand a long story")

    monkeypatch.setattr(tfonnx, "process_tf_graph", fail)
    with pytest.raises(InputError, match="^tf2onnx cannot convert this model: .*an operator"):
        write_onnx(original, nothing_left / "model.onnx")


def test_a_conversion_that_went_wrong_is_not_written(original, nothing_left, monkeypatch) -> None:
    monkeypatch.setattr(
        "tfdpzoo.conversion.onnx_file.onnx_runtime",
        lambda _content: lambda images: {"logits": np.zeros((len(images), 5))},
    )
    with pytest.raises(InputError, match="does not compute what .* computes: its logits differ"):
        write_onnx(original, nothing_left / "model.onnx")


def test_what_onnx_runtime_cannot_execute_is_told(original, nothing_left, monkeypatch) -> None:
    def fail(_content):
        raise RuntimeError("an operator")

    monkeypatch.setattr("tfdpzoo.conversion.onnx_file.onnx_runtime", fail)
    with pytest.raises(InputError, match="^ONNX Runtime cannot execute what tf2onnx made of this"):
        write_onnx(original, nothing_left / "model.onnx")
