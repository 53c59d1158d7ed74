"""LiteRT files: what is in them, and that the interpreter computes what TensorFlow does."""

from __future__ import annotations

import json
import resource

import numpy as np
import pytest
from converted import CLASS_NAMES

from tfdpzoo.conversion.lite_file import lite_runtime, write_lite
from tfdpzoo.conversion.reading import read_carried_record
from tfdpzoo.errors import InputError

interpreters = pytest.importorskip("ai_edge_litert.interpreter", reason="needs the extra convert")


@pytest.fixture(scope="module")
def written(original, tmp_path_factory):
    path = tmp_path_factory.mktemp("lite") / "model.tflite"
    assert write_lite(original, path).holds
    return path


def test_the_signature_has_the_names_of_the_savedmodel(written) -> None:
    interpreter = interpreters.Interpreter(str(written))

    assert interpreter.get_signature_list() == {
        "serving_default": {"inputs": ["images"], "outputs": ["logits", "probabilities"]}
    }
    runner = interpreter.get_signature_runner("serving_default")
    images = runner.get_input_details()["images"]
    assert list(images["shape"]) == [1, 8, 8, 3]
    assert images["dtype"] is np.float32


def test_weights_are_not_quantised(written) -> None:
    interpreter = interpreters.Interpreter(str(written))

    dtypes = {each["dtype"] for each in interpreter.get_tensor_details()}
    assert dtypes <= {np.float32, np.int32, np.int64}


def test_the_batch_size_is_the_one_that_was_asked_for(plain_original, tmp_path) -> None:
    # With group normalisation, which LiteRT executes for a fixed batch alone.
    agreement = write_lite(plain_original, tmp_path / "model.tflite", batch_size=3)

    assert agreement.batch_sizes == (3, 3, 3)
    images = np.random.default_rng(1).uniform(0, 255, (3, 8, 8, 3)).astype("float32")
    outputs = lite_runtime((tmp_path / "model.tflite").read_bytes())(images)
    expected = plain_original.predict(images)["logits"]
    # float32 sums in another order.
    np.testing.assert_allclose(outputs["logits"], expected, atol=1e-5)
    assert read_carried_record(tmp_path / "model.tflite").class_names is None


def test_it_carries_the_record(written, original) -> None:
    from ai_edge_litert.schema_py_generated import Model

    content = written.read_bytes()
    assert Model.ModelBufferHasIdentifier(content, 0)
    model = Model.GetRootAs(content, 0)
    entries = [model.Metadata(index) for index in range(model.MetadataLength())]
    texts = {
        each.Name().decode(): model.Buffers(each.Buffer()).DataAsNumpy().tobytes()
        for each in entries
    }
    assert json.loads(texts["privacy_guarantee"]) == original.guarantee.to_fields()
    assert json.loads(texts["classes"]) == list(CLASS_NAMES)
    # What the converter writes itself is kept.
    assert "min_runtime_version" in texts
    assert read_carried_record(written).guarantee == original.guarantee


def test_a_full_disk_is_told(original, nothing_left) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
        with pytest.raises(InputError, match="temporary files cannot be written to .*: make room"):
            write_lite(original, nothing_left / "model.tflite")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_the_converter_cannot_convert_is_told(original, nothing_left, monkeypatch) -> None:
    import tensorflow as tf

    def fail(*_arguments, **_named):
        raise RuntimeError("an operator")

    monkeypatch.setattr(tf.lite.TFLiteConverter, "from_saved_model", fail)
    with pytest.raises(InputError, match="cannot convert this model to LiteRT: an operator"):
        write_lite(original, nothing_left / "model.tflite")
