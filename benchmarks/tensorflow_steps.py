"""Training steps in TensorFlow: ours, the ordinary one, and TF-Privacy's."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from benchmarks.training_step import (
    CLIP_NORM,
    LEARNING_RATE,
    NOISE_MULTIPLIER,
    StepSettings,
    TrainingStep,
)
from tfdpzoo.dpsgd.execution import ExecutionSettings
from tfdpzoo.dpsgd.execution_choice import ChosenExecution
from tfdpzoo.dpsgd.model import PrivateModel
from tfdpzoo.dpsgd.plan import PrivacyPlan
from tfdpzoo.dpsgd.tf_privacy import make_vectorized_keras_optimizer_class
from tfdpzoo.hardware import accelerators

_JIT = {"on": True, "off": False}


def private(settings: StepSettings) -> TrainingStep:
    """Our whole update: clipped sum, noise, optimizer, and the average of the weights."""
    model, plan = settings.benchmarked_model, plan_of(settings.batch)
    execution = ExecutionSettings(chunk=settings.chunk, jit_compile=settings.jit)
    trained = PrivateModel(model.build("keras"), plan, execution=execution)
    trained.compile(optimizer=keras.optimizers.SGD(LEARNING_RATE), loss=_cross_entropy())
    batches = plan.batches(*model.random_examples(settings.batch))
    trained.fit(batches, verbose=0)
    chosen = trained.chosen_execution or ChosenExecution(settings.batch, jit_compile=False)
    return _keras_step(trained, batches.dataset(0, chosen.padding), chosen.chunk)


def plan_of(batch: int) -> PrivacyPlan:
    """A plan of one update, for as many examples as it expects: each of them takes part."""
    return PrivacyPlan.from_noise_multiplier(
        noise_multiplier=NOISE_MULTIPLIER,
        delta=0.1 / batch,
        examples=batch,
        batch_size=batch,
        updates=1,
        clip_norm=CLIP_NORM,
    )


def ordinary(settings: StepSettings) -> TrainingStep:
    """What Keras trains with where no privacy is asked for."""
    model = settings.benchmarked_model
    trained = model.build("keras")
    trained.compile(
        optimizer=keras.optimizers.SGD(LEARNING_RATE),
        loss=_cross_entropy(),
        jit_compile=_JIT.get(settings.jit, "auto"),
    )
    examples = tf.data.Dataset.from_tensor_slices(model.random_examples(settings.batch))
    batches = examples.batch(settings.batch)
    trained.fit(batches, verbose=0)
    return _keras_step(trained, batches)


def tf_privacy(settings: StepSettings) -> TrainingStep:
    """TF-Privacy's vectorized optimizer in the loop that its documentation asks for."""
    model = settings.benchmarked_model.build("keras")
    images, labels = map(tf.constant, settings.benchmarked_model.random_examples(settings.batch))
    optimizer_class = make_vectorized_keras_optimizer_class(keras.optimizers.SGD)
    # TF-Privacy reads the attribute, as optimizers had it in Keras 2.
    optimizer_class._name = "VectorizedDPKerasSGD"
    optimizer = optimizer_class(
        l2_norm_clip=CLIP_NORM, noise_multiplier=NOISE_MULTIPLIER, learning_rate=LEARNING_RATE
    )
    cross_entropy = _cross_entropy(reduction="none")
    variables = model.trainable_variables

    @tf.function(jit_compile=_JIT.get(settings.jit, False))
    def update() -> None:
        gradients = optimizer._compute_gradients(
            lambda: cross_entropy(labels, model(images, training=True)),
            [variable.value for variable in variables],
        )
        optimizer.apply_gradients(
            (gradient, variable)
            for (gradient, _), variable in zip(gradients, variables, strict=True)
        )

    def run() -> None:
        update()
        tf.test.experimental.sync_devices()

    return _step(run, model)


def _cross_entropy(**arguments: Any) -> keras.losses.Loss:
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True, **arguments)


def _keras_step(
    trained: keras.Model, batches: tf.data.Dataset, chunk: int | None = None
) -> TrainingStep:
    """The step that `fit` has compiled, on its first batch again and again."""
    same_batch = iter(batches.take(1).cache().repeat())

    def run() -> None:
        trained.train_function(same_batch)
        tf.test.experimental.sync_devices()

    return _step(run, trained, chunk)


def _step(run: Any, trained: keras.Model, chunk: int | None = None) -> TrainingStep:
    parameters = sum(int(tf.size(variable)) for variable in trained.trainable_variables)
    if not accelerators():
        return TrainingStep(run, parameters, chunk=chunk)
    return TrainingStep(
        run,
        parameters,
        device=accelerators()[0],
        device_peak=lambda: tf.config.experimental.get_memory_info("GPU:0")["peak"],
        chunk=chunk,
    )
