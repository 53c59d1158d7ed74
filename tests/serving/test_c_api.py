"""The exported model in TensorFlow's C++ loader and kernels, which TensorFlow Serving uses.

A program in C, without Python, calls TensorFlow's C API in the libraries of the installed package.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from stand_in import SHAPE
from tensorflow.core.protobuf import saved_model_pb2

_LIBRARIES = Path(tf.sysconfig.get_lib())
_LIBRARY = _LIBRARIES / "libtensorflow_cc.so.2"
_SOURCE = Path(__file__).with_name("run_saved_model.c")


@pytest.fixture(scope="module")
def run_saved_model(tmp_path_factory) -> Path:
    """The compiled program."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("the C program of this test needs a C compiler, cc or gcc")
    if not _LIBRARY.exists():
        pytest.skip(f"this TensorFlow has no {_LIBRARY.name}")
    program = tmp_path_factory.mktemp("program") / "run_saved_model"
    framework = _LIBRARIES / "libtensorflow_framework.so.2"
    subprocess.run(
        [
            compiler,
            "-std=gnu11",
            "-O1",
            f"-I{tf.sysconfig.get_include()}",
            "-o",
            program,
            _SOURCE,
            _LIBRARY,
            framework,
            f"-Wl,-rpath,{_LIBRARIES}",
        ],
        check=True,
        timeout=120,
    )
    return program


@pytest.fixture(scope="module")
def signatures(exported):
    """The signatures as they are written: the names of the graph's tensors."""
    saved = saved_model_pb2.SavedModel.FromString((exported / "saved_model.pb").read_bytes())
    (graph,) = saved.meta_graphs
    assert graph.meta_info_def.tags == ["serve"]
    return graph.signature_def


def run(program: Path, *arguments: object) -> bytes:
    done = subprocess.run(
        [program, *map(str, arguments)],
        env={"TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.mark.parametrize("name", ["logits", "probabilities"])
def test_the_classifier_gives_the_same(
    run_saved_model, exported, loaded, signatures, name, tmp_path
):
    images = np.random.default_rng(0).integers(0, 256, (3, *SHAPE)).astype("<f4")
    images.tofile(tmp_path / "images")
    serving = signatures["serving_default"]
    tensors = serving.inputs["images"].name, serving.outputs[name].name
    written = run(run_saved_model, exported, *tensors, "float", tmp_path / "images", *images.shape)
    expected = loaded.signatures["serving_default"](images=tf.constant(images))[name].numpy()
    found = np.frombuffer(written, "<f4").reshape(expected.shape)
    # The same kernels; threads may add in another order.
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_the_guarantee_is_the_same(run_saved_model, exported, record, signatures):
    output = signatures["privacy_guarantee"].outputs["json"].name
    assert run(run_saved_model, exported, "-", output, "none").decode() == record


def test_the_guarantee_for_rest_is_the_same(run_saved_model, exported, record, signatures):
    signature = signatures["privacy_guarantee_rest"]
    tensors = signature.inputs["requests"].name, signature.outputs["json"].name
    assert run(run_saved_model, exported, *tensors, "text").decode() == record
