"""`tfdpzoo train path/to/file.py:build`: a network of one's own, and how its run goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tfdpzoo.verification import verify

Program = Callable[..., Any]

CODE = """
import keras

def build(*, input_shape, classes, width=4):
    return keras.Sequential(
        [keras.Input(input_shape), keras.layers.Flatten(), keras.layers.Dense(width),
         keras.layers.Dense(classes)]
    )

def mixing(*, input_shape, classes):
    return keras.Sequential(
        [keras.Input(input_shape), keras.layers.BatchNormalization(), keras.layers.Flatten(),
         keras.layers.Dense(classes)]
    )

class Subclassed(keras.Model):
    def __init__(self, classes):
        super().__init__()
        self.dense = keras.layers.Dense(classes)

    def call(self, images):
        return self.dense(keras.ops.reshape(images, (-1, 64)))

def subclassed(*, input_shape, classes):
    return Subclassed(classes)
"""
SHORT = ("--epsilon", "7", "--set", "epochs=1", "--set", "width=3")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "nets" / "my net.py"
    path.parent.mkdir()
    path.write_text(CODE)
    return path


def test_an_own_model_is_trained_resumed_and_verified(
    file: Path, program: Program, tmp_path: Path
) -> None:
    trained = program("train", "nets/my net.py:build", *SHORT, "--alias", "champion")
    assert trained.code == 0, trained.err
    assert "saved_models/my-net-digits/1 is champion now." in trained.out
    (run,) = (tmp_path / "runs").iterdir()
    copy = run / "my-net.py"
    assert copy.read_text() == CODE
    assert json.loads((run / "run.json").read_text())["model_file"]["function"] == "build"
    shown = json.loads(program("models", "show", "my-net-digits@champion", "--json").out)
    assert (shown["model"], shown["recipe"], shown["parameters"]) == ("my-net", "own-model", 235)

    # The run goes on with its copy, whatever becomes of the file.
    file.unlink()
    more = ("train", "--resume", run, "--epochs", "+1", "--epsilon", "9")
    copy.write_text(CODE.replace("width=4", "width=5"))
    refused = program(*more)
    assert refused.code == 2
    assert "my-net.py was changed since the run began; put it back, or begin a new" in refused.err
    copy.unlink()
    assert "my-net.py cannot be read: No such file or directory." in program(*more).err

    copy.write_text(CODE)
    resumed = program(*more, "--alias", "champion")
    assert resumed.code == 0, resumed.err
    assert "saved_models/my-net-digits/2 is champion now." in resumed.out
    assert verify("saved_models/my-net-digits").ok


def test_a_network_that_mixes_examples_is_refused(
    file: Path, program: Program, tmp_path: Path
) -> None:
    outcome = program("train", f"{file}:mixing", "--epsilon", "7")

    assert outcome.code == 2
    assert "BatchNormalization" in outcome.err
    assert "use GroupNormalization" in outcome.err
    assert sorted(each.name for each in tmp_path.iterdir()) == ["nets"]


@pytest.mark.parametrize("function", ["build", "subclassed"])
def test_an_own_model_is_shown_and_planned(file: Path, program: Program, function: str) -> None:
    shown = json.loads(program("show", f"{file}:{function}", "--json").out)
    text = program("show", f"{file}:{function}")
    planned = json.loads(program("plan", f"{file}:{function}", "--epochs", "1", "--json").out)

    assert shown["name"] == "my-net"
    assert shown["card"] is None
    assert shown["input_shape"] == [8, 8, 1]
    assert shown["parameters"] > 0
    assert text.code == 0
    assert "Recipe own-model, the default" in text.out
    assert "card" not in text.out
    assert planned["batch_size"] == 256


def test_a_model_that_cannot_be_used_leaves_nothing(
    file: Path, refused: Callable[..., str]
) -> None:
    assert "no function in nets/my net.py named 'biuld'; did you mean 'build'" in refused(
        "train", "nets/my net.py:biuld", "--epsilon", "7"
    )
    assert "There is no file nowhere.py." in refused("train", "nowhere.py:build", "--epsilon", "7")
    assert "write nets/my net.py:build" in refused("show", "nets/my net.py")
    assert "The alias name 'a/b' cannot be used" in refused(
        "train", "nets/my net.py:build", "--epsilon", "7", "--alias", "a/b"
    )
