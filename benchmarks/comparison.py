"""Our step beside the ordinary one and those of the peers, for every model."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from benchmarks import peers
from benchmarks.contenders import CONTENDERS, OURS, Contender
from benchmarks.driver import Entrant, alternate
from benchmarks.machine import measured_on
from benchmarks.measurement import Measurement
from benchmarks.models import MODELS, BenchmarkedModel
from benchmarks.results import Section
from benchmarks.training_step import StepSettings

_ROUNDS = 15
_THREADS = 2


def measure(show: Callable[[str], object], names: Iterable[str] = MODELS) -> Section:
    """Measures models with all contenders.

    Args:
        show: Takes a line that says what is being done.
        names: The models, by default all.
    """
    show("installing the peers")
    missing = peers.install({each.peer for each in CONTENDERS if each.peer})
    models = {name: _compare(MODELS[name], missing, show) for name in names}
    return Section.of_one_run(measured_on("make bench", _THREADS), models)


def _compare(
    model: BenchmarkedModel, missing: dict[str, str], show: Callable[[str], object]
) -> list[Measurement]:
    settings = StepSettings(model.name, model.batch)
    obstacles = {each.name: _obstacle(each, model, missing) for each in CONTENDERS}
    able = [Entrant(each, settings) for each in CONTENDERS if not obstacles[each.name]]
    measured = alternate(
        able, _ROUNDS, _THREADS, lambda done: show(f"{model.name}: {done} of {_ROUNDS} rounds")
    )
    rows = {
        name: Measurement(name, model.batch, failure=reason) for name, reason in obstacles.items()
    }
    rows |= {row.contender: row for row in measured}
    return [_of_the_same_network(row, rows[OURS.name]) for row in rows.values()]


def _obstacle(contender: Contender, model: BenchmarkedModel, missing: dict[str, str]) -> str:
    """Says why a contender cannot take part, if it cannot."""
    if getattr(model, contender.framework) is None:
        return f"the model has not been written for {contender.framework}"
    return missing.get(contender.peer or "", "")


def _of_the_same_network(row: Measurement, ours: Measurement) -> Measurement:
    if row.failure or ours.failure or row.parameters == ours.parameters:
        return row
    reason = f"another network: {row.parameters} parameters, not {ours.parameters}"
    return Measurement(row.contender, row.batch, failure=reason)
