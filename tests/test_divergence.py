"""A run whose weights are useless ends with its last good ones."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest

from tfdpzoo.checkpoint import CheckpointFolder
from tfdpzoo.checkpoint_interval import CheckpointInterval
from tfdpzoo.checkpointing import Checkpointing
from tfdpzoo.divergence import DivergedError, DivergenceWatch
from tfdpzoo.dpsgd.model import PrivateModel
from tfdpzoo.dpsgd.plan import PrivacyPlan
from tfdpzoo.errors import InputError
from tfdpzoo.interruption import StopRequest

ALWAYS = math.inf


class Breaks(keras.callbacks.Callback):
    """Puts NaN into the weights at some updates, and what they were at the next."""

    def __init__(self, *updates: int) -> None:
        super().__init__()
        self._updates = updates

    def on_train_begin(self, logs=None):
        self._good = self.model.model.get_weights()

    def on_train_batch_end(self, batch, logs=None):
        broken = self.model.next_update in self._updates
        weights = [np.full_like(each, np.nan) for each in self._good] if broken else self._good
        self.model.model.set_weights(weights)


def fitted(*callbacks) -> PrivateModel:
    plan = PrivacyPlan.from_noise_multiplier(
        noise_multiplier=1.0, delta=1e-3, examples=60, batch_size=12, updates=10
    )
    inner = keras.Sequential(
        [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(2)]
    )
    private = PrivateModel(inner, plan, averaging_decay=0)
    private.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    images, labels = np.zeros((60, 4, 4, 1), "float32"), np.zeros(60, "int64")
    private.fit(plan.batches(images, labels), callbacks=[*callbacks], verbose=0)
    return private


def test_as_many_in_a_row_as_patience_end_the_run():
    with pytest.raises(DivergedError, match="last 3 updates, 6 in all") as error:
        fitted(Breaks(2, 4, 5, 6, 7), DivergenceWatch(3, share=ALWAYS))
    assert error.value.updates == 6


def test_fewer_go_on_and_are_counted_and_logged(caplog):
    private = fitted(Breaks(2, 3, 5, 6), DivergenceWatch(3, share=ALWAYS))
    assert private.ledger.updates == 10
    assert [record.args for record in caplog.records] == [(2,), (3,), (5,), (6,)]


def test_it_looks_rarely_and_from_the_first_bad_weights_on_always():
    watch = DivergenceWatch(3, share=1e-9)
    with pytest.raises(DivergedError, match="last 3 updates, 5 in all"):
        fitted(Breaks(3, 4, 5), Looks(watch, 3), watch)


class Looks(keras.callbacks.Callback):
    """Asks a watch after one update, as the writer of checkpoints does."""

    def __init__(self, watch, update):
        super().__init__()
        self._watch, self._update = watch, update

    def on_train_batch_end(self, batch, logs=None):
        if self.model.next_update == self._update:
            self._watch.sees_finite_outputs()


def test_bad_weights_are_never_saved(tmp_path):
    folder = CheckpointFolder(tmp_path, "", kept=100)
    watch = DivergenceWatch(3, share=ALWAYS)
    saving = Checkpointing(folder, CheckpointInterval(updates=1), StopRequest(), watch)
    with pytest.raises(DivergedError):
        fitted(Breaks(3, 5, 6, 7), watch, saving)
    assert folder.updates() == [0, 1, 2, 4]


@pytest.mark.parametrize("patience", [0, -1, 2.5, True])
def test_a_patience_that_makes_no_sense_is_refused(patience):
    with pytest.raises(InputError, match="1 is the least"):
        DivergenceWatch(patience)
