"""How time and memory of our step grow with the batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from benchmarks.contenders import ORDINARY, OURS
from benchmarks.driver import Entrant, alternate
from benchmarks.machine import measured_on
from benchmarks.results import Section
from benchmarks.training_step import StepSettings

_MODEL = "smoothnet-w80d10"
_BATCHES = (64, 256, 1024, 4096)
# Measured for its memory, which one step shows; making the step has executed another.
_LARGEST_BATCH, _ONCE = 16_384, replace(OURS, warm_up=0, most_steps=1)
_ROUNDS = 5
_THREADS = 2


def measure(show: Callable[[str], object]) -> Section:
    """Measures our step at growing batches, and an ordinary step at the size of our chunks.

    Args:
        show: Takes a line that says what is being done.
    """
    entrants = [
        *(Entrant(OURS, StepSettings(_MODEL, batch)) for batch in _BATCHES),
        Entrant(_ONCE, StepSettings(_MODEL, _LARGEST_BATCH)),
    ]
    rows = alternate(
        entrants, _ROUNDS, _THREADS, lambda done: show(f"batches: {done} of {_ROUNDS} rounds")
    )
    chunk = rows[-1].chunk or _BATCHES[0]
    rows += alternate([Entrant(ORDINARY, StepSettings(_MODEL, chunk))], _ROUNDS, _THREADS)
    return Section.of_one_run(measured_on("make bench", _THREADS), {_MODEL: rows})
