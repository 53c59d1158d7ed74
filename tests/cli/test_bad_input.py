"""Every kind of bad input: one sentence on stderr, exit code 2, nothing left behind."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

from tfdpzoo.zoo import catalog

Refused = Callable[..., str]

DIGITS = ("train", "smoothnet", "--epsilon", "7", "--dataset", "digits")


def test_an_unknown_command_names_the_nearest(refused: Refused) -> None:
    assert "Did you mean 'train'" in refused("trian", "smoothnet")


def test_an_unknown_option_names_the_nearest(refused: Refused) -> None:
    sentence = refused("train", "smoothnet", "--epsilonn", "7")

    assert "'--epsilonn'" in sentence
    assert "--epsilon" in sentence
    assert "See `tfdpzoo train --help`." in sentence


@pytest.mark.parametrize("command", ["train", "show", "plan"])
def test_an_unknown_model_names_the_nearest(refused: Refused, command: str) -> None:
    epsilon = () if command == "show" else ("--epsilon", "7")

    sentence = refused(command, "smothnet", *epsilon)

    assert "no model named 'smothnet'; did you mean 'smoothnet'" in sentence


@pytest.mark.parametrize("command", ["train", "show", "plan"])
def test_an_unknown_recipe_names_the_nearest(refused: Refused, command: str) -> None:
    epsilon = () if command == "show" else ("--epsilon", "7")

    sentence = refused(command, "smoothnet", *epsilon, "--recipe", "mnst")

    assert "no recipe of smoothnet named 'mnst'; did you mean 'mnist'" in sentence


def test_a_missing_recipe_file_is_named(refused: Refused) -> None:
    sentence = refused("train", "smoothnet", "--epsilon", "7", "--recipe", "mine.toml")

    assert sentence == "There is no file mine.toml."


def test_an_unknown_data_set_names_the_nearest(refused: Refused) -> None:
    sentence = refused("train", "smoothnet", "--epsilon", "7", "--dataset", "cifar100")

    assert "no data set named 'cifar100'; did you mean 'cifar10'?" in sentence


@pytest.mark.parametrize(
    ("assignment", "nearest"),
    [
        ("privacy.epsilonn=7", "'privacy.epsilon'"),
        ("batchsize=7", "'batch_size'"),
        ("architecture.widht=2", "'architecture.width'"),
    ],
)
def test_an_unknown_key_names_the_nearest(refused: Refused, assignment: str, nearest: str) -> None:
    sentence = refused(*DIGITS, "--set", assignment)

    assert f"no recipe key named '{assignment.partition('=')[0]}'; did you mean" in sentence
    assert nearest in sentence


def test_a_value_without_its_key_is_refused(refused: Refused) -> None:
    assert "must read key=value, got '7'" in refused(*DIGITS, "--set", "7")


@pytest.mark.parametrize("key", ["epsilon", "privacy.epsilon", "dataset"])
def test_a_value_that_is_given_twice_is_refused(refused: Refused, key: str) -> None:
    assert "set twice; give it once" in refused(*DIGITS, "--set", f"{key}=3")


@pytest.mark.parametrize(
    ("epsilon", "reason"),
    [
        ("0", "must be above 0, got 0.0"),
        ("-1", "must be above 0, got -1.0"),
        ("nan", "must be a finite number, got nan"),
        ("inf", "must be a finite number, got inf"),
        ("seven", "'seven' is not a valid float"),
    ],
)
def test_an_epsilon_that_is_none_is_refused(refused: Refused, epsilon: str, reason: str) -> None:
    assert reason in refused("train", "smoothnet", "--dataset", "digits", "--epsilon", epsilon)


def test_training_without_an_epsilon_is_refused(refused: Refused) -> None:
    sentence = refused("train", "smoothnet", "--dataset", "digits")

    assert sentence.startswith("Give --epsilon")
    made_for = catalog.recipe("smoothnet", "digits").privacy.epsilon
    assert f"the recipe digits was made for {made_for:g}." in sentence


@pytest.mark.parametrize(
    ("delta", "reason"),
    [
        ("0.001", "must be below 1/1433"),
        ("0", "must be above 0 and below 1, got 0.0"),
        ("1", "must be above 0 and below 1, got 1.0"),
    ],
)
def test_a_delta_that_claims_nothing_is_refused(refused: Refused, delta: str, reason: str) -> None:
    assert reason in refused(*DIGITS, "--delta", delta)


def test_a_batch_larger_than_the_data_is_refused(refused: Refused) -> None:
    sentence = refused(*DIGITS, "--set", "batch_size=2000")

    assert "batch_size is 2000 but there are only 1433 examples" in sentence


def test_zero_updates_are_refused(refused: Refused) -> None:
    assert "must be above 0, got 0" in refused(*DIGITS, "--set", "epochs=0")
    assert "make no update at all" in refused(*DIGITS, "--set", "epochs=0.01")


def test_a_warm_up_longer_than_the_run_is_refused(refused: Refused) -> None:
    values = ("epochs=1", "batch_size=256", "warmup_updates=99")
    sentence = refused(*DIGITS, *(text for value in values for text in ("--set", value)))

    assert "warmup_updates is 99, but the whole run has 5 updates" in sentence


def test_architecture_arguments_that_cannot_be_built_are_refused(refused: Refused) -> None:
    assert "width is 0.0" in refused(*DIGITS, "--set", "width=0")


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    """Forty training and ten test images, as an .npz file holds them."""
    generator = np.random.default_rng(0)
    return {
        "train_images": generator.integers(0, 256, (40, 8, 8, 1), np.uint8),
        "train_labels": np.arange(40) % 4,
        "test_images": generator.integers(0, 256, (10, 8, 8, 1), np.uint8),
        "test_labels": np.arange(10) % 4,
    }


def _train_on_arrays(refused: Refused, arrays: dict[str, Any]) -> str:
    np.savez("images.npz", **arrays)
    return refused("train", "smoothnet", "--epsilon", "7", "--dataset", "images.npz")


def test_labels_out_of_range_are_refused(refused: Refused, arrays: dict[str, np.ndarray]) -> None:
    arrays["test_labels"][3] = 9

    sentence = _train_on_arrays(refused, arrays)

    assert "test_labels has labels out of range: 9 at example 3" in sentence


def test_nan_pixels_are_refused(refused: Refused, arrays: dict[str, np.ndarray]) -> None:
    images = arrays["train_images"].astype(np.float32)
    images[5, 0, 0, 0] = np.nan

    sentence = _train_on_arrays(refused, {**arrays, "train_images": images})

    assert "NaN or infinite pixels in 1 of 40 images, the first is image 5" in sentence


def test_images_of_another_shape_are_refused(
    refused: Refused, arrays: dict[str, np.ndarray]
) -> None:
    smaller = arrays["test_images"].repeat(2, axis=1)
    assert "both need one shape" in _train_on_arrays(refused, {**arrays, "test_images": smaller})

    five = arrays["train_images"].repeat(5, axis=3)
    sentence = _train_on_arrays(refused, {**arrays, "train_images": five})
    assert "the last axis must be 1 or 3 channels" in sentence


def test_an_unreadable_file_in_a_folder_is_named(refused: Refused, tmp_path: Path) -> None:
    for split in ("train", "test"):
        for name in ("cat", "dog"):
            folder = tmp_path / "pets" / split / name
            folder.mkdir(parents=True)
            Image.new("RGB", (8, 8)).save(folder / "1.png")
    broken = tmp_path / "pets" / "train" / "dog" / "2.jpg"
    broken.write_bytes(b"no image")

    sentence = refused("train", "smoothnet", "--epsilon", "7", "--dataset", "pets")

    assert "pets/train/dog/2.jpg" in sentence


def test_an_existing_version_is_refused_before_data_is_read(
    refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models" / "7").mkdir(parents=True)
    monkeypatch.setattr("tfdpzoo.data.load", _must_not_happen)

    sentence = refused(*DIGITS, "--out", "models/7")

    assert "models/7 exists already and is never overwritten" in sentence
    assert "the next free version is 8" in sentence


def test_a_model_without_a_version_is_not_overwritten(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "saved_model.pb").touch()

    sentence = refused(*DIGITS, "--out", "model")

    assert "model exists already, is itself a model and is never overwritten" in sentence


@pytest.mark.parametrize(
    "out", ["models/<i>x", "models/a b/1", "models/-x/2", f"models/{'x' * 101}"]
)
def test_a_name_that_cannot_be_registered_is_refused_before_training(
    refused: Refused, out: str
) -> None:
    assert "cannot be used: give up to 100 letters, digits" in refused(*DIGITS, "--out", out)


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("--out", "cannot be written: the folder"),
        ("--runs", "The run's folder cannot be made in file/inside"),
        ("--record", "cannot be recorded in file/inside"),
    ],
)
def test_a_place_that_cannot_be_written_to_is_refused_before_data_is_read(
    refused: Refused,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    option: str,
    reason: str,
) -> None:
    # Even an administrator, whom permissions do not stop, cannot write below a file.
    (tmp_path / "file").touch()
    monkeypatch.setattr("tfdpzoo.data.load", _must_not_happen)

    assert reason in refused(*DIGITS, option, "file/inside")


def test_a_read_only_folder_is_refused(refused: Refused, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir(mode=0o500)
    try:
        (folder / "probe").mkdir()
    except PermissionError:
        assert "refuses it (Permission denied)" in refused(*DIGITS, "--out", "models/1")
    else:
        pytest.skip("permissions do not stop this user")


def test_results_are_not_recorded_in_another_file(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "notes.csv").write_text("a,b\n")

    assert "notes.csv is no table of results" in refused(*DIGITS, "--record", "notes.csv")


def test_a_layer_that_mixes_examples_is_refused(
    refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mixing(input_shape: tuple[int, int, int], classes: int) -> keras.Model:
        return keras.Sequential(
            [
                keras.Input(input_shape),
                keras.layers.BatchNormalization(),
                keras.layers.Flatten(),
                keras.layers.Dense(classes),
            ]
        )

    entry = dataclasses.replace(catalog.entry("smoothnet"), load_builder=lambda: mixing)
    monkeypatch.setattr(catalog, "_entries", lambda: {"smoothnet": entry})
    recipe = Path("mixing.toml")
    text = entry.recipes["digits"].read_text()
    architecture = text[text.index("[architecture]") : text.index("[privacy]")]
    sources = [line for line in text.splitlines() if line.startswith("architecture.")]
    for part in (architecture, *sources):
        text = text.replace(part, "")
    recipe.write_text(text)

    sentence = refused("train", "smoothnet", "--epsilon", "7", "--recipe", recipe)

    assert "cannot be trained with differential privacy" in sentence
    assert "BatchNormalization" in sentence
    assert "use GroupNormalization" in sentence


def test_data_that_is_not_there_has_three_ways_out(
    refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import requests

    def no_network(*_: object) -> Path:
        raise requests.ConnectionError("no network")

    monkeypatch.setattr("tfdpzoo.data.tensorflow_datasets._prepare", no_network)
    (tmp_path / "data").mkdir()

    sentence = refused("train", "smoothnet", "--epsilon", "7", "--data-dir", "data")

    assert "Three ways out: (1)" in sentence
    assert "--dataset digits" in sentence


@pytest.mark.parametrize(
    ("beside", "reason"),
    [
        (("--out", "models/1"), "--out cannot be given with --no-dp"),
        (("--insecure-seed", "1"), "--insecure-seed has no meaning with --no-dp"),
        (("--alias", "champion"), "--alias cannot be given with --no-dp"),
        (("--tuning", "none"), "--tuning belongs to a guarantee, which --no-dp does without"),
    ],
)
def test_options_that_contradict_no_dp_are_refused(
    refused: Refused, beside: tuple[str, str], reason: str
) -> None:
    sentence = refused("train", "smoothnet", "--dataset", "digits", "--no-dp", *beside)

    assert reason in sentence


def test_a_path_that_is_no_model_is_refused(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    assert "There is no folder no/where" in refused("verify", "no/where")
    assert "neither a SavedModel" in refused("verify", "empty")


def test_a_model_to_evaluate_that_does_not_exist_is_refused(
    refused: Refused, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    data = ("--dataset", "digits")

    assert "There is no folder nowhere/1" in refused("evaluate", "nowhere/1", *data)
    assert "no models in saved_models, so none named 'nowhere'" in refused(
        "evaluate", "nowhere", *data
    )
    assert "neither a SavedModel" in refused("evaluate", "empty", *data)


def test_evaluation_needs_a_data_set(refused: Refused) -> None:
    assert refused("evaluate", "nowhere").startswith("Give --dataset")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((), "give --epsilon or --noise-multiplier, --examples, --batch-size, --delta, --epochs"),
        (("--epsilon", "7", "--noise-multiplier", "1"), "not both"),
        (("--epsilon", "7", "--epochs", "1", "--updates", "1"), "not both"),
        (("--epsilon", "7", "--recipe", "paper"), "belong to a MODEL"),
    ],
)
def test_an_incomplete_plan_is_refused(
    refused: Refused, arguments: tuple[str, ...], reason: str
) -> None:
    assert reason in refused("plan", *arguments)


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("--epsilon", "0", "epsilon is 0.0; it must be a finite number above zero"),
        ("--delta", "0.5", "delta is 0.5 but must be below 1/50000"),
        ("--batch-size", "60000", "batch_size is 60000 but there are only 50000 examples"),
        ("--epochs", "0", "epochs is 0.0; it must be a finite number above zero"),
        ("--clip-norm", "-1", "clip_norm is -1.0; it must be a finite number above zero"),
        ("--examples", "0", "examples is 0; it must be a whole number above zero"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(
    refused: Refused, option: str, value: str, reason: str
) -> None:
    settings = {
        "--epsilon": "7",
        "--delta": "1e-5",
        "--examples": "50000",
        "--batch-size": "1024",
        "--epochs": "30",
        option: value,
    }

    assert reason in refused("plan", *(text for pair in settings.items() for text in pair))


def _must_not_happen(*_: object, **__: object) -> None:
    raise AssertionError("data was read")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--strategy", "horovod"), "'horovod' is not one of 'none', 'mirrored', 'multiworker'"),
        (("--replicas", "2"), "(2) is for the strategy mirrored, not for none"),
        (("--strategy", "mirrored", "--replicas", "0"), "0 is not in the range"),
        (("--strategy", "multiworker", "--replicas", "2"), "not for multiworker"),
        (("--strategy", "mirrored", "--no-dp"), "--strategy mirrored is for private training"),
    ],
)
def test_a_strategy_that_cannot_be_is_refused(
    refused: Refused, arguments: tuple[str, ...], reason: str
) -> None:
    assert reason in refused(*DIGITS, *arguments)


def test_workers_that_nobody_named_are_refused(
    refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert "needs the environment variable TF_CONFIG" in refused(
        *DIGITS, "--strategy", "multiworker"
    )

    monkeypatch.setenv("TF_CONFIG", '{"cluster": {"worker": ["a:1"]}, "task": {"index": 3}}')
    assert "TF_CONFIG is not right" in refused(*DIGITS, "--strategy", "multiworker")
