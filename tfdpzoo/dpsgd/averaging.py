"""An exponential moving average of the weights, updated with every update."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import keras
import tensorflow as tf

from tfdpzoo.dpsgd.replicas import update_in_every_replica
from tfdpzoo.errors import InputError


class WeightAverage:
    """The average of a model's weights over its updates.

    The decay warms up as min(decay, (1 + t) / (10 + t)) after t updates, so that a short run is not
    dragged back to its initialisation. An average of released weights costs no privacy: it is
    computed from them alone.

    Args:
        variables: The variables to average.
        decay: Between 0 and 1, for example 0.999.

    Raises:
        InputError: The decay is out of its range.
    """

    def __init__(self, variables: list[keras.Variable], decay: float) -> None:
        if not 0 < decay < 1:
            raise InputError(f"averaging_decay is {decay!r}; it must be above 0 and below 1.")
        self.decay = decay
        self.variables = variables
        self.averages = [
            # Of a copy: made of a variable, a Keras variable shares its storage.
            keras.Variable(variable.numpy(), trainable=False, name=f"average_of_{variable.name}")
            for variable in variables
        ]

    def update(self, updates: tf.Tensor) -> None:
        """Takes the present weights into the average.

        Args:
            updates: How many updates have been executed, this one included.
        """
        count = tf.cast(updates, tf.float32)
        decay = tf.minimum(self.decay, (1.0 + count) / (10.0 + count))
        for variable, average in zip(self.variables, self.averages, strict=True):
            update_in_every_replica(average, _move, variable.value, decay)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Lets the model's variables hold the averages inside the `with` block."""
        present = [variable.numpy() for variable in self.variables]
        try:
            for variable, average in zip(self.variables, self.averages, strict=True):
                variable.assign(average.value)
            yield
        finally:
            for variable, value in zip(self.variables, present, strict=True):
                variable.assign(value)


def _move(average: tf.Variable, weights: tf.Variable, decay: tf.Tensor) -> None:
    average.assign_sub((1.0 - decay) * (average - weights))
