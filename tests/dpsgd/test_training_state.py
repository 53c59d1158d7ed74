"""A run goes on bit by bit from the state of another process, and pays for no update twice."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from private_training import IMAGES, KEY, LABELS, plan_of, private_model, weights_of

from tfdpzoo.dpsgd.training_state import restore_training_state, training_state
from tfdpzoo.errors import InputError
from tfdpzoo.privacy.ledger import Ledger

layers = keras.layers
UPDATES = 12  # Five are an epoch.


def with_dropout() -> keras.Model:
    """Draws random numbers of its own."""
    keras.utils.set_random_seed(0)
    parts = [keras.Input((6, 6, 1)), layers.Flatten(), layers.Dropout(0.3), layers.Dense(3)]
    return keras.Sequential(parts)


def made(ledger: Ledger | None = None):
    return private_model(
        plan_of(UPDATES),
        model=with_dropout(),
        optimizer=keras.optimizers.Adam(),
        metrics=["accuracy"],
        ledger=ledger,
    )


class States(keras.callbacks.Callback):
    """Keeps the state after every update, and notes epochs."""

    def __init__(self):
        super().__init__()
        self.states, self.epochs, self.updates = [], [], []

    def on_train_begin(self, logs=None):
        self.states.append(training_state(self.model))

    def on_epoch_begin(self, epoch, logs=None):
        self.epochs.append(epoch)
        self.updates.append(0)

    def on_train_batch_end(self, batch, logs=None):
        self.states.append(training_state(self.model))
        self.updates[-1] += 1


def fit(private) -> States:
    states = States()
    batches = private.plan.batches(IMAGES, LABELS, key=KEY)
    private.fit(batches, callbacks=[states], verbose=0)
    return states


@pytest.fixture(scope="module")
def whole():
    """A run in one piece: its states and its weights."""
    private = made()
    return fit(private).states, weights_of(private.model)


@pytest.mark.parametrize("update", [0, 5, 11])
def test_a_run_goes_on_bit_by_bit(whole, update):
    states, expected = whole
    ledger = Ledger()
    ledger.record(1.1, 0.2, updates=max(update, 1))
    private = made(ledger)
    restore_training_state(private, states[update])
    private.go_on_from(update)
    found = fit(private)
    for one, other in zip(weights_of(private.model), expected, strict=True):
        np.testing.assert_array_equal(one, other)
    for name, values in states[-1].items():
        np.testing.assert_array_equal(found.states[-1][name], values)
    assert private.ledger.updates == UPDATES


def test_epochs_are_those_of_the_run_in_one_piece(whole):
    states, _ = whole
    for update, epochs, updates in ((3, [0, 1, 2], [2, 5, 2]), (10, [2], [2]), (5, [1, 2], [5, 2])):
        ledger = Ledger()
        ledger.record(1.1, 0.2, updates=update)
        private = made(ledger)
        restore_training_state(private, states[update])
        private.go_on_from(update)
        found = fit(private)
        assert (found.epochs, found.updates) == (epochs, updates)


def test_repeated_updates_count_once(whole):
    """The ledger was ahead when the process died."""
    states, expected = whole
    ledger = Ledger()
    ledger.record(1.1, 0.2, updates=9)
    private = made(ledger)
    restore_training_state(private, states[4])
    private.go_on_from(4)
    counted = []
    private.fit(
        private.plan.batches(IMAGES, LABELS, key=KEY),
        callbacks=[
            keras.callbacks.LambdaCallback(
                on_train_batch_end=lambda batch, logs: counted.append(ledger.updates)
            )
        ],
        verbose=0,
    )
    assert counted == [9, 9, 9, 9, 9, 10, 11, 12]
    for one, other in zip(weights_of(private.model), expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_weights_that_a_callback_puts_back_get_new_noise():
    """As before: only who restores a run says that updates may be repeated."""
    private = made()
    first = fit(private).states[2]
    private.plan = plan_of(UPDATES)
    restore_training_state(private, first)
    assert int(private.executed_updates.numpy()) == 2
    assert private.next_update == UPDATES


def test_what_the_ledger_does_not_count_is_no_place_to_go_on_from():
    private = made()
    with pytest.raises(InputError, match="cannot go on from update 1: the ledger counts 0"):
        private.go_on_from(1)
    with pytest.raises(InputError, match="cannot go on from update -1"):
        private.go_on_from(-1)


def test_the_budget_stays_hard(whole):
    states, _ = whole
    ledger = Ledger()
    ledger.record(1.1, 0.2, updates=UPDATES)
    private = made(ledger)
    restore_training_state(private, states[-1])
    private.go_on_from(UPDATES)
    with pytest.raises(InputError, match="All 12 updates of the plan have been executed"):
        fit(private)


def test_a_state_of_another_form_is_refused_and_changes_nothing(whole):
    states, _ = whole
    other = private_model(plan_of(UPDATES))
    before = weights_of(other.model)
    with pytest.raises(InputError, match="do not fit the model .* and its optimizer"):
        restore_training_state(other, states[3])
    for one, same in zip(weights_of(other.model), before, strict=True):
        np.testing.assert_array_equal(one, same)
