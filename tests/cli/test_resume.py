"""`tfdpzoo train --resume`: what it goes on with, and what it refuses."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tfdpzoo.cli.main import main
from tfdpzoo.privacy.ledger import Ledger

SMALL = (
    *("train", "smoothnet", "--epsilon", "7", "--delta", "1e-3"),
    *("--set", "width=1", "--set", "batch_size=30", "--set", "epochs=2"),
)
UPDATES = 6  # 2 * 100 / 30, rounded down


def archive(path: Path, pixel: int = 0) -> Path:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (120, 8, 8, 1), dtype=np.uint8)
    images[0, 0, 0, 0] = pixel
    labels = np.arange(120) % 3
    np.savez(
        path,
        train_images=images[:100],
        train_labels=labels[:100],
        test_images=images[100:],
        test_labels=labels[100:],
    )
    return path


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a run that has come to its end, in a working folder of its own."""
    before, folder = Path.cwd(), tmp_path_factory.mktemp("resume")
    os.chdir(folder)
    archive(folder / "images.npz")
    declared = ("--tuning", "public")
    assert main([*SMALL, *declared, "--dataset", "images.npz", "--out", "models"]) == 0
    (run,) = (folder / "runs").iterdir()
    yield run
    os.chdir(before)


def refusal(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main(arguments) == 2
    return capsys.readouterr().err


def test_a_run_that_has_ended_keeps_no_key_and_one_checkpoint(ended: Path) -> None:
    assert not (ended / "key").exists()
    assert [each.name for each in (ended / "checkpoints").iterdir()] == ["000000006.checkpoint"]
    assert json.loads((ended / "run.json").read_text())["model"].endswith("models/1")


def test_a_run_that_has_ended_does_not_go_on_by_itself(ended: Path, capsys) -> None:
    assert "The run has ended; its model is " in refusal(["train", "--resume", str(ended)], capsys)


def test_more_epochs_are_refused_above_the_target(ended: Path, capsys) -> None:
    said = refusal(["train", "--resume", str(ended), "--epochs", "+1"], capsys)

    assert "9 updates, 3 more than planned, cost epsilon" in said
    assert "above the target 7; give a target of at least" in said
    assert Ledger.load(ended / "ledger.json").updates == UPDATES


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["smoothnet"], "model cannot be given with --resume: a run goes on as it began"),
        (["--seed", "1"], "--seed cannot be given with --resume"),
        (["--tuning", "none"], "--tuning cannot be given with --resume"),
        (["--engine", "fast"], "--engine cannot be given with --resume"),
        (["--set", "width=2"], "--set cannot be given with --resume"),
        (["--epsilon", "9"], "give --epochs +N with it"),
        (["--epochs", "5"], "give the number of further epochs with a plus sign, such as +5"),
        (["--epochs", "+0"], "give the number of further epochs with a plus sign"),
        (["--checkpoint-every", "never"], "'never' is no interval between checkpoints"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(ended: Path, more, said, capsys) -> None:
    assert said in refusal(["train", "--resume", str(ended), *more], capsys)


def test_a_new_run_needs_a_model_and_takes_no_further_epochs(capsys) -> None:
    assert "Give the model to train" in refusal(["train", "--epsilon", "7"], capsys)
    assert "needs --resume" in refusal(["train", "smoothnet", "--epochs", "+1"], capsys)


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path, capsys) -> None:
    said = refusal(["train", "--resume", str(tmp_path)], capsys)
    assert "is not the folder of a run that can go on" in said


def test_other_data_is_refused(ended: Path, capsys) -> None:
    archive(Path("images.npz"), pixel=7)
    try:
        said = refusal(
            ["train", "--resume", str(ended), "--epochs", "+1", "--epsilon", "9"], capsys
        )
    finally:
        archive(Path("images.npz"))
    assert "is not what the run began with; put it back, or begin a new run" in said


def test_more_epochs_are_composed_with_those_before(ended: Path, capsys) -> None:
    """The last of this module: the run is longer afterwards."""
    arguments = ["train", "--resume", str(ended), "--epochs", "+1", "--epsilon", "9", "--json"]
    assert main(arguments) == 0
    found = json.loads(capsys.readouterr().out)

    assert found["updates"] == found["plan"]["updates"] == 9
    assert 7 < found["epsilon"] <= 9
    assert found["model_path"].endswith("models/2")
    assert Ledger.load(ended / "ledger.json").updates == 9
    assert main(["verify", "models/2"]) == 0
    assert [_tuning(f"models/{version}") for version in (1, 2)] == ["public", "public"]
    updates = [line.split(",")[1] for line in (ended / "metrics.csv").read_text().splitlines()]
    assert updates == ["updates", "3", "6", "9"]


def _tuning(version: str) -> str:
    record = json.loads(Path(version, "assets.extra", "privacy.json").read_text())
    return record["tuning"]["kind"]


def test_a_signal_saves_the_run_and_says_how_to_go_on(tmp_path: Path) -> None:
    """SIGTERM; for Ctrl-C see `test_train.py`."""
    archive(tmp_path / "images.npz")
    arguments = [*SMALL[:-1], "epochs=20", "--dataset", "images.npz"]
    process = subprocess.Popen(
        [sys.executable, "-m", "tfdpzoo.cli.main", *arguments],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    end = time.monotonic() + 120
    while not list(tmp_path.glob("runs/*/metrics.csv")) and process.poll() is None:
        assert time.monotonic() < end
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)

    assert process.returncode == 143, out + err
    first, second = err.splitlines()
    assert first == "Stopping after this update; a second signal stops at once."
    (run,) = (tmp_path / "runs").iterdir()
    done = Ledger.load(run / "ledger.json").updates
    assert second.startswith(f"Stopped after {done} of 66 updates, which spent epsilon ")
    assert second.endswith(f"Go on with: tfdpzoo train --resume {run.relative_to(tmp_path)}")
    assert f"{done:09d}.checkpoint" in os.listdir(run / "checkpoints")
