"""The process of one way of reading images: it trains for some updates and says what they took."""

from __future__ import annotations

import itertools
import json
import resource
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

    from tfdpzoo.dpsgd.sampling import PoissonBatches


@dataclass(frozen=True)
class ReadingTask:
    """What shall be read, and how.

    Attributes:
        name: What the way is called.
        folder: Of the images.
        memory_limit: In bytes.
        batch: Expected size of a sample.
        updates: How many are executed, the first two of which are not counted.
        ahead: How many batches are read ahead.
    """

    name: str
    folder: str
    memory_limit: int
    batch: int
    updates: int
    ahead: int = 2


@dataclass(frozen=True)
class Reading:
    """What a way of reading took.

    Attributes:
        name: What the way is called.
        data_mb: All images together, decoded, in millions of bytes.
        seconds_to_load: Until the data set could be used.
        batch_seconds: Median time of making the batch of an update, while nothing else is done.
        update_seconds: Median time from one update's end to the next one's.
        peak_mb: The most memory of the process, with everything that it has loaded.
    """

    name: str
    data_mb: float
    seconds_to_load: float
    batch_seconds: float
    update_seconds: float
    peak_mb: float


def measure(task: ReadingTask) -> Reading:
    """Loads, reads and trains as told."""
    import keras

    from tfdpzoo.data import load, streams
    from tfdpzoo.dpsgd.execution import ExecutionSettings
    from tfdpzoo.dpsgd.model import PrivateModel
    from tfdpzoo.dpsgd.plan import PrivacyPlan
    from tfdpzoo.preprocessing import take_pixels

    streams.PREFETCHED_BATCHES = task.ahead
    began = time.perf_counter()
    dataset = load(task.folder, memory_limit=task.memory_limit)
    seconds_to_load = time.perf_counter() - began
    plan = PrivacyPlan.from_noise_multiplier(
        noise_multiplier=1.0,
        delta=0.1 / dataset.examples,
        examples=dataset.examples,
        batch_size=task.batch,
        updates=task.updates,
    )
    inner = _small_model(dataset.input_shape, dataset.classes)
    private = PrivateModel(
        take_pixels(inner, dataset.normalization),
        plan,
        execution=ExecutionSettings(chunk=32, jit_compile="off"),
    )
    private.compile(
        optimizer=keras.optimizers.SGD(0.1),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    batches = plan.batches(dataset.train_images, dataset.train_labels)
    ends: list[float] = []
    clock = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: ends.append(time.perf_counter())
    )
    private.fit(batches, callbacks=[clock], verbose=0)
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Reading(
        name=task.name,
        data_mb=dataset.decoded_bytes / 1e6,
        seconds_to_load=seconds_to_load,
        batch_seconds=statistics.median(_seconds_of_batches(batches)),
        update_seconds=statistics.median(
            after - before for before, after in itertools.pairwise(ends[1:])
        ),
        peak_mb=peak / 1e6,
    )


def _small_model(input_shape: tuple[int, int, int], classes: int) -> keras.Model:
    """Quick on a CPU, so that reading is no small part of an update."""
    import keras

    return keras.Sequential(
        [
            keras.Input(input_shape),
            keras.layers.Conv2D(8, 4, strides=4, activation="tanh"),
            keras.layers.AveragePooling2D(2),
            keras.layers.Flatten(),
            keras.layers.Dense(classes),
        ]
    )


def _seconds_of_batches(batches: PoissonBatches) -> Iterator[float]:
    for update in range(len(batches)):
        began = time.perf_counter()
        batches.batch(update)
        yield time.perf_counter() - began


if __name__ == "__main__":
    print(json.dumps(asdict(measure(ReadingTask(**json.loads(sys.argv[1]))))))
