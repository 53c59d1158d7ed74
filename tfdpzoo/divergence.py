"""Ends a run whose weights have become useless, before it spends its budget on nothing."""

from __future__ import annotations

import logging
import time
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfdpzoo.dpsgd.model import PrivateModel
from tfdpzoo.dpsgd.validate import probe_images
from tfdpzoo.errors import InputError

_LOG = logging.getLogger(__name__)

DEFAULT_PATIENCE = 10
_IMAGES = 2


class DivergedError(InputError):
    """The model's outputs were not finite for several updates in a row.

    Attributes:
        updates: How many were executed.
    """

    def __init__(self, updates: int, patience: int) -> None:
        super().__init__(
            f"The loss was not finite after each of the last {patience} updates, {updates} in all."
        )
        self.updates = updates


class DivergenceWatch(keras.callbacks.Callback):
    """Looks after updates whether the model still gives finite outputs.

    It looks at random images that are no one's, and never at the training loss: a loss that one
    example makes infinite would tell of that example by ending the run. What is seen here follows
    from the weights alone, which the guarantee covers.

    Args:
        patience: How many updates in a row may leave a model without finite outputs.
        share: Of the time that looking may take as long as outputs are finite; from the first that
            are not on, it looks after every update.

    Raises:
        InputError: `patience` is not a whole number above 0.
    """

    model: PrivateModel

    def __init__(self, patience: int = DEFAULT_PATIENCE, share: float = 0.01) -> None:
        super().__init__()
        if isinstance(patience, bool) or not isinstance(patience, int) or patience < 1:
            raise InputError(
                f"A run cannot stop after {patience!r} updates without a finite loss; 1 is the "
                "least."
            )
        self._patience = patience
        self._share = share
        self._in_a_row = 0
        self._looked_at_update = -1
        self._looked_at = self._took = 0.0

    def on_train_begin(self, logs: Any = None) -> None:
        """Makes the images and the graph that is run on them, and traces it: that is no look."""
        model, images = self.model.model, probe_images(self.model.model, _IMAGES)
        self._outputs = tf.function(lambda: model(images, training=False), autograph=False)
        self._outputs()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Looks, if it is time to, and stops after too many.

        Raises:
            DivergedError: So many updates in a row left the model without finite outputs.
        """
        passed = time.monotonic() - self._looked_at
        if not self._in_a_row and passed * self._share < self._took:
            return
        if not self.sees_finite_outputs():
            updates = self.model.next_update
            _LOG.warning("The loss is not finite after update %d.", updates)
            if self._in_a_row >= self._patience:
                raise DivergedError(updates, self._patience)

    def sees_finite_outputs(self) -> bool:
        """Tells whether the present weights give finite outputs."""
        if self._looked_at_update != self.model.next_update:
            began = time.monotonic()
            finite = bool(np.isfinite(self._outputs().numpy()).all())
            self._in_a_row = 0 if finite else self._in_a_row + 1
            self._looked_at_update = self.model.next_update
            self._looked_at = time.monotonic()
            self._took = self._looked_at - began
        return self._in_a_row == 0
