"""Settings of performance stand apart from the plan, and what they leave open is measured."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest

from tfdpzoo.dpsgd import execution_choice
from tfdpzoo.dpsgd.engine import make_engine
from tfdpzoo.dpsgd.execution import ENGINES, ExecutionSettings
from tfdpzoo.dpsgd.execution_choice import ChosenExecution, choose_execution
from tfdpzoo.dpsgd.losses import per_example_loss
from tfdpzoo.dpsgd.optimizer import make_private_optimizer
from tfdpzoo.dpsgd.plan import PrivacyPlan
from tfdpzoo.errors import InputError

LABELS = np.arange(10)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"chunk": 0}, "execution.chunk must be at least 1, got 0"),
        ({"chunk": -1}, "execution.chunk must be at least 1, got -1"),
        ({"chunk": 1.5}, "execution.chunk must be a whole number, got 1.5"),
        ({"chunk": True}, "execution.chunk must be a whole number, got True"),
        ({"chunk": "8"}, "execution.chunk must be a whole number, got '8'"),
        ({"jit_compile": "maybe"}, "There is no way of compiling named 'maybe'"),
    ],
)
def test_settings_without_a_meaning_are_refused(arguments, text):
    with pytest.raises(InputError, match=text):
        ExecutionSettings(**arguments)


def test_keras_own_values_are_taken():
    assert ExecutionSettings(jit_compile=True).jit_compile == "on"
    assert ExecutionSettings(jit_compile=False).jit_compile == "off"
    assert ExecutionSettings().jit_compile == "auto"


def test_settings_are_frozen_and_apart_from_the_plan():
    """A setting of speed that is also a field of the plan could change the guarantee."""
    fields = {field.name for field in dataclasses.fields(ExecutionSettings)}
    assert fields.isdisjoint(field.name for field in dataclasses.fields(PrivacyPlan))
    with pytest.raises(dataclasses.FrozenInstanceError):
        ExecutionSettings().chunk = 3


def engine_of(channels: int, name: str = "fast"):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Conv2D(channels, 3, padding="same", activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(10),
        ]
    )
    loss = per_example_loss(keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return make_engine(name, model, loss, 1.0, make_private_optimizer("sgd", 1.0))


@pytest.mark.parametrize("name", ENGINES)
def test_what_is_set_is_not_chosen(name):
    settings = ExecutionSettings(chunk=7, jit_compile="on")
    assert choose_execution(settings, engine_of(2, name), LABELS) == ChosenExecution(7, True)


def test_small_models_take_the_largest_chunk_unmeasured(monkeypatch):
    monkeypatch.setattr(execution_choice, "_peaks_of_memory", lambda *_: pytest.fail("measured"))
    assert choose_execution(ExecutionSettings(), engine_of(2), LABELS) == ChosenExecution(64, False)


def test_the_chunk_fits_into_half_of_the_memory(monkeypatch):
    """Measured for real; only what is free is made up, since it differs between machines."""
    megabyte = 1 << 20
    chosen = {}
    for free in (64, 256, 1 << 20):
        monkeypatch.setattr(execution_choice, "_free_memory", lambda _, free=free: free * megabyte)
        chosen[free] = choose_execution(ExecutionSettings(), engine_of(256), LABELS).chunk
    # An activation takes a megabyte an example, and it is there about four times.
    assert 1 <= chosen[64] <= 8
    assert chosen[64] < chosen[256] <= 32
    assert chosen[1 << 20] == 32
    assert all(chunk & (chunk - 1) == 0 for chunk in chosen.values())


@pytest.mark.parametrize(("channels", "views", "chunk"), [(16, 1, 64), (512, 1, 16), (512, 4, 8)])
def test_large_activations_take_smaller_chunks(channels, views, chunk, monkeypatch):
    """The activations of a chunk stay below 48 MiB, down to 8 examples."""
    monkeypatch.setattr(execution_choice, "_free_memory", lambda _: float(1 << 40))
    engine = engine_of(channels)
    assert choose_execution(ExecutionSettings(), engine, LABELS, views).chunk == chunk


def test_no_memory_at_all_leaves_one_example(monkeypatch):
    monkeypatch.setattr(execution_choice, "_free_memory", lambda _: 0.0)
    assert choose_execution(ExecutionSettings(), engine_of(8), LABELS).chunk == 1


def test_the_reference_engine_has_small_chunks():
    assert choose_execution(ExecutionSettings(), engine_of(2, "tf-privacy"), LABELS).chunk == 16


@pytest.mark.parametrize(("seconds", "compiled"), [([2.0, 1.0], True), ([1.0, 2.0], False)])
def test_on_a_gpu_the_faster_way_is_taken(monkeypatch, seconds, compiled):
    """The choice alone: without a GPU the device and its times are made up."""
    times = iter(seconds)
    monkeypatch.setattr(execution_choice.tf.config, "list_physical_devices", lambda _: ["GPU"])
    monkeypatch.setattr(execution_choice, "_seconds", lambda _: next(times))
    chosen = choose_execution(ExecutionSettings(chunk=8), engine_of(2), LABELS)
    assert chosen == ChosenExecution(8, compiled)


def test_batches_are_padded_for_xla_alone():
    assert ChosenExecution(64, True).padding == 64
    assert ChosenExecution(64, False).padding == 1
