"""What two replicas on the same cores cost, and how much of an update they spend on each other."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.contenders import Contender
from benchmarks.driver import Entrant, alternate
from benchmarks.machine import measured_on
from benchmarks.results import Section
from benchmarks.training_step import StepSettings

_PACKAGES = ("tensorflow", "keras")


def _contender(name: str, step: str) -> Contender:
    return Contender(name, f"benchmarks.replica_steps:{step}", "keras", _PACKAGES)


ALONE = _contender("one device", "alone")
MIRRORED = _contender("two devices", "mirrored")
SILENT = _contender("two devices that do not add up", "mirrored_without_sum")
CONTENDERS = (ALONE, MIRRORED, SILENT)

_BATCHES = {"smoothnet-w80d10": 256, "equivariant-resnet9": 64}
_ROUNDS = 10
_THREADS = 2


def measure(show: Callable[[str], object]) -> Section:
    """Measures an update on one device and on two that share its cores.

    Args:
        show: Takes a line that says what is being done.
    """
    models = {
        model: alternate(
            [Entrant(each, StepSettings(model, batch)) for each in CONTENDERS],
            _ROUNDS,
            _THREADS,
            lambda done, model=model: show(f"{model}: {done} of {_ROUNDS} rounds"),  # type: ignore[misc]
        )
        for model, batch in _BATCHES.items()
    }
    return Section.of_one_run(measured_on("python -m benchmarks replicas", _THREADS), models)
