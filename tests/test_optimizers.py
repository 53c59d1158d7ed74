"""Optimizers and learning-rate schedules, which count updates."""

from __future__ import annotations

import math

import keras
import pytest

from tfdpzoo.errors import InputError
from tfdpzoo.optimizers import build_optimizer, learning_rate
from tfdpzoo.recipe import OPTIMIZERS, OptimizerSettings

# Keras evaluates schedules in float32.
TOLERANCE = 1e-5


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("weight_decay", [0.0, 0.01])
def test_every_optimizer_makes_an_update(name: str, weight_decay: float) -> None:
    settings = OptimizerSettings(name, 0.1, "constant", weight_decay=weight_decay)
    optimizer = build_optimizer(settings, updates=10, updates_per_epoch=5)
    variable = keras.Variable([1.0])
    optimizer.apply([keras.ops.convert_to_tensor([1.0])], [variable])
    assert 0 < float(variable.numpy()[0]) < 1


def test_sgd_has_the_published_settings() -> None:
    settings = OptimizerSettings("sgd", 2e-3, "constant", momentum=0.9, weight_decay=2e-4)
    optimizer = build_optimizer(settings, updates=10, updates_per_epoch=5)
    assert isinstance(optimizer, keras.optimizers.SGD)
    assert float(optimizer.learning_rate) == pytest.approx(2e-3)
    assert optimizer.momentum == 0.9
    assert optimizer.weight_decay == 2e-4


def test_cosine_falls_to_zero_over_all_updates() -> None:
    schedule = learning_rate(
        OptimizerSettings("sgd", 2.0, "cosine"), updates=100, updates_per_epoch=7
    )
    for update in (0, 1, 50, 99, 100, 1000):
        expected = 1 + math.cos(math.pi * min(update, 100) / 100)
        assert float(schedule(update)) == pytest.approx(expected, abs=TOLERANCE)


def test_warm_up_rises_evenly_and_begins_above_zero() -> None:
    settings = OptimizerSettings("sgd", 2.0, "cosine", warmup_updates=9)
    schedule = learning_rate(settings, updates=109, updates_per_epoch=7)
    for update in range(10):
        assert float(schedule(update)) == pytest.approx(0.2 * (update + 1), abs=TOLERANCE)
    assert float(schedule(59)) == pytest.approx(1.0, abs=TOLERANCE)
    assert float(schedule(109)) == pytest.approx(0.0, abs=TOLERANCE)


def test_a_warm_up_over_the_whole_run_is_refused() -> None:
    settings = OptimizerSettings("sgd", 2.0, "cosine", warmup_updates=10)
    with pytest.raises(InputError) as caught:
        learning_rate(settings, updates=10, updates_per_epoch=7)
    assert str(caught.value) == (
        "optimizer.warmup_updates is 10, but the whole run has 10 updates; "
        "give fewer warm-up updates."
    )


def test_steps_count_epochs_of_a_fractional_number_of_updates() -> None:
    settings = OptimizerSettings("sgd", 1.0, "step", step_epochs=5, decay_rate=0.9)
    schedule = learning_rate(settings, updates=17_578, updates_per_epoch=50_000 / 256)
    # Five epochs are 976.5625 updates, so update 977 is the first of the sixth epoch.
    for update, steps in ((0, 0), (976, 0), (977, 1), (1953, 1), (1954, 2), (17_577, 17)):
        assert float(schedule(update)) == pytest.approx(0.9**steps, rel=TOLERANCE)


def test_a_constant_rate_stays_a_number() -> None:
    settings = OptimizerSettings("sgd", 0.5, "constant")
    assert learning_rate(settings, updates=10, updates_per_epoch=5) == 0.5
