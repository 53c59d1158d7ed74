"""Asks contenders in turn for one step each, so that a noisy machine is noisy for all alike."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.contenders import Contender
from benchmarks.measurement import Measurement
from benchmarks.training_step import StepSettings

ROOT = Path(__file__).resolve().parents[1]
PEERS_PYTHON = ROOT / ".bench-env" / "bin" / "python"

# Enough for nine processes that compile side by side on two cores, and for a step of minutes; one
# that hangs must not hold up a benchmark that nobody watches.
_SECONDS_TO_START = 300
_SECONDS_TO_STEP = 120
_ENVIRONMENT = {
    "KERAS_BACKEND": "tensorflow",
    # On a GPU each process would take all memory for itself.
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
}


@dataclass(frozen=True)
class Entrant:
    """A contender and what it shall compute."""

    contender: Contender
    settings: StepSettings


def alternate(
    entrants: Sequence[Entrant],
    rounds: int,
    threads: int | None = None,
    after_round: Callable[[int], object] = lambda _: None,
) -> list[Measurement]:
    """Measures all entrants, one step of each in every round, each in a process of its own.

    Args:
        entrants: Whom to measure.
        rounds: How many steps of each, unless it wants fewer.
        threads: On how many cores they compute; by default on all.
        after_round: Called with the number of every round that is done, 0 when all are ready.

    Returns:
        A measurement of each entrant; one that broke down has the reason and no times.
    """
    with contextlib.ExitStack() as stack:
        # All are started before the first is waited for: they import and compile side by side.
        workers = [_Worker(entrant, threads) for entrant in entrants]
        for worker in workers:
            stack.callback(worker.end)
        for worker in workers:
            worker.wait_until_ready()
        after_round(0)
        for number in range(1, rounds + 1):
            for worker in workers:
                worker.step(number)
            after_round(number)
        return [worker.measurement for worker in workers]


class _Worker:
    """The process of an entrant, and what it has answered so far."""

    def __init__(self, entrant: Entrant, threads: int | None) -> None:
        self.measurement = Measurement(entrant.contender.name, entrant.settings.batch)
        self._most_steps = entrant.contender.most_steps
        python = str(PEERS_PYTHON) if entrant.contender.peer else sys.executable
        task = json.dumps(asdict(entrant) | {"threads": threads})
        self._process = subprocess.Popen(
            [python, "-m", "benchmarks.worker", task],
            cwd=ROOT,
            env=os.environ | _ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def wait_until_ready(self) -> None:
        """Takes the first line, in which the process says what it has made."""
        self.measurement = replace(self.measurement, **self._answer(_SECONDS_TO_START))

    def step(self, number: int) -> None:
        """Lets the process execute its step of a round, unless it has none left."""
        if self.measurement.failure or number > (self._most_steps or number):
            return
        with contextlib.suppress(BrokenPipeError):
            print(number, file=self._process.stdin, flush=True)
        answer = {"seconds": None, "peak_mb": None} | self._answer(_SECONDS_TO_STEP)
        seconds = (*self.measurement.seconds, answer["seconds"]) if answer["seconds"] else ()
        self.measurement = replace(self.measurement, **answer | {"seconds": seconds})
        if number == self._most_steps:
            self.end()

    def end(self) -> None:
        """Ends the process; its memory is free for the others."""
        self._process.kill()
        self._process.communicate()

    def _answer(self, within: int) -> dict[str, Any]:
        """Returns the fields of the measurement that the process sends, or why there are none."""
        timer = threading.Timer(within, self._process.kill)
        timer.start()
        line = self._process.stdout.readline() if self._process.stdout else ""
        timer.cancel()
        return json.loads(line) if line else {"failure": self._cause_of_death(within)}

    def _cause_of_death(self, within: int) -> str:
        status = self._process.wait()
        if status == -9:
            return f"killed: out of memory, or no answer in {within} seconds"
        return f"ended with status {status}" if status >= 0 else f"ended by signal {-status}"
