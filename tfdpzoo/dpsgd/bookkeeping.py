"""Callbacks of a private run: the one that counts its updates, and those that it cannot have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

from tfdpzoo.errors import InputError

if TYPE_CHECKING:
    from tfdpzoo.dpsgd.model import PrivateModel


class Bookkeeping(keras.callbacks.Callback):
    """Counts each update before it is executed, and stops at the plan's last one."""

    model: PrivateModel

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Records the update, and sees to it that its noise is new."""
        private = self.model
        if private.ledger.updates >= private.plan.updates:
            raise InputError(f"All {private.plan.updates} updates of the plan have been executed.")
        private.catch_up_with_ledger()
        private.ledger.record(private.plan.noise_multiplier, private.plan.sampling_rate)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Stops after the last update."""
        if self.model.ledger.updates >= self.model.plan.updates:
            self.model.stop_training = True


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
