"""What a contender is asked for, and what it gives: one training step to repeat."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.models import MODELS, SERVED_MODELS, BenchmarkedModel

CLIP_NORM = 1.0
NOISE_MULTIPLIER = 1.0
# So small that the weights stay sane, whatever noise says.
LEARNING_RATE = 1e-3


@dataclass(frozen=True)
class StepSettings:
    """What a step computes.

    Attributes:
        model: A name in `MODELS` or `SERVED_MODELS`.
        batch: Examples in a step.
        chunk: How many of them our engine differentiates at once; None leaves it to the engine.
        jit: Whether XLA compiles a TensorFlow step: `"on"`, `"off"`, or `"auto"` for what the
            library does.
    """

    model: str
    batch: int
    chunk: int | None = None
    jit: str = "auto"

    @property
    def benchmarked_model(self) -> BenchmarkedModel:
        """The entry of the model."""
        return (MODELS | SERVED_MODELS)[self.model]


@dataclass(frozen=True)
class TrainingStep:
    """One update of a model's weights on the same batch.

    Attributes:
        run: Executes an update and returns when the device has finished it.
        parameters: How many numbers are trained.
        device: What computes.
        device_peak: Gives the most bytes that were in use on the device; None where it computes in
            the memory of the process.
        chunk: How many examples are differentiated at once.
    """

    run: Callable[[], None]
    parameters: int
    device: str = "CPU"
    device_peak: Callable[[], int] | None = None
    chunk: int | None = None
