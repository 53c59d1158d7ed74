"""TensorFloat-32 is off where clipped gradients are summed, and only there."""

from __future__ import annotations

import keras
import pytest
import tensorflow as tf
from private_training import IMAGES, KEY, LABELS, plan_of, private_model

from tfdpzoo.dpsgd.full_float32 import full_float32

is_on = tf.config.experimental.tensor_float_32_execution_enabled


@pytest.fixture(autouse=True)
def _as_before():
    before = is_on()
    yield
    tf.config.experimental.enable_tensor_float_32_execution(before)


@pytest.mark.parametrize("before", [True, False])
def test_it_is_as_before_afterwards_also_when_something_fails(before):
    tf.config.experimental.enable_tensor_float_32_execution(before)
    with pytest.raises(KeyboardInterrupt), full_float32():
        assert not is_on()
        raise KeyboardInterrupt
    assert is_on() == before


def test_updates_are_made_without_it():
    tf.config.experimental.enable_tensor_float_32_execution(True)
    seen = []

    class Look(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            seen.append(is_on())

    plan = plan_of(2)
    private_model(plan).fit(plan.batches(IMAGES, LABELS, key=KEY), callbacks=Look(), verbose=0)
    assert seen == [False, False]
    assert is_on()
