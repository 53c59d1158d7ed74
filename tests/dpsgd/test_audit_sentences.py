"""What an audit found to fail without a clear sentence: each case now says what is wrong."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from audited_training import (
    CROSS_ENTROPY,
    IMAGES,
    LABELS,
    Function,
    audited_plan,
    fit,
    sequential,
)

from tfdpzoo.dpsgd.execution import ExecutionSettings
from tfdpzoo.dpsgd.model import PrivateModel
from tfdpzoo.dpsgd.plan import PrivacyPlan
from tfdpzoo.errors import InputError

layers = keras.layers


@pytest.fixture(scope="module")
def plan() -> PrivacyPlan:
    return audited_plan()


def test_column_labels_out_of_range_are_a_clear_error(plan):
    model = sequential(layers.Flatten(), layers.Dense(2))
    with pytest.raises(InputError, match="0 to 1"):
        fit(model, plan, labels=np.full((200, 1), 7))


def test_fit_before_compile_is_a_clear_error(plan):
    private = PrivateModel(sequential(layers.Flatten(), layers.Dense(2)), plan)
    with pytest.raises(InputError, match="compile"):
        private.fit(plan.batches(IMAGES, LABELS))


def test_fit_with_images_and_labels_is_a_clear_error(plan):
    private = PrivateModel(sequential(layers.Flatten(), layers.Dense(2)), plan)
    private.compile(optimizer="sgd", loss=CROSS_ENTROPY)
    with pytest.raises(InputError, match="plan.batches"):
        private.fit(IMAGES, LABELS)


def test_a_loss_scaling_optimizer_is_a_clear_error(plan):
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1))
    with pytest.raises(InputError, match="scale"):
        fit(sequential(layers.Flatten(), layers.Dense(2)), plan, optimizer=optimizer)


def test_a_model_without_numbers_for_the_probe_is_refused_for_that_reason(plan):
    """Roots of negative pixels: no variable is used outside of its layer."""
    model = sequential(Function(lambda x, training: tf.sqrt(x)), layers.Flatten(), layers.Dense(2))
    try:
        fit(model, plan, images=np.abs(IMAGES))
    except InputError as error:
        assert "cannot see" not in str(error)


def test_a_rank_two_input_is_a_clear_error(plan):
    model = sequential(layers.Dense(2), shape=(4,))
    with pytest.raises(InputError):
        fit(model, plan, images=IMAGES[:, 0, :, 0])


BASE = {
    "epsilon": 7.0,
    "delta": 1e-5,
    "examples": 1000,
    "batch_size": 100,
    "epochs": 1,
    "clip_norm": 1.0,
}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"epsilon": True}, "epsilon is True"),
        ({"epochs": None, "updates": True}, "updates is True"),
        ({"examples": float("nan")}, "examples is nan"),
        ({"examples": "1000"}, "examples is '1000'"),
        ({"examples": None}, "examples is None"),
        ({"examples": 0}, "examples is 0"),
        ({"examples": -1}, "examples is -1"),
        ({"batch_size": 2000}, "batch_size is 2000 but there are only 1000 examples"),
        ({"epochs": 1e300}, "epochs"),
        ({"epochs": None, "updates": 10**30}, "updates is 1e\\+30"),
        ({"delta": 1e-10}, "delta is 1e-10; below 1e-09"),
    ],
)
def test_bad_plans_are_clear_errors(changes, text):
    with pytest.raises(InputError, match=text):
        PrivacyPlan.calibrate(**{**BASE, **changes})


def test_a_noise_multiplier_so_large_that_epsilon_is_zero_is_named():
    with pytest.raises(InputError, match="noise multiplier"):
        PrivacyPlan.from_noise_multiplier(
            noise_multiplier=1e6, delta=1e-5, examples=1000, batch_size=100, updates=10
        )


def test_a_noise_multiplier_that_protects_nobody_is_refused_at_once():
    with pytest.raises(InputError, match="noise_multiplier is 0.05; below 0.1"):
        PrivacyPlan.from_noise_multiplier(
            noise_multiplier=0.05, delta=1e-5, examples=1000, batch_size=100, updates=10
        )


def test_settings_of_execution_are_whole_numbers():
    for chunk in (0, 1.5, True, "8"):
        with pytest.raises(InputError, match="chunk"):
            ExecutionSettings(chunk=chunk)
