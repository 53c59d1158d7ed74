"""How long a run would take on this machine, measured on a few updates of made-up data."""

from __future__ import annotations

import time

import keras
import numpy as np

from tfdpzoo.dpsgd.model import PrivateModel
from tfdpzoo.dpsgd.plan import PrivacyPlan
from tfdpzoo.training_job import TrainingJob

_TIMED_UPDATES = 2
_TIMED_EXAMPLES = {"fast": 64, "tf-privacy": 16}
_SHARE_OF_A_FORWARD_PASS = 1 / 3


def estimate_seconds(job: TrainingJob) -> float:
    """Measures the private gradient of one chunk and extrapolates to a whole run.

    The data is black images, so no private example is looked at; the job's model is trained a
    little by it and should not be used afterwards.

    Args:
        job: What would be run, from `prepare`.

    Returns:
        Seconds of a whole run, tests after each epoch included; good to about a fifth.
    """
    chunk = job.recipe.execution.chunk or _TIMED_EXAMPLES[job.engine]
    by_chunk = _seconds_by_chunk(job, chunk)
    sampled = job.plan.updates * job.plan.batch_size
    tested = job.epochs * len(job.dataset.test_images) * _SHARE_OF_A_FORWARD_PASS
    return (sampled + tested) / chunk * by_chunk


def _seconds_by_chunk(job: TrainingJob, chunk: int) -> float:
    # With as many examples as an update expects, each of them takes part in every update.
    plan = PrivacyPlan.from_noise_multiplier(
        noise_multiplier=1.0,
        delta=0.1 / chunk,
        examples=chunk,
        batch_size=chunk,
        updates=1 + _TIMED_UPDATES,
    )
    private = PrivateModel(
        job.model,
        plan,
        engine=job.engine,
        execution=job.recipe.execution,
        augmentation=job.recipe.augmentation,
        averaging_decay=job.recipe.averaging_decay,
    )
    private.compile(
        optimizer=job.recipe.optimizer.build(job.plan.updates, 1.0),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    images = np.zeros((chunk, *job.dataset.input_shape), np.uint8)
    labels = np.arange(chunk, dtype=np.int64) % job.dataset.classes
    clock = _Clock()
    private.fit(plan.batches(images, labels), callbacks=[clock], verbose=0)
    return clock.seconds / _TIMED_UPDATES


class _Clock(keras.callbacks.Callback):
    """Times every update but the first, which traces the graph."""

    seconds = 0.0
    _began: float | None = None

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:
        """Notes the time of an update."""
        now = time.monotonic()
        if self._began is not None:
            self.seconds = now - self._began
        else:
            self._began = now
