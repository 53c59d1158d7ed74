"""Runs the program inside the test's process, where TensorFlow is imported once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tfdpzoo.cli.main import main


@dataclass(frozen=True)
class Outcome:
    """How the program ended and what it wrote."""

    code: int
    out: str
    err: str


RunProgram = Callable[..., Outcome]


@pytest.fixture
def program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> RunProgram:
    """Runs `tfdpzoo` in an empty folder, `tmp_path`."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Outcome:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return run


@pytest.fixture
def refused(program: RunProgram, tmp_path: Path) -> Callable[..., str]:
    """Runs `tfdpzoo` with bad input and returns the one sentence that it says.

    Nothing may be left behind, not even an empty folder.
    """

    def run(*arguments: object) -> str:
        before = sorted(tmp_path.rglob("*"))
        outcome = program(*arguments)
        assert outcome.code == 2, outcome
        assert outcome.err.count("\n") == 1, outcome.err
        assert outcome.err.startswith("Error: ")
        assert "Traceback" not in outcome.out + outcome.err
        assert sorted(tmp_path.rglob("*")) == before
        return outcome.err.removeprefix("Error: ").rstrip("\n")

    return run
