"""Trials side by side, by KerasTuner's chief and workers in real processes."""

from __future__ import annotations

import time
from pathlib import Path

import psutil
import pytest
from faulty_runs import run, start

from tfdpzoo.verification import verify

pytestmark = pytest.mark.slow  # Each process imports TensorFlow and trains.

TUNE = (
    *("tune", "smoothnet", "--dataset", "digits", "--epsilon", "7", "--delta", "1e-4"),
    *("--set", "width=1", "--set", "batch_size=256", "--set", "epochs=4"),
    *("--mode", "adaptive", "--oracle", "random", "--trials", "4"),
)
_LONG_ENOUGH = 300.0


def test_two_workers_run_all_trials_between_them(tmp_path: Path) -> None:
    folder = tmp_path / "search"
    outcome = run(folder, (*TUNE, "--parallel", "2", "--keep-trials"))
    assert outcome.exit_code == 0, outcome
    (search,) = (folder / "searches").iterdir()
    assert len((search / "metrics.csv").read_text().splitlines()) == 1 + 4
    assert len(list((search / "models").iterdir())) == 3
    report = verify(folder / "saved_models" / "smoothnet-digits" / "1")
    assert report.ok, report.problems
    assert report.guarantee is not None and report.guarantee.tuning.search is not None
    assert report.guarantee.tuning.search.trials == 4


def test_a_lost_worker_ends_the_search_and_it_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "search"
    running = start(folder, (*TUNE, "--parallel", "2"))
    until = time.monotonic() + _LONG_ENOUGH
    while not list(folder.glob("searches/*/trials/*/result.json")):
        assert time.monotonic() < until and running.process.is_alive()
        time.sleep(0.5)
    workers = [
        child
        for child in psutil.Process(running.process.pid).children()
        if "--resume" in child.cmdline()
    ]
    assert len(workers) == 2
    workers[0].kill()

    outcome = running.wait(_LONG_ENOUGH)
    assert outcome.refused, outcome
    assert "A worker of the search ended before it did" in outcome.said
    (search,) = (folder / "searches").iterdir()
    assert run(folder, ("tune", "--resume", str(search))).exit_code == 0
    assert verify(folder / "saved_models" / "smoothnet-digits" / "1").ok
