"""Real trainings: two or three updates of a tiny network on the embedded digits."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tfdpzoo.cli import training_estimate, training_report, training_session
from tfdpzoo.cli.main import main
from tfdpzoo.privacy.ledger import Ledger

SMALL = (
    *("train", "smoothnet", "--dataset", "digits", "--delta", "1e-4"),
    *("--set", "width=1", "--set", "batch_size=256"),
)
TINY = (*SMALL, "--set", "epochs=2")
UPDATES = 11  # 2 * 1433 / 256, rounded down


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder in which the trainings of this module ran."""
    before = Path.cwd()
    folder = tmp_path_factory.mktemp("training")
    os.chdir(folder)
    yield folder
    os.chdir(before)


@pytest.fixture(scope="module")
def private_output(folder: Path, request: pytest.FixtureRequest) -> str:
    """What a private training wrote to stdout."""
    arguments = [*TINY, "--epsilon", "7", "--seed", "0", "--record", "results.csv"]
    return _run(request, arguments)[0]


@pytest.fixture(scope="module")
def insecure_output(folder: Path, request: pytest.FixtureRequest) -> tuple[str, str]:
    """What a training from a known seed wrote to stdout and stderr, with --json."""
    arguments = [*TINY, "--epsilon", "7", "--insecure-seed", "1", "--out", "insecure", "--json"]
    return _run(request, [*arguments, "--record", "insecure.csv"])


@pytest.fixture(scope="module")
def bare_output(folder: Path, request: pytest.FixtureRequest) -> str:
    """What a training without privacy wrote to stdout."""
    return _run(request, [*TINY, "--no-dp", "--runs", "bare", "--record", "bare.csv"])[0]


def _run(request: pytest.FixtureRequest, arguments: list[str]) -> tuple[str, str]:
    capture = request.config.pluginmanager.getplugin("capturemanager")
    capture.read_global_capture()
    assert main(arguments) == 0
    out, err = capture.read_global_capture()
    return out, err


def test_the_plan_is_printed_before_training(private_output: str) -> None:
    plan, _, training = private_output.partition("epoch  updates")

    assert "1,433 training and 364 test images of 16 x 16 x 1, 10 classes" in plan
    assert "256 of 1,433 examples an update on average (q = 0.1786)" in plan
    assert f"{UPDATES} (1.965 epochs)" in plan
    assert "sigma = " in plan
    assert "7.000 at delta 0.0001: the guarantee" in plan
    assert "epsilon by RDP" in plan
    assert "no amplification" in plan
    assert "differ by adding or removing one example" in plan
    assert training


def test_there_is_a_line_for_each_epoch_and_no_control_character(private_output: str) -> None:
    lines = [line.split() for line in private_output.splitlines()]
    epochs = [line for line in lines if len(line) == 7 and line[0] in ("1", "2", "3")]

    # Six updates a shown epoch: 1433 / 256, rounded.
    assert [line[1] for line in epochs] == ["6", "11"]
    assert epochs[-1][2] == "7.00"
    assert "\x1b" not in private_output
    assert "\r" not in private_output


def test_training_metrics_are_labelled(private_output: str, folder: Path) -> None:
    assert "  training*  " in private_output
    assert "* on training examples: not differentially private" in private_output
    head = next(folder.glob("runs/*/metrics.csv")).read_text().splitlines()[0].split(",")
    assert {"training_loss_not_private", "training_accuracy_not_private"} < {*head}


def test_the_summary_says_what_there_is_and_where(private_output: str, folder: Path) -> None:
    assert f"after {UPDATES} updates" in private_output
    assert "are differentially private with epsilon = 7.00 (rounded up)" in private_output
    assert "tfdpzoo verify saved_models/smoothnet-digits/1" in private_output
    assert (folder / "saved_models" / "smoothnet-digits" / "1" / "saved_model.pb").is_file()
    (run,) = (folder / "runs").iterdir()
    names = {path.name for path in run.iterdir()}
    assert names == {
        *("ledger.json", "metrics.csv", "tensorboard", "learning-curve.png", "recipe.toml"),
        *("run.json", "checkpoints", "lock"),
    }
    assert Ledger.load(run / "ledger.json").updates == UPDATES


def test_the_result_is_recorded(private_output: str, folder: Path) -> None:
    (row,) = csv.DictReader((folder / "results.csv").open())

    assert row["guarantee"] == "valid"
    assert (row["epsilon"], row["delta"], row["updates"]) == ("7.000", "0.0001", str(UPDATES))
    assert row["seed_class"] == "secret entropy; initialisation seed 0"
    assert row["command"].startswith("tfdpzoo train smoothnet --dataset digits --delta 1e-4 --set")
    assert "tensorflow 2." in row["versions"]


def test_the_next_training_takes_the_next_version(
    private_output: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tfdpzoo.cli import train

    ordered = []
    monkeypatch.setattr(training_session, "run_training", ordered.append)

    assert main([*TINY, "--epsilon", "7"]) == 0
    assert main([*TINY, "--epsilon", "7", "--out", "saved_models/smoothnet-digits"]) == 0
    assert main([*TINY, "--epsilon", "7", "--out", "saved_models/other/5"]) == 0

    assert [str(order.destination) for order in ordered] == [
        "saved_models/smoothnet-digits/2",
        "saved_models/smoothnet-digits/2",
        "saved_models/other/5",
    ]
    assert all(isinstance(order, train.TrainingOrder) for order in ordered)


@pytest.mark.parametrize(
    ("dataset", "name"),
    [
        ("digits", "smoothnet-digits"),
        ("photos/of my pets/", "smoothnet-of-my-pets"),
        ("arrays.v2.npz", "smoothnet-arrays.v2"),
        ("/", "smoothnet-images"),
    ],
)
def test_a_model_is_named_after_its_data(
    folder: Path, monkeypatch: pytest.MonkeyPatch, dataset: str, name: str
) -> None:
    ordered = []
    monkeypatch.setattr(training_session, "run_training", ordered.append)
    monkeypatch.chdir(folder)

    assert main(["train", "smoothnet", "--epsilon", "7", "--dataset", dataset]) == 0

    assert ordered[0].destination.parent.name == name


def test_the_trained_model_verifies(
    private_output: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", "saved_models/smoothnet-digits", "--json"]) == 0

    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is True
    assert report["valid"] is True
    assert report["problems"] == []
    assert report["recomputed_epsilon"] == pytest.approx(report["epsilon"])
    assert "epsilon = 7.00" in report["sentence"]


def test_an_altered_model_does_not_verify(
    insecure_output: tuple[str, str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index = folder / "insecure" / "1" / "variables" / "variables.index"
    content = index.read_bytes()
    index.write_bytes(content + b"x")
    try:
        assert main(["verify", "insecure"]) == 1
        out = capsys.readouterr().out
        assert main(["verify", "insecure", "--json"]) == 1
        report = json.loads(capsys.readouterr().out)
    finally:
        index.write_bytes(content)

    assert "insecure/1 is NOT intact" in out
    assert "The file variables/variables.index was altered" in out
    assert "differentially private" not in out
    assert (report["ok"], report["epsilon"], report["sentence"]) == (False, None, None)


def test_the_trained_model_is_evaluated(
    private_output: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ("--dataset", "digits", "--image-size", "16")
    arguments = ["evaluate", "saved_models/smoothnet-digits", *data]

    assert main([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert main(arguments) == 0
    out = capsys.readouterr().out

    assert found["examples"] == 364
    assert f"Test accuracy {found['accuracy']:.2%} on 364 images" in private_output
    assert f"{found['accuracy']:.2%} right" in out
    assert [*found["per_class_accuracy"]] == list("0123456789")


def test_evaluating_on_images_of_another_shape_is_refused(
    private_output: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["evaluate", "saved_models/smoothnet-digits", "--dataset", "digits"]

    assert main(arguments) == 2

    assert "The model takes images of shape 16 x 16 x 1" in capsys.readouterr().err


def test_json_is_alone_on_stdout(insecure_output: tuple[str, str]) -> None:
    out, err = insecure_output

    fields = json.loads(out)

    assert fields["updates"] == UPDATES
    assert fields["model_path"] == "insecure/1"
    assert fields["plan"]["epsilon_by_rdp"] > fields["plan"]["epsilon_by_pld"]
    assert "The plan" in err


def test_a_known_seed_makes_the_guarantee_invalid_loudly(
    insecure_output: tuple[str, str], folder: Path
) -> None:
    out, err = insecure_output
    (row,) = csv.DictReader((folder / "insecure.csv").open())

    assert err.count(training_report.INSECURE) == 2
    assert "Not a valid privacy guarantee." in err
    assert json.loads(out)["valid"] is False
    assert row["guarantee"].startswith("invalid: The sampling or the noise was drawn from a fixed")
    assert row["epsilon"] == row["delta"] == ""
    assert row["seed_class"].startswith("INSECURE known seed 1")


def test_an_invalid_but_intact_model_verifies_as_what_it_is(
    insecure_output: tuple[str, str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", "insecure"]) == 0

    assert "Not a valid privacy guarantee." in capsys.readouterr().out


def test_training_without_privacy_says_so_first_and_last(bare_output: str, folder: Path) -> None:
    lines = bare_output.strip().splitlines()
    (row,) = csv.DictReader((folder / "bare.csv").open())

    assert lines[0] == lines[-1] == training_report.NOT_PRIVATE
    assert "guarantee" not in bare_output
    assert "epsilon by" not in bare_output
    assert row["guarantee"] == "none: trained without privacy"
    assert row["epsilon"] == row["delta"] == ""


def test_training_without_privacy_writes_into_its_run_alone(bare_output: str, folder: Path) -> None:
    (run,) = (folder / "bare").iterdir()

    assert (run / "not-private.keras").is_file()
    assert not (run / "ledger.json").exists()
    assert not list(folder.glob("saved_models/*/*/*.keras"))


def test_a_long_run_without_a_gpu_names_the_small_recipe(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_estimate.hardware, "accelerators", list)
    monkeypatch.setattr(training_estimate, "estimate_seconds", lambda _: 2400.0)
    order = _order(dataset="cifar10")

    sentence = training_estimate.estimate_in_words(order, _Job(), 31 * 3600.0)

    assert sentence == (
        "Estimated time: about 31 hours on this machine without a GPU; the recipe cifar10-cpu "
        "takes about 40 minutes (--recipe cifar10-cpu). Going on."
    )
    assert (
        training_estimate.estimate_in_words(order, _Job(), 40.0)
        == "Estimated time: about 40 seconds."
    )


def test_the_default_recipe_without_a_gpu_names_the_small_one_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    order = _order(dataset="cifar10")

    monkeypatch.setattr(training_estimate.hardware, "accelerators", list)
    notice = training_estimate.notice_without_gpu(order)
    monkeypatch.setattr(training_estimate.hardware, "accelerators", lambda: ["NVIDIA H200"])

    assert notice is not None
    assert notice.startswith("This machine has no GPU, for which the recipe cifar10-cpu is made")
    assert training_estimate.notice_without_gpu(order) is None


def test_a_long_run_on_other_data_names_the_small_recipe_without_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(training_estimate.hardware, "accelerators", list)

    sentence = training_estimate.estimate_in_words(_order(dataset="imagenette"), _Job(), 1e6)

    assert "the recipe cifar10-cpu is for such a machine: W80D10 on CIFAR-10" in sentence


def test_with_a_gpu_a_long_run_is_only_estimated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_estimate.hardware, "accelerators", lambda: ["NVIDIA H200"])

    sentence = training_estimate.estimate_in_words(_order(dataset="cifar10"), _Job(), 7200.0)

    assert sentence == "Estimated time: about 2 hours."


class _Job:
    """Stands for a job on CIFAR-10, which is not loaded here."""

    class dataset:  # noqa: N801
        examples, input_shape, classes = 50_000, (32, 32, 3), 10

        class normalization:  # noqa: N801
            mean, std = (127.5,) * 3, (127.5,) * 3


def _order(dataset: str) -> Any:
    from tfdpzoo.cli.train import TrainingOrder
    from tfdpzoo.zoo import catalog

    recipe = catalog.recipe("smoothnet", "paper").with_overrides({"dataset": dataset})
    return TrainingOrder(
        model="smoothnet",
        recipe=recipe,
        destination=Path("saved_models/smoothnet/1"),
        runs=Path("runs"),
        data_dir=None,
        engine="fast",
        strategy="none",
        replicas=None,
        initialization_seed=None,
        tuning=None,
        insecure_seed=None,
        record=None,
        as_json=False,
        command="",
    )


def test_an_interruption_before_the_first_update_leaves_nothing(
    program: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(training_session, "train", interrupted)

    outcome = program(*TINY, "--epsilon", "7")

    assert outcome.code == 130
    assert outcome.err == "Stopped before the first update; nothing was written.\n"
    assert not list(tmp_path.iterdir())


def test_an_error_of_the_program_is_reported_in_one_sentence(
    program: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(training_session.data, "load", broken)
    monkeypatch.delenv("TFDPZOO_DEBUG", raising=False)

    quiet = program(*TINY, "--epsilon", "7")
    loud = program("--debug", *TINY, "--epsilon", "7")

    assert quiet.code == loud.code == 70
    assert quiet.err == (
        "Error: tfdpzoo itself failed (RuntimeError: a defect); please report it with what the "
        "same command prints after `tfdpzoo --debug`.\n"
    )
    assert "Traceback" in loud.err
    assert not list(tmp_path.iterdir())


def test_ctrl_c_says_how_far_the_run_has_come_and_keeps_the_ledger(tmp_path: Path) -> None:
    arguments = [*SMALL, "--epsilon", "7", "--set", "epochs=2000"]
    process = subprocess.Popen(
        [sys.executable, "-m", "tfdpzoo.cli.main", *arguments],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A test run in the background of a shell hands on that Ctrl-C is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        _wait_for(lambda: _epochs(tmp_path) > 1 or process.poll() is not None)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()

    assert process.returncode == 130, err
    (run,) = (tmp_path / "runs").iterdir()
    updates = Ledger.load(run / "ledger.json").updates
    asked, stopped = err.splitlines()
    assert asked == "Stopping after this update; a second signal stops at once."
    assert stopped.startswith(f"Stopped after {updates} of ")
    assert "no model was written" in stopped
    assert "Traceback" not in out + err
    assert not (tmp_path / "saved_models").exists()
    assert (run / "learning-curve.png").is_file()


def _epochs(folder: Path) -> int:
    return sum(len(path.read_text().splitlines()) - 1 for path in folder.glob("runs/*/metrics.csv"))


def _wait_for(happened: Callable[[], bool], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.2)
