"""Our update on two replicas that share the processor."""

from __future__ import annotations

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
    """Two replicas, each on its own part of the processor."""
    return _distributed_step(settings, make_strategy("mirrored", 2))


def mirrored_without_sum(settings: StepSettings) -> TrainingStep:
    """The same, but that each replica keeps its own sum: what is missing is communication."""
    with mock.patch("tfdpzoo.dpsgd.replicas._over_all", lambda context, tensors: tensors):
        return mirrored(settings)


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
