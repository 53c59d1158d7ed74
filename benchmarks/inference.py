"""How fast exported group convolutions are beside plain ones of the same shape."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.contenders import Contender
from benchmarks.driver import Entrant, alternate
from benchmarks.machine import measured_on
from benchmarks.measurement import Measurement
from benchmarks.results import Section
from benchmarks.training_step import StepSettings

EXPORTED = Contender(
    "exported", "benchmarks.inference_steps:exported", "keras", ("tensorflow", "keras")
)
PLAIN = Contender(
    "plain twin", "benchmarks.inference_steps:plain", "keras", ("tensorflow", "keras")
)

_MODEL = "equivariant-resnet9"
_BATCHES = (1, 32, 256)
_ROUNDS = 60
_THREADS = 2


def measure(show: Callable[[str], object]) -> Section:
    """Measures the exported Equivariant ResNet-9 and its plain twin, one call of each in turn.

    Args:
        show: Takes a line that says what is being done.
    """
    rows = [row for batch in _BATCHES for row in _measure_batch(batch, show)]
    return Section.of_one_run(measured_on("make bench", _THREADS), {_MODEL: rows})


def _measure_batch(batch: int, show: Callable[[str], object]) -> list[Measurement]:
    return alternate(
        [Entrant(each, StepSettings(_MODEL, batch)) for each in (EXPORTED, PLAIN)],
        _ROUNDS,
        _THREADS,
        lambda done: show(f"{batch} images: {done} of {_ROUNDS} rounds"),
    )
