"""`tfdpzoo export`: what users type, what is written, and what is refused."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from converted import export_by_recipe
from stand_in import StandIn

from tfdpzoo.conversion import order
from tfdpzoo.conversion.reading import read_carried_record
from tfdpzoo.privacy.record import Status
from tfdpzoo.run_folder import RunFolder
from tfdpzoo.saved_model import export
from tfdpzoo.verification import verify
from tfdpzoo.zoo import catalog

pytest.importorskip("tf2onnx", reason="needs the extra convert")
pytest.importorskip("ai_edge_litert", reason="needs the extra convert")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(StandIn(), tmp_path_factory.mktemp("models") / "1", class_names="abcd")


@pytest.fixture
def registered(exported: Path, tmp_path: Path) -> Path:
    """saved_models/small/1, which goes by champion too."""
    folder = tmp_path / "saved_models" / "small"
    shutil.copytree(exported, folder / "1")
    (folder / ".aliases").mkdir()
    (folder / ".aliases" / "champion").write_text("1\n")
    return folder


@pytest.mark.parametrize("reference", ["small", "small:1", "small@champion", "saved_models/small"])
def test_a_registered_model_is_copied(
    program: Callable[..., Any], registered: Path, tmp_path: Path, reference: str
) -> None:
    outcome = program("export", reference, "--format", "saved_model")

    assert outcome.code == 0, outcome.err
    assert verify(tmp_path / "exported" / "small" / "1").ok
    assert "saved_models/small/1 is intact; exported to exported/small/1." in outcome.out
    assert "the copy verifies and has the same files" in outcome.out
    assert "differentially private with epsilon" in outcome.out


def test_it_says_what_was_written_and_measured(
    program: Callable[..., Any], registered: Path, tmp_path: Path
) -> None:
    outcome = program("export", "small", "--format", "onnx", "--json")

    assert outcome.code == 0, outcome.err
    fields = json.loads(outcome.out)
    record = read_carried_record(tmp_path / "exported" / "small-1.onnx")
    assert fields == {
        "path": "exported/small-1.onnx",
        "format": "onnx",
        "source": "saved_models/small/1",
        "record": "metadata_props, key privacy_guarantee",
        "loaded_by": "a runtime for ONNX, opset 18",
        "differences": fields["differences"],
        "batch_sizes": [1, 3, 8],
        "weights_sha256": record.weights_sha256,
        "valid": True,
        "epsilon": record.guarantee.epsilon,
        "delta": 1e-4,
        "sentence": record.guarantee.sentence(),
    }
    assert set(fields["differences"]) == {"logits", "probabilities"}
    assert max(fields["differences"].values()) < 1e-4


def test_a_fixed_batch_is_taken_for_tflite(
    program: Callable[..., Any], registered: Path, tmp_path: Path
) -> None:
    outcome = program(
        *("export", "small", "--format", "tflite", "--batch-size", 2, "--out", "new/model.tflite")
    )

    assert outcome.code == 0, outcome.err
    assert "LiteRT; images in batches of 2" in outcome.out
    assert "largest difference on 6 random images: logits " in outcome.out
    assert read_carried_record(tmp_path / "new" / "model.tflite").class_names == tuple("abcd")


def test_a_guarantee_that_is_void_is_carried_as_that(
    program: Callable[..., Any], tmp_path: Path
) -> None:
    class Reproducible(StandIn):
        def guarantee(self):
            return dataclasses.replace(
                super().guarantee(), status=Status(False, ("Its noise is known",))
            )

    export(Reproducible(), tmp_path / "saved_models" / "small" / "1")

    outcome = program("export", "small", "--format", "onnx")

    assert outcome.code == 0, outcome.err
    record = read_carried_record(tmp_path / "exported" / "small-1.onnx")
    assert not record.guarantee.valid
    assert record.guarantee.sentence() in outcome.out


def test_a_run_that_has_ended_is_exported(program: Callable[..., Any], tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (60, 8, 8, 1), dtype=np.uint8)
    labels = np.arange(60) % 3
    np.savez(
        tmp_path / "images.npz",
        train_images=images[:50],
        train_labels=labels[:50],
        test_images=images[50:],
        test_labels=labels[50:],
    )
    small = ("--set", "width=1", "--set", "depth=1", "--set", "batch_size=25", "--set", "epochs=1")
    trained = program(
        *("train", "smoothnet", "--dataset", "images.npz", "--epsilon", "7", "--delta", "1e-3"),
        *small,
    )
    assert trained.code == 0, trained.err
    (run,) = (tmp_path / "runs").iterdir()

    outcome = program("export", run, "--format", "keras", "--out", "model.keras")

    assert outcome.code == 0, outcome.err
    assert "Keras, and `import tfdpzoo.layers` before loading, for Adaptive" in outcome.out
    model = tmp_path / "saved_models" / "smoothnet-images" / "1"
    assert read_carried_record(tmp_path / "model.keras").guarantee == verify(model).guarantee


def test_a_run_without_privacy_is_refused(refused: Callable[..., str], tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "runs", catalog.recipe("tanh_cnn"))
    run.model_without_privacy.write_bytes(b"a model")

    assert refused("export", run.path, "--format", "keras") == (
        f"{run.path} is a run without privacy (--no-dp): there is no guarantee that an exported "
        "model could carry. Train it with --epsilon."
    )


def test_an_altered_model_is_refused(refused: Callable[..., str], registered: Path) -> None:
    with open(registered / "1" / "variables" / "variables.data-00000-of-00001", "r+b") as stream:
        stream.write(b"altered")

    sentence = refused("export", "small", "--format", "onnx")

    assert sentence.startswith(
        "saved_models/small/1 is not exported, because it does not verify: The file "
        "variables/variables.data-00000-of-00001 was altered"
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("smal", "--format", "onnx"), "There is no model in saved_models named 'smal'; did you"),
        (
            ("small:2", "--format", "onnx"),
            "The model small in saved_models has no version 2; it has 1.",
        ),
        (("small@best", "--format", "onnx"), "There is no alias of small named 'best'"),
        (("runs/none", "--format", "onnx"), "There is no folder runs/none"),
        (("small",), "Missing option '--format'"),
        (("small", "--format", "pdf"), "'pdf' is not one of 'saved_model', 'keras', 'onnx', 'tfl"),
        (("small", "--format", "onnx", "--out", "model"), "must have a name that ends in .onnx"),
        (("small", "--format", "onnx", "--batch-size", "2"), "leave out --batch-size"),
        (("small", "--format", "tflite", "--batch-size", "0"), "0 is not in the range x>=1"),
        (("small", "--format", "keras"), "was exported without its recipe"),
        (("small", "--format", "saved_model", "--out", "saved_models/small/1"), "is never overwri"),
        (("small", "--format", "keras", "--out", "there.keras"), "there.keras exists already"),
        (("small", "--format", "keras", "--out", "there.keras/a.keras"), "there.keras refuses it"),
    ],
)
def test_bad_input_is_one_sentence(
    refused: Callable[..., str],
    registered: Path,
    tmp_path: Path,
    arguments: tuple[str, ...],
    sentence: str,
) -> None:
    (tmp_path / "there.keras").write_bytes(b"")

    assert sentence in refused("export", *arguments)


def test_a_missing_extra_is_one_sentence(
    refused: Callable[..., str], registered: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order.importlib.util, "find_spec", lambda _name: None)

    assert refused("export", "small", "--format", "onnx") == (
        "The format onnx needs onnx and onnxruntime and tf2onnx, which is not installed; run: pip "
        "install 'tfdpzoo[convert]'."
    )


def test_a_strangers_record_runs_no_file(refused: Callable[..., str], tmp_path: Path) -> None:
    file = tmp_path / "network.py"
    file.write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\ndef build(**_): ...\n")
    model = catalog.build("tanh_cnn", input_shape=(8, 8, 1), classes=5)
    folder = export_by_recipe(model, tmp_path / "a" / "1", name=f"{file}:build")

    sentence = refused("export", folder, "--format", "keras")

    assert "no installed package has the network" in sentence
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("format_name", ["onnx", "tflite", "keras"])
def test_an_exported_file_says_what_it_guarantees(
    program: Callable[..., Any], tmp_path: Path, format_name: str
) -> None:
    model = catalog.build("tanh_cnn", input_shape=(8, 8, 1), classes=5)
    folder = export_by_recipe(model, tmp_path / "a" / "1")
    file = tmp_path / "a" / f"file.{format_name}"
    assert program("export", folder, "--format", format_name, "--out", file).code == 0

    outcome = program("guarantee", file)

    assert outcome.code == 0, outcome.err
    assert "are differentially private with epsilon" in outcome.out
    assert "does not bind the bytes of this file" in outcome.out
