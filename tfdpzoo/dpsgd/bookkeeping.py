"""Callbacks of a private run: the one that counts its updates, and those that it cannot have."""

from __future__ import annotations

from typing import Any

import keras

from tfdpzoo.dpsgd.update_numbers import UpdateNumbers
from tfdpzoo.errors import InputError


class Bookkeeping(keras.callbacks.Callback):
    """Counts each update before it is executed, and stops at the plan's last one.

    Args:
        numbers: Those of the model that is trained.
    """

    def __init__(self, numbers: UpdateNumbers) -> None:
        super().__init__()
        self._numbers = numbers

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Records the update, and sees to it that its noise is new."""
        self._numbers.begin()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Stops after the last update."""
        if not self._numbers.any_left:
            self.model.stop_training = True


class ShortEpoch(keras.callbacks.Callback):
    """Ends the first epoch of a `fit` after some updates; the others have Keras' number.

    Args:
        updates: How many updates the first epoch has.
    """

    def __init__(self, updates: int) -> None:
        super().__init__()
        self._left = updates
        self._ended = False

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Counts down; Keras leaves an epoch when training is to stop."""
        self._left -= 1
        if self._left == 0 and not self.model.stop_training:
            self.model.stop_training = self._ended = True

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Lets training go on."""
        if self._ended:
            self.model.stop_training = self._ended = False


def usable_callbacks(callbacks: Any) -> list[keras.callbacks.Callback]:
    """Returns a user's callbacks as a list, if none changes the run by training metrics.

    Args:
        callbacks: What Keras takes: a list of callbacks, one alone, or None.

    Raises:
        InputError: A callback acts on a metric of the training data, which has no noise.
    """
    found = [callbacks] if isinstance(callbacks, keras.callbacks.Callback) else callbacks or []
    for callback in found:
        _require_untrained_eyes(callback)
    return list(found)


def _require_untrained_eyes(callback: keras.callbacks.Callback) -> None:
    monitored = getattr(callback, "monitor", None)
    if isinstance(callback, keras.callbacks.TerminateOnNaN):
        monitored = "loss"
    if isinstance(monitored, str) and not monitored.startswith("val_"):
        raise InputError(
            f"The callback {type(callback).__name__} acts on {monitored!r}, a metric of the "
            "training data, which is not differentially private; let it monitor a metric of the "
            "validation data."
        )
