"""Our update on two replicas that share the processor: in one process, and in two."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from dataclasses import asdict, replace
from unittest import mock

import keras
import tensorflow as tf

from benchmarks.tensorflow_steps import plan_of, private
from benchmarks.training_step import LEARNING_RATE, StepSettings, TrainingStep
from tfdpzoo.distribution import make_strategy
from tfdpzoo.dpsgd.execution import ExecutionSettings
from tfdpzoo.dpsgd.model import PrivateModel
from tfdpzoo.dpsgd.replicas import distribute

alone = private


def mirrored(settings: StepSettings) -> TrainingStep:
    """Two replicas of one process."""
    return _distributed_step(settings, make_strategy("mirrored", 2))


def mirrored_without_sum(settings: StepSettings) -> TrainingStep:
    """The same, but that each replica keeps its own sum: what is missing is communication."""
    with mock.patch("tfdpzoo.dpsgd.replicas._over_all", lambda context, tensors: tensors):
        return mirrored(settings)


def workers(settings: StepSettings) -> TrainingStep:
    """Two processes that reach each other through the network of this machine."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(2)]
        for each in sockets:
            each.bind(("localhost", 0))
        cluster = {"worker": [f"localhost:{each.getsockname()[1]}" for each in sockets]}
    first, second = (
        json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})
        for index in range(2)
    )
    task = json.dumps(asdict(settings))
    # It ends by itself when the first is gone.
    follower = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.replica_steps", task],
        env=os.environ | {"TF_CONFIG": second},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    os.environ["TF_CONFIG"] = first
    step = _distributed_step(settings, make_strategy("multiworker"))

    def run() -> None:
        # Not before, or it would compute its share while others are timed.
        print(file=follower.stdin, flush=True)
        step.run()

    return replace(step, run=run)


def _distributed_step(settings: StepSettings, strategy: tf.distribute.Strategy) -> TrainingStep:
    model, plan = settings.benchmarked_model, plan_of(settings.batch)
    with strategy.scope():
        execution = ExecutionSettings(chunk=settings.chunk, jit_compile=settings.jit)
        trained = PrivateModel(model.build("keras"), plan, execution=execution)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        trained.compile(optimizer=keras.optimizers.SGD(LEARNING_RATE), loss=loss)
    batches = plan.batches(*model.random_examples(settings.batch))
    trained.fit(batches, verbose=0)
    same_batch = iter(
        distribute(
            strategy,
            lambda shares: batches.dataset(0, shares=shares).take(len(shares)).cache().repeat(),
        )
    )

    def run() -> None:
        trained.train_function(same_batch)
        tf.test.experimental.sync_devices()

    parameters = sum(int(tf.size(variable)) for variable in trained.trainable_variables)
    chosen = trained.chosen_execution
    return TrainingStep(run, parameters, chunk=chosen.chunk if chosen else None)


def _follow(settings: StepSettings) -> None:
    """Takes part in the other worker's updates, one for each line that it is sent."""
    step = _distributed_step(settings, make_strategy("multiworker"))
    with contextlib.suppress(tf.errors.OpError):
        for _ in sys.stdin:
            step.run()


if __name__ == "__main__":
    _follow(StepSettings(**json.loads(sys.argv[1])))
