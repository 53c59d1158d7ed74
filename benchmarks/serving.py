"""How long exported models take by batch, beside OpenVINO, and what a client adds to that."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.contenders import Contender
from benchmarks.driver import Entrant, alternate
from benchmarks.machine import measured_on
from benchmarks.measurement import Measurement
from benchmarks.models import SERVED_MODELS
from benchmarks.results import Section
from benchmarks.training_step import StepSettings


def _contender(name: str, step: str, *packages: str) -> Contender:
    return Contender(name, f"benchmarks.{step}", "keras", packages, warm_up=5)


TENSORFLOW = _contender("TensorFlow", "inference_steps:exported", "tensorflow")
OPENVINO = _contender("OpenVINO", "serving_steps:openvino", "openvino")
REST_CLIENT = _contender("REST client", "serving_steps:rest_client", "requests")
GRPC_CLIENT = _contender(
    "gRPC client", "serving_steps:grpc_client", "grpcio", "tensorflow-serving-api"
)

_RUNTIMES = (TENSORFLOW, OPENVINO)
_CLIENTS = (REST_CLIENT, GRPC_CLIENT)
_MODELS_WITH_CLIENTS = ("smoothnet-w80d10", "smoothnet-w40d10")
"""What a client takes depends on the size of the images alone."""

_ROUNDS = {1: 200, 8: 200, 32: 100, 128: 60, 256: 60}
_THREADS = 2


def measure(show: Callable[[str], object]) -> Section:
    """Measures every served model with every batch, one call of each contender in turn.

    Args:
        show: Takes a line that says what is being done.
    """
    models = {
        name: [row for batch in _ROUNDS for row in _measure_batch(name, batch, show)]
        for name in SERVED_MODELS
    }
    return Section.of_one_run(measured_on("python -m benchmarks serving", _THREADS), models)


def _measure_batch(model: str, batch: int, show: Callable[[str], object]) -> list[Measurement]:
    rounds = _ROUNDS[batch]
    clients = _CLIENTS if model in _MODELS_WITH_CLIENTS else ()
    return alternate(
        [Entrant(each, StepSettings(model, batch)) for each in (*_RUNTIMES, *clients)],
        rounds,
        _THREADS,
        lambda done: show(f"{model}, {batch} images: {done} of {rounds} rounds"),
    )
