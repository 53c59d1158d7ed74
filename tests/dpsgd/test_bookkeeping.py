"""What callbacks may do to a run, and what each update's noise and number are afterwards."""

from __future__ import annotations

import itertools
import json

import dp_accounting
import keras
import numpy as np
import pytest
import tensorflow as tf
from dp_accounting import pld
from private_training import (
    CROSS_ENTROPY,
    IMAGES,
    KEY,
    LABELS,
    plan_of,
    private_model,
    weights_of,
)

from tfdpzoo.dpsgd.bookkeeping import usable_callbacks
from tfdpzoo.dpsgd.noise import GaussianNoise
from tfdpzoo.errors import InputError

EAGER = {"run_eagerly": True}


class PutBack(keras.callbacks.Callback):
    """Keeps the weights after the first update, and restores them after the third."""

    def on_train_batch_end(self, batch, logs=None):
        if self.model.ledger.updates == 1:
            self.kept = self.model.get_weights()
        if self.model.ledger.updates == 3:
            self.model.set_weights(self.kept)


def test_restored_weights_do_not_bring_back_their_noise():
    """The noise of update t is that of number t, whatever a callback does to the weights."""
    plan = plan_of(6)
    private = private_model(
        plan,
        loss=lambda labels, logits: 0.0 * logits[:, 0],
        optimizer=keras.optimizers.SGD(1.0),
        averaging_decay=0,
    )
    history = []

    class Look(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            self.before = weights_of(private.model)

        def on_train_batch_end(self, batch, logs=None):
            now = weights_of(private.model)
            history.append([b - a for a, b in zip(now, self.before, strict=True)])

    batches = plan.batches(IMAGES, LABELS, key=KEY)
    private.fit(batches, callbacks=[Look(), PutBack()], verbose=0)
    shapes = [variable.shape for variable in private.model.trainable_variables]
    noise = GaussianNoise(KEY, shapes, plan.noise_multiplier * plan.clip_norm, plan.noise_reach)
    for update, moved in enumerate(history):
        for change, drawn in zip(moved, noise.draw(tf.constant(update, tf.int64)), strict=True):
            np.testing.assert_allclose(change, drawn / plan.batch_size, atol=1e-6)
    assert len(history) == private.ledger.updates == int(private.executed_updates.numpy()) == 6


def test_epsilon_in_the_record_is_that_of_the_updates_that_were_executed():
    """Counted here by the changes of the weights, and accounted by dp-accounting alone."""
    plan = plan_of(7)
    private = private_model(plan, key=None, averaging_decay=0)
    history = [weights_of(private.model)]

    class StopEarly(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            history.append(weights_of(private.model))
            self.model.stop_training = len(history) > 4

    private.fit(plan.batches(IMAGES, LABELS), callbacks=StopEarly(), verbose=0)
    executed = sum(
        not np.array_equal(before[0], after[0]) for before, after in itertools.pairwise(history)
    )
    one = dp_accounting.PoissonSampledDpEvent(12 / 60, dp_accounting.GaussianDpEvent(1.1))
    accountant = pld.PLDAccountant(
        dp_accounting.NeighboringRelation.ADD_OR_REMOVE_ONE, value_discretization_interval=1e-3
    )
    epsilon = accountant.compose(one, executed).get_epsilon(1e-3)
    record = json.loads(private.guarantee().to_json())
    assert 0 < executed < plan.updates
    assert record["updates"]["executed"] == executed
    # The same transforms of the same numbers; processors round them otherwise by a few 1e-9.
    assert record["claim"]["epsilon"] == pytest.approx(epsilon, rel=1e-6)
    assert record["claim"]["epsilon"] < plan.epsilon - 0.1


def test_updates_outside_of_fit_are_not_forgotten_by_the_next_fit():
    plan = plan_of(2)
    private = private_model(plan, key=None, compiling=EAGER)
    batches = plan.batches(IMAGES, LABELS)
    private.fit(batches, epochs=1, callbacks=None, verbose=0)
    assert private.guarantee().valid
    again = private_model(plan, key=None, compiling=EAGER)
    again.chosen_execution = private.chosen_execution
    images, labels, weights = (tf.constant(values) for values in batches.batch(0))
    draws = tf.zeros((len(images), 1, 3), tf.int32)
    for _ in range(3):
        again.train_step(((images, draws), labels, weights))
    again.fit(batches, verbose=0)
    assert any("outside of fit" in weakness for weakness in again.guarantee().weaknesses)


def test_early_stopping_restores_what_it_saw():
    """The best average is what is evaluated and released, not only the weights beside it."""
    plan = plan_of(20)
    private = private_model(plan, metrics=["accuracy"], averaging_decay=0.9)
    stopping = keras.callbacks.EarlyStopping("val_loss", patience=3, restore_best_weights=True)
    turned = (LABELS + 1) % 3  # So that the more is learnt, the worse it gets.
    private.fit(
        plan.batches(IMAGES, LABELS, key=KEY),
        callbacks=[stopping],
        validation_data=(IMAGES, turned),
        verbose=0,
    )
    best, _ = private.evaluate(IMAGES, turned, verbose=0)
    assert stopping.best_epoch < 3
    assert best == pytest.approx(stopping.best, rel=1e-5)


def test_one_callback_alone_is_a_list_of_one():
    callback = keras.callbacks.LambdaCallback()
    assert usable_callbacks(callback) == usable_callbacks([callback]) == [callback]
    assert usable_callbacks(None) == []
    with pytest.raises(InputError, match="TerminateOnNaN acts on 'loss'"):
        usable_callbacks(keras.callbacks.TerminateOnNaN())


def test_a_secret_key_makes_the_noise_of_one_model():
    """With the same noise the difference of two models has none."""
    from tfdpzoo.dpsgd.secret_key import SecretKey

    key = SecretKey.generate()
    private_model(plan_of(1), key=key)
    with pytest.raises(InputError, match="make a new SecretKey"):
        private_model(plan_of(1), key=key)


@pytest.mark.parametrize("epochs", [0, -1, 1.5, "2"])
def test_epochs_are_whole_numbers(epochs):
    private = private_model(plan_of(2))
    with pytest.raises(InputError, match="epochs is"):
        private.fit(private.plan.batches(IMAGES, LABELS), epochs=epochs, verbose=0)
    assert private.ledger.updates == 0


def test_loss_weights_are_not_silently_left_out():
    with pytest.raises(InputError, match="loss_weights"):
        private_model(plan_of(1), loss=CROSS_ENTROPY, compiling={"loss_weights": [0.5]})
