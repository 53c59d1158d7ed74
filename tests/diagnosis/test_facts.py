"""Facts as they are gathered on this machine."""

from __future__ import annotations

import os
from importlib import metadata
from pathlib import Path

import pytest

from tfdpzoo.data import tensorflow_datasets
from tfdpzoo.diagnosis import datasets, machine, packages, places, tensorflow_probe
from tfdpzoo.diagnosis.tensorflow_probe import probe_tensorflow


def test_pins_are_those_of_this_python() -> None:
    pins = packages.pinned_versions()

    assert pins["tensorflow-privacy"] == "0.9.0"
    assert pins["scipy"] == metadata.version("scipy")
    assert packages.pinned_versions(Path("nowhere.txt")) == {}


def test_requirements_that_are_not_met(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = {"tensorflow": ["protobuf>=6,<8", "flit; extra == 'x'", "h5py", "odd name here"]}
    versions = {"protobuf": "3.20.3"}
    monkeypatch.setattr(metadata, "requires", lambda name: lines.get(name))
    monkeypatch.setattr(packages, "installed_version", versions.get)

    assert packages.conflicts_of("tensorflow") == [
        "tensorflow needs protobuf<8,>=6 and finds 3.20.3",
        "tensorflow needs h5py and finds none",
    ]
    assert packages.conflicts_of("unknown") == []


def test_what_is_installed_here_goes_together() -> None:
    assert packages.conflicts_of("tfdpzoo") == packages.conflicts_of("tensorflow") == []
    assert packages.installed_version("no-such-package") is None


def test_extras_name_what_they_lack(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {extra: packages.missing_for(extra) for extra in packages.EXTRAS} == {
        extra: [] for extra in packages.EXTRAS
    }

    monkeypatch.setattr(packages, "installed_version", lambda name: None)

    assert packages.missing_for("serving") == ["grpcio", "tensorflow-serving-api"]


def test_prepared_data_sets(tmp_path: Path) -> None:
    for name in ("mnist/3.0.1", "imagenette/160px-v2/1.0.0", "unknown/1.0.0"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "dataset_info.json").write_text("{}")
    (tmp_path / "cifar10" / "3.0.2.incomplete").mkdir(parents=True)

    assert datasets.prepared_datasets(tmp_path) == ["imagenette", "mnist"]
    assert datasets.prepared_datasets(tmp_path / "nowhere") == []
    assert sorted(datasets.NAMES) == sorted(tensorflow_datasets.NAMES)


def test_writing_leaves_nothing(tmp_path: Path) -> None:
    assert places.try_writing(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written() -> None:
    assert places.try_writing(Path("/proc")) is not None


def test_the_folder_that_would_be_made_is_looked_at(tmp_path: Path) -> None:
    assert places.existing(tmp_path / "saved_models" / "deep") == tmp_path
    assert places.existing(Path("~")) == Path(os.path.expanduser("~"))


def test_the_innermost_and_latest_mount_counts(tmp_path: Path) -> None:
    mounts = [("/", "ext4"), (str(tmp_path), "nfs"), (str(tmp_path), "tmpfs"), ("/elsewhere", "9p")]

    assert places.file_system_of(tmp_path, mounts) == "tmpfs"
    assert places.file_system_of(tmp_path, []) is None


def test_facts_of_the_machine() -> None:
    assert machine.system_facts()[0] == "Linux"
    assert (machine.shared_memory() is not None) == Path("/dev/shm").is_dir()


def test_tensorflow_is_asked_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KERAS_BACKEND", raising=False)

    facts = probe_tensorflow()

    assert facts.failure is None
    assert facts.privacy_failure is None
    assert facts.backend == "tensorflow"
    assert facts.seconds > 0


def test_a_backend_that_is_missing_is_a_fact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "no-such-backend")

    facts = probe_tensorflow()

    # TensorFlow imports Keras too and may be the first to fail.
    assert "no-such-backend" in (facts.failure or facts.keras_failure or "")


def test_a_tensorflow_that_ends_its_process_is_a_fact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'Illegal instruction' >&2\nexit 132\n")
    python.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(python))

    assert probe_tensorflow().failure == "the process ended with 132: Illegal instruction"


def test_a_tensorflow_that_hangs_is_a_fact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexec sleep 60\n")
    python.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(python))
    monkeypatch.setattr(tensorflow_probe, "_SECONDS", 0.2)

    assert "did not end within" in str(probe_tensorflow().failure)
