"""Choices that settings of execution leave open, made by measuring on the device that trains."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil
import tensorflow as tf

from tfdpzoo.dpsgd.engine import Engine, TFPrivacyEngine
from tfdpzoo.dpsgd.execution import ExecutionSettings
from tfdpzoo.dpsgd.per_example import recorded_calls
from tfdpzoo.dpsgd.validate import probe_images
from tfdpzoo.memory import free_memory

# Larger chunks are no faster; on a GPU 512 images keep it busy.
_LARGEST_CHUNK = {"CPU": 64, "GPU": 512}
# On a CPU larger activations are slower, see docs/engine.md; fewer examples keep no core busy.
_FASTEST_ACTIVATIONS = 48 * 2**20
_SMALLEST_FAST_CHUNK = 8
# TF-Privacy's memory grows with the square of the chunk.
_CHUNK_OF_TF_PRIVACY = 16
_USABLE_SHARE_OF_MEMORY = 0.5
_SURELY_ENOUGH_SHARE = 0.125
_MEASURED_EXAMPLES = (1, 4)
# How often an activation is in memory at once: it, its gradient, and what rules make of both.
_FEWEST_COPIES, _MOST_COPIES = 4, 8
_TIMED_CALLS = 5
_BYTES = 4


class ChosenExecution(NamedTuple):
    """How a run is executed.

    Attributes:
        chunk: How many examples are differentiated at once.
        jit_compile: Whether XLA compiles the gradients of a chunk.
    """

    chunk: int
    jit_compile: bool

    @property
    def padding(self) -> int:
        """A multiple of what a batch is padded to: XLA compiles every size of a chunk anew."""
        return self.chunk if self.jit_compile else 1


def choose_execution(
    settings: ExecutionSettings, engine: Engine, labels: np.ndarray, views: int = 1
) -> ChosenExecution:
    """Settles what the settings leave open.

    The chunk is the largest, up to what is fastest, whose memory fits into half of what is free.
    The memory of an example is measured, on black images, unless counting shows that the largest
    chunk takes a small part of what is free. XLA is used on a GPU where it measures faster; on a
    CPU it is three times slower for these models.

    Args:
        settings: What was asked for.
        engine: What computes a chunk.
        labels: Labels of the right form; their values are not looked at.
        views: How many views of each example are differentiated.
    """
    device = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    chunk = settings.chunk or _chunk_by_memory(engine, labels, views, device)
    if settings.jit_compile != "auto":
        return ChosenExecution(chunk, settings.jit_compile == "on")
    if device == "CPU":
        return ChosenExecution(chunk, False)
    plain, compiled = (
        _seconds(_runner(engine, labels, chunk, views, jit_compile))
        for jit_compile in (False, True)
    )
    return ChosenExecution(chunk, compiled < plain)


def _chunk_by_memory(engine: Engine, labels: np.ndarray, views: int, device: str) -> int:
    if isinstance(engine, TFPrivacyEngine):
        return _CHUNK_OF_TF_PRIVACY
    activations = views * _bytes_of_activations(engine)
    free, largest = _free_memory(device), _fastest_chunk(activations, device)
    enough = _MOST_COPIES * activations + _bytes_of_gradients(engine)
    if device == "CPU" and largest * enough < _SURELY_ENOUGH_SHARE * free:
        return largest
    fewer, more = _MEASURED_EXAMPLES
    low, high = _peaks_of_memory(
        [_runner(engine, labels, examples, views, False) for examples in (fewer, more)], device
    )
    # A process that has freed much before uses that again, and so seems to need less.
    of_an_example = max((high - low) / (more - fewer), _FEWEST_COPIES * activations)
    fitting = fewer + int((_USABLE_SHARE_OF_MEMORY * free - low) / of_an_example)
    return _power_of_two(min(max(fitting, 1), largest))


def _fastest_chunk(activations: int, device: str) -> int:
    """The largest chunk that is worth its memory, for the bytes of an example's activations."""
    if device == "GPU":
        return _LARGEST_CHUNK[device]
    fast = max(_FASTEST_ACTIVATIONS // max(activations, 1), _SMALLEST_FAST_CHUNK)
    return min(_power_of_two(fast), _LARGEST_CHUNK[device])


def _power_of_two(number: int) -> int:
    """The largest power of two that is not above a number."""
    return 1 << (number.bit_length() - 1)


def _bytes_of_activations(engine: Engine) -> int:
    calls = recorded_calls(engine.model, probe_images(engine.model, 1))
    return _BYTES * sum(int(tf.size(source)) for call in calls for source in call.sources)


def _bytes_of_gradients(engine: Engine) -> int:
    return _BYTES * sum(int(np.prod(each.shape)) for each in engine.model.trainable_variables)


def _runner(
    engine: Engine, labels: np.ndarray, examples: int, views: int, jit_compile: bool
) -> Callable[[], None]:
    """Returns a function that differentiates a chunk of black images and waits for the result."""
    images = tf.zeros_like(tf.repeat(probe_images(engine.model, 1), examples * views, axis=0))
    classes = tf.zeros((examples * views, *labels.shape[1:]), labels.dtype)
    compiled = tf.function(engine, jit_compile=jit_compile, autograph=False)

    def run() -> None:
        for total in compiled(images, classes, tf.ones(examples)).gradients:
            total.numpy()

    return run


def _seconds(run: Callable[[], None]) -> float:
    run()
    times = []
    for _ in range(_TIMED_CALLS):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return min(times)


def _peaks_of_memory(runs: list[Callable[[], None]], device: str) -> list[float]:
    """Returns the highest memory, in bytes above that at the start, after each of some runs.

    On a CPU, TensorFlow keeps what a run has freed and uses it again, so the runs must come in the
    order of what they need.
    """
    if device == "GPU":
        tf.config.experimental.reset_memory_stats("GPU:0")
        before = tf.config.experimental.get_memory_info("GPU:0")["current"]
    else:
        _forget_peak()
        before = psutil.Process().memory_info().rss
    peaks = []
    for run in runs:
        run()
        peak = (
            tf.config.experimental.get_memory_info("GPU:0")["peak"]
            if device == "GPU"
            else _peak_resident()
        )
        peaks.append(max(float(peak - before), 0.0))
    return peaks


def _forget_peak() -> None:
    """Makes Linux forget the highest memory so far; elsewhere the peak is what is used now."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak_resident() -> float:
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return float(psutil.Process().memory_info().rss)
    kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return 1024.0 * int(kilobytes)


def _free_memory(device: str) -> float:
    if device == "GPU":
        from tensorflow.python.client import device_lib

        limits = [each.memory_limit for each in device_lib.list_local_devices()]
        return float(max(limits))
    return free_memory()
