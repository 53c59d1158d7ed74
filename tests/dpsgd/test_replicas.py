"""Several replicas train as one: the same weights, the same noise, the same metrics."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from private_training import (
    BATCH,
    CLASSES,
    IMAGES,
    KEY,
    LABELS,
    linear_model,
    plan_of,
    private_model,
    sequential,
    small_model,
    weights_of,
)

from tfdpzoo.distribution import make_strategy
from tfdpzoo.dpsgd.augmentation import Augmentation
from tfdpzoo.dpsgd.execution import ExecutionSettings
from tfdpzoo.dpsgd.model import PrivateModel
from tfdpzoo.dpsgd.plan import PrivacyPlan
from tfdpzoo.dpsgd.replicas import Share
from tfdpzoo.dpsgd.training_state import restore_training_state, training_state
from tfdpzoo.errors import InputError
from tfdpzoo.saved_model import export
from tfdpzoo.verification import verify

layers = keras.layers
# Replicas add up in another order; over 20 updates that has come to 1.2e-7.
ROUNDING = 1e-5


@functools.cache
def strategy_of(replicas: int) -> tf.distribute.Strategy:
    return make_strategy("mirrored", replicas) if replicas else make_strategy("none")


def trained(
    replicas: int,
    plan: PrivacyPlan,
    *,
    model: Callable[[], keras.Model] = linear_model,
    optimizer: Callable[[], keras.optimizers.Optimizer] = lambda: keras.optimizers.SGD(0.5),
    images: np.ndarray = IMAGES,
    fitting: dict[str, Any] | None = None,
    **arguments: Any,
) -> PrivateModel:
    """A model that was trained with all that the plan allows; 0 stands for no strategy."""
    with strategy_of(replicas).scope():
        private = private_model(
            plan, model=model(), optimizer=optimizer(), metrics=["accuracy"], **arguments
        )
    private.fit(plan.batches(images, LABELS, key=KEY), verbose=0, **(fitting or {}))
    return private


def released(private: PrivateModel) -> np.ndarray:
    with private.released_weights() as model:
        return np.concatenate([value.ravel() for value in weights_of(model)])


@given(st.lists(st.integers(0, 1000), unique=True).map(sorted), st.integers(1, 9))
def test_shares_are_a_partition(sample: list[int], replicas: int) -> None:
    shares = [Share(replica, replicas).of(np.array(sample, int)) for replica in range(replicas)]

    assert [index for share in shares for index in share] == sample
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize("chunk", [None, 5])
def test_any_number_of_replicas_gives_the_same_weights(chunk: int | None) -> None:
    execution = ExecutionSettings(chunk=chunk)
    alone, *others = (
        released(trained(replicas, plan_of(20), execution=execution)) for replicas in (0, 1, 2, 4)
    )

    for weights in others:
        np.testing.assert_allclose(weights, alone, atol=ROUNDING)


def regularized_model() -> keras.Model:
    keras.utils.set_random_seed(0)
    return sequential(layers.Flatten(), layers.Dense(CLASSES, kernel_regularizer="l2"))


CASES: dict[str, dict[str, Any]] = {
    "convolutions": {"model": small_model, "execution": ExecutionSettings(chunk=5)},
    "TF-Privacy's gradients": {"engine": "tf-privacy"},
    "no average": {"averaging_decay": 0},
    "several views": {"augmentation": Augmentation(multiplicity=2, shift=1, flip=True)},
    "regularised weights": {"model": regularized_model},
    "Adam with decayed weights": {
        "optimizer": lambda: keras.optimizers.Adam(0.01, weight_decay=0.01)
    },
    # Keras would clip the parts of a gradient before it adds them up.
    "clipped updates": {
        "optimizer": lambda: keras.optimizers.SGD(0.5, momentum=0.9, clipnorm=0.05)
    },
    "a schedule": {
        "optimizer": lambda: keras.optimizers.SGD(
            keras.optimizers.schedules.CosineDecay(0.5, 20), use_ema=True
        )
    },
}


# Each traces a model for three devices, which takes seconds.
IN_SHORT = ("convolutions", "clipped updates")


@pytest.mark.parametrize(
    "name",
    [name if name in IN_SHORT else pytest.param(name, marks=pytest.mark.slow) for name in CASES],
)
def test_two_replicas_train_as_one(name: str) -> None:
    alone, two = (released(trained(replicas, plan_of(4), **CASES[name])) for replicas in (0, 2))

    np.testing.assert_allclose(two, alone, atol=ROUNDING)


def test_metrics_are_those_of_the_whole_sample() -> None:
    """Of uneven and of empty shares, too: four replicas share samples of a few examples."""
    plan = PrivacyPlan.from_noise_multiplier(
        noise_multiplier=1.0, delta=1e-3, examples=len(IMAGES), batch_size=3, updates=20
    )
    assert min(len(plan.batches(IMAGES, LABELS, key=KEY).sample(t)) for t in range(20)) < 2
    fitting = {"validation_data": (IMAGES, LABELS), "validation_batch_size": 7}
    alone, four = (trained(replicas, plan, fitting=fitting) for replicas in (0, 4))

    assert four.history.history.keys() == alone.history.history.keys() > {"loss", "val_accuracy"}
    for name, values in alone.history.history.items():
        np.testing.assert_allclose(four.history.history[name], values, rtol=1e-5, err_msg=name)
    assert four.ledger.updates == int(four.executed_updates.numpy()) == 20


def zero_loss(labels: tf.Tensor, predictions: tf.Tensor) -> tf.Tensor:
    return 0.0 * predictions[:, 0]


@pytest.mark.parametrize("replicas", [1, 2, 4])
def test_noise_is_drawn_once(replicas: int) -> None:
    """At a zero gradient a change of weights is noise alone; TF-Privacy adds it R times."""

    def zeros() -> keras.Model:
        dense = layers.Dense(200, kernel_initializer="zeros", use_bias=False)
        return sequential(layers.Flatten(), dense)

    plan = plan_of(1, noise_multiplier=1.3, clip_norm=0.7)
    with strategy_of(replicas).scope():
        private = private_model(
            plan,
            model=zeros(),
            loss=zero_loss,
            optimizer=keras.optimizers.SGD(1.0),
            averaging_decay=0,
        )
    private.fit(plan.batches(IMAGES, np.zeros(len(IMAGES), int), key=KEY), verbose=0)
    changes = released(private)

    expected = 1.3 * 0.7 / BATCH
    # Of 7,200 numbers the deviation is known to 0.8 %; noise of two replicas would be 41 % too much
    # and an update of two 100 %.
    assert abs(changes.std() / expected - 1) < 0.05
    assert abs(changes.mean()) < 5 * expected / np.sqrt(changes.size)


def test_broken_examples_are_counted_over_all_replicas() -> None:
    images = IMAGES.copy()
    images[:, 0, 0] = 1e30
    alone, two = (
        trained(replicas, plan_of(2), images=images, averaging_decay=0) for replicas in (0, 2)
    )

    assert int(two.discarded_examples.numpy()) == int(alone.discarded_examples.numpy()) > 0


def test_layers_that_draw_random_numbers_train_on_replicas() -> None:
    def dropping() -> keras.Model:
        return sequential(layers.Flatten(), layers.Dropout(0.3), layers.Dense(CLASSES))

    private = trained(2, plan_of(3), model=dropping)

    assert np.isfinite(released(private)).all()


def test_a_model_from_outside_of_the_scope_is_refused() -> None:
    model = linear_model()

    with strategy_of(2).scope(), pytest.raises(InputError, match=r"inside strategy\.scope\(\)"):
        PrivateModel(model, plan_of(1))


def test_what_two_replicas_began_one_ends() -> None:
    """The state of a run has nothing of the devices on which it was made."""
    plan = plan_of(6)
    whole = released(trained(0, plan))

    class StopAtThree(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.model.stop_training = self.model.next_update == 3

    begun = trained(2, plan, fitting={"callbacks": [StopAtThree()]})
    ended = private_model(plan, ledger=begun.ledger)
    restore_training_state(ended, training_state(begun))
    ended.go_on_from(3)
    ended.fit(plan.batches(IMAGES, LABELS, key=KEY), verbose=0)

    np.testing.assert_allclose(released(ended), whole, atol=ROUNDING)


def test_a_model_of_replicas_is_served_like_any_other(tmp_path) -> None:
    private = trained(2, plan_of(2))
    before = released(private)

    path = export(private, tmp_path / "model" / "1")

    served = tf.saved_model.load(str(path)).signatures["serving_default"]
    logits = served(images=tf.constant(IMAGES))["logits"]
    with private.released_weights() as model:
        np.testing.assert_allclose(logits, model(IMAGES), atol=1e-5)
    np.testing.assert_array_equal(released(private), before)
    report = verify(path)
    assert report.ok
    assert report.guarantee is not None
    assert report.guarantee.sampling.replicas == 2
