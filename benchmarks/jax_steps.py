"""Training steps in JAX: the ordinary one and that of JAX-Privacy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax_privacy
import optax
from jax_privacy import noise_addition

from benchmarks.training_step import (
    CLIP_NORM,
    LEARNING_RATE,
    NOISE_MULTIPLIER,
    StepSettings,
    TrainingStep,
)


def ordinary(settings: StepSettings) -> TrainingStep:
    """A compiled step with optax."""
    return _step(settings, jax.grad, optax.sgd(LEARNING_RATE))


def private(settings: StepSettings) -> TrainingStep:
    """A compiled step of `clipped_grad` and the Gaussian privatizer."""

    def mean_of_clipped(loss: Callable) -> Callable:
        return jax_privacy.clipped_grad(
            loss, l2_clip_norm=CLIP_NORM, batch_argnums=(1, 2), normalize_by=settings.batch
        )

    noise = noise_addition.gaussian_privatizer(
        stddev=NOISE_MULTIPLIER * CLIP_NORM / settings.batch, prng_key=0
    )
    return _step(settings, mean_of_clipped, optax.chain(noise, optax.sgd(LEARNING_RATE)))


def _step(
    settings: StepSettings,
    gradient_of: Callable[[Callable], Callable],
    optimizer: optax.GradientTransformation,
) -> TrainingStep:
    parameters, logits = settings.benchmarked_model.build("jax")
    examples = tuple(
        map(jax.numpy.asarray, settings.benchmarked_model.random_examples(settings.batch))
    )

    def loss(parameters: Any, images: jax.Array, labels: jax.Array) -> jax.Array:
        predictions = logits(parameters, images)
        return optax.softmax_cross_entropy_with_integer_labels(predictions, labels).mean()

    @jax.jit
    def update(parameters: Any, state: Any, images: jax.Array, labels: jax.Array) -> tuple:
        gradients = gradient_of(loss)(parameters, images, labels)
        updates, state = optimizer.update(gradients, state, parameters)
        return optax.apply_updates(parameters, updates), state

    trained = (parameters, optimizer.init(parameters))

    def run() -> None:
        nonlocal trained
        trained = jax.block_until_ready(update(*trained, *examples))

    count = sum(array.size for array in jax.tree.leaves(parameters))
    device = jax.devices()[0]
    if device.platform == "cpu":
        return TrainingStep(run, count)
    return TrainingStep(
        run, count, device.device_kind, lambda: device.memory_stats()["peak_bytes_in_use"]
    )
