"""Steps are taken in turn, and a contender that breaks down is a row with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import driver
from benchmarks.contenders import Contender
from benchmarks.driver import Entrant, alternate
from benchmarks.training_step import StepSettings

SETTINGS = StepSettings("smoothnet-w80d10", batch=8)
CONTENDERS = """
import os, signal, time
from benchmarks.training_step import TrainingStep

def _writing(name):
    def run():
        print("libraries print")
        with open(os.environ["STEPS"], "a") as file:
            file.write(name)
    return lambda settings: TrainingStep(run, parameters=settings.batch)

first, second = _writing("1"), _writing("2")

def cannot_be_made(settings):
    raise ValueError("no such layer\\nand a second line")

def breaks(settings):
    return TrainingStep(lambda: 1 / 0, parameters=1)

def exits(settings):
    return TrainingStep(lambda: os._exit(3), parameters=1)

def dies(settings):
    return TrainingStep(lambda: os.kill(os.getpid(), signal.SIGSEGV), parameters=1)

def hangs(settings):
    return TrainingStep(lambda: time.sleep(60), parameters=1)
"""


@pytest.fixture
def steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which the contenders write down their steps."""
    (tmp_path / "made_up.py").write_text(CONTENDERS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("STEPS", str(tmp_path / "steps"))
    return tmp_path / "steps"


def entrant(function: str, **arguments: int) -> Entrant:
    arguments = {"warm_up": 0, **arguments}
    return Entrant(Contender(function, f"made_up:{function}", "keras", (), **arguments), SETTINGS)


def test_steps_in_turn_until_none_are_left(steps):
    rounds = []
    first, second = alternate(
        [entrant("first"), entrant("second", most_steps=2)], 3, threads=1, after_round=rounds.append
    )
    assert steps.read_text() == "12121"
    assert rounds == [0, 1, 2, 3]
    assert (len(first.seconds), len(second.seconds)) == (3, 2)
    assert (first.parameters, first.batch, first.failure) == (8, 8, "")
    assert first.peak_mb > 1
    assert second.ratio_to(first) > 0


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        ("cannot_be_made", "ValueError: no such layer"),
        ("breaks", "ZeroDivisionError: division by zero"),
        ("exits", "ended with status 3"),
        ("dies", "ended by signal 11"),
        ("hangs", "killed: out of memory, or no answer in 3 seconds"),
    ],
)
def test_one_that_breaks_down_has_the_reason_and_the_other_goes_on(
    function, reason, steps, monkeypatch
):
    monkeypatch.setattr(driver, "_SECONDS_TO_STEP", 3)
    broken, other = alternate([entrant(function), entrant("first")], 2, threads=1)
    assert broken.failure == reason
    assert (broken.seconds, broken.median_seconds, broken.peak_mb) == ((), None, None)
    assert len(other.seconds) == 2
    assert broken.ratio_to(other) is None
    assert steps.read_text() == "11"
