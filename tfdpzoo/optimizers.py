"""Keras optimizers and learning-rate schedules from a recipe's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras

from tfdpzoo.errors import InputError

if TYPE_CHECKING:
    from tfdpzoo.recipe import OptimizerSettings

_CLASSES: dict[str, type[keras.optimizers.Optimizer]] = {
    "sgd": keras.optimizers.SGD,
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "nadam": keras.optimizers.Nadam,
}


def build_optimizer(
    settings: OptimizerSettings, *, updates: int, updates_per_epoch: float
) -> keras.optimizers.Optimizer:
    """Makes the optimizer of a recipe.

    Args:
        settings: The recipe's `[optimizer]` table.
        updates: Updates of the whole run, at least 1.
        updates_per_epoch: Examples over batch size, above 0; need not be whole.

    Returns:
        A new Keras optimizer whose learning rate follows the schedule, counted in updates.

    Raises:
        InputError: The warm-up takes all of the updates.

    Example:
        >>> from tfdpzoo.recipe import OptimizerSettings
        >>> settings = OptimizerSettings("sgd", learning_rate=2.0, schedule="constant")
        >>> float(build_optimizer(settings, updates=100, updates_per_epoch=10).learning_rate)
        2.0
    """
    rate = learning_rate(settings, updates=updates, updates_per_epoch=updates_per_epoch)
    arguments: dict[str, object] = {"learning_rate": rate}
    if settings.name == "sgd":
        arguments["momentum"] = settings.momentum
    # None spares an operation per weight; AdamW alone insists on a number.
    if settings.weight_decay or settings.name == "adamw":
        arguments["weight_decay"] = settings.weight_decay
    return _CLASSES[settings.name](**arguments)


def learning_rate(
    settings: OptimizerSettings, *, updates: int, updates_per_epoch: float
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """Makes the learning rate of a recipe as a function of the update, which counts from 0.

    Args:
        settings: The recipe's `[optimizer]` table.
        updates: Updates of the whole run, at least 1.
        updates_per_epoch: Examples over batch size, above 0; need not be whole.

    Returns:
        A number for the constant schedule, otherwise a Keras schedule.

    Raises:
        InputError: The warm-up takes all of the updates.

    Example:
        >>> from tfdpzoo.recipe import OptimizerSettings
        >>> settings = OptimizerSettings("sgd", 1.0, "step", step_epochs=5, decay_rate=0.5)
        >>> schedule = learning_rate(settings, updates=100, updates_per_epoch=4.0)
        >>> [float(schedule(update)) for update in (0, 19, 20, 40)]
        [1.0, 1.0, 0.5, 0.25]
    """
    peak = settings.learning_rate
    if settings.schedule == "step":
        if settings.step_epochs is None or settings.decay_rate is None:
            raise InputError("A step schedule needs step_epochs and decay_rate.")
        return keras.optimizers.schedules.ExponentialDecay(
            peak,
            decay_steps=settings.step_epochs * updates_per_epoch,
            decay_rate=settings.decay_rate,
            staircase=True,
        )
    if settings.schedule == "cosine":
        return _cosine(peak, updates=updates, warmup=settings.warmup_updates)
    return peak


def _cosine(
    peak: float, *, updates: int, warmup: int
) -> keras.optimizers.schedules.LearningRateSchedule:
    if warmup >= updates:
        raise InputError(
            f"optimizer.warmup_updates is {warmup}, but the whole run has {updates} updates; "
            "give fewer warm-up updates."
        )
    if warmup == 0:
        return keras.optimizers.schedules.CosineDecay(peak, decay_steps=updates)
    return keras.optimizers.schedules.CosineDecay(
        # Starting at 0 would spend the first update's privacy on a step of length 0.
        peak / (warmup + 1),
        decay_steps=updates - warmup,
        warmup_target=peak,
        warmup_steps=warmup,
    )
