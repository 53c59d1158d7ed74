"""Processes that are killed, and processes that do the same at the same time."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tfdpzoo.version_folder import file_digests
from tfdpzoo.version_number import versions

TESTS = Path(__file__).resolve().parents[1]

REGISTER = """
import sys, types
sys.path.insert(0, sys.argv[1])
import crashing_registry
from pathlib import Path
from tfdpzoo.registry.registration import register
for _ in range(int(sys.argv[2])):
    print(register(Path(sys.argv[4]), "small", Path(sys.argv[3])).name, flush=True)
"""

SET_ALIAS = """
import sys
from pathlib import Path
from tfdpzoo.registry.aliases import aliased_version, set_alias
model = Path(sys.argv[1])
for step in range(50):
    set_alias(model, "champion", int(sys.argv[2]))
    assert aliased_version(model, "champion") in (1, 2)
"""


def start(program: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process: subprocess.Popen[str]) -> list[int]:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return [int(line) for line in out.split()]


@pytest.mark.parametrize(("action", "at_least"), [("register", 80), ("remove", 50)])
def test_killed_at_any_step_nothing_half_is_left(
    action: str, at_least: int, exported: Path, models: Path
) -> None:
    done = subprocess.run(
        [sys.executable, TESTS / "crashing_registry.py", action, models, exported],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > at_least


def test_registrations_at_the_same_time_get_numbers_of_their_own(
    exported: Path, models: Path
) -> None:
    processes = [start(REGISTER, TESTS, 10, models, exported) for _ in range(4)]
    numbers = [number for process in processes for number in finished(process)]

    assert sorted(numbers) == list(range(1, 41))
    assert sorted(versions(models / "small")) == sorted(numbers)
    assert not (models / "small" / ".versions").exists()


def test_killed_at_random_moments_others_go_on(exported: Path, models: Path) -> None:
    random.seed(3)
    whole = file_digests(exported)
    steady = start(REGISTER, TESTS, 20, models, exported)
    told = []
    for _ in range(4):
        victim = start(REGISTER, TESTS, 10_000, models, exported)
        assert victim.stdout is not None
        told.append(int(victim.stdout.readline()))
        time.sleep(random.uniform(0, 0.05))
        os.kill(victim.pid, signal.SIGKILL)
        told += [int(line) for line in victim.communicate()[0].split()]
    numbers = finished(steady)
    last = finished(start(REGISTER, TESTS, 1, models, exported))

    present = versions(models / "small")
    assert not set(told) & set(numbers)
    assert {*told, *numbers, *last} <= set(present)
    assert all(file_digests(path) == whole for path in present.values())
    assert not (models / "small" / ".versions").exists()


def test_one_alias_is_written_by_many(models: Path) -> None:
    for version in ("1", "2"):
        (models / "small" / version).mkdir(parents=True)
    processes = [start(SET_ALIAS, models / "small", number % 2 + 1) for number in range(3)]
    for process in processes:
        finished(process)

    assert os.listdir(models / "small" / ".aliases") == ["champion"]
    assert not (models / "small" / ".versions").exists()
