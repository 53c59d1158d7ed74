from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tfdpzoo.diagnosis import diagnose as diagnosis
from tfdpzoo.diagnosis.tensorflow_probe import TensorFlowFacts

Program = Callable[..., Any]


@pytest.fixture(autouse=True)
def _tensorflow_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = TensorFlowFacts(seconds=3.0, cuda=True, gpus=("NVIDIA H100",), backend="tensorflow")
    monkeypatch.setattr(diagnosis, "probe_tensorflow", lambda: facts)
    for variable in ("KERAS_BACKEND", "TF_USE_LEGACY_KERAS"):
        monkeypatch.delenv(variable, raising=False)


def test_a_machine_without_problems(program: Program, tmp_path: Path) -> None:
    (tmp_path / "data" / "mnist" / "3.0.1").mkdir(parents=True)
    (tmp_path / "data" / "mnist" / "3.0.1" / "dataset_info.json").touch()
    before = sorted(tmp_path.rglob("*"))

    outcome = program("doctor", "--data-dir", "data")

    assert outcome.code == 0, outcome.out
    assert {line.split()[0] for line in outcome.out.splitlines()} <= {"ok", "note", "fix:"}
    for part in ("NVIDIA H100", "2.21.0", "mnist in data", "saved_models can be written"):
        assert part in outcome.out
    assert sorted(tmp_path.rglob("*")) == before


def test_a_problem_has_a_fix_and_an_exit_code(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", "1")

    outcome = program("doctor")

    assert outcome.code == 1
    assert "problem  TF_USE_LEGACY_KERAS" in outcome.out
    assert "fix: unset TF_USE_LEGACY_KERAS" in outcome.out


def test_scripts_read_json(program: Program) -> None:
    outcome = program("doctor", "--json", "--data-dir", "nowhere")
    found = {each["subject"]: each for each in json.loads(outcome.out)}

    assert outcome.code == 1
    assert found["Data"] == {
        "subject": "Data",
        "status": "problem",
        "text": "there is no folder nowhere",
        "fix": "give another --data-dir",
    }
    assert found["GPU"]["status"] == "ok"


def test_it_never_fails(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("broken")

    for name in ("os.sched_getaffinity", "shutil.disk_usage", "psutil.disk_partitions"):
        monkeypatch.setattr(name, fail)
    monkeypatch.setattr(diagnosis, "probe_tensorflow", fail)

    outcome = program("doctor", "--json")
    texts = {each["subject"]: each["text"] for each in json.loads(outcome.out)}

    for subject in ("Cores", "GPU", "Shared memory", "Space of runs", "File system of models"):
        assert texts[subject] == "could not be looked at (OSError: broken)"
    assert texts["Writing runs"] == "runs can be written, flushed and locked"
