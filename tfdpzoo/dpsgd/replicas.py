"""One private update on several replicas: each takes a share of one sample, and noise comes once.

A replica is a copy of the model on a device of its own, under one of TensorFlow's strategies
(`tf.distribute`). Keras' own way does not serve here: it cannot split a sample, whose size is not
known before it is drawn, and a private optimizer in every replica adds noise once for each.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.ops.resource_variable_ops import ResourceVariable

from tfdpzoo.errors import InputError

_merge_call = tf.__internal__.distribute.interim.maybe_merge_call


class Share(NamedTuple):
    """The part of every sample that one replica takes.

    Attributes:
        replica: Which one, from 0.
        replicas: How many there are.

    Example:
        >>> [Share(replica, 3).of(np.arange(7)).tolist() for replica in range(3)]
        [[0, 1, 2], [3, 4], [5, 6]]
    """

    replica: int
    replicas: int

    def of(self, sample: np.ndarray) -> np.ndarray:
        """Returns this replica's examples: neighbours, as many as the others', or one more."""
        return np.array_split(sample, self.replicas)[self.replica]


WHOLE_SAMPLE = (Share(0, 1),)
"""The shares where nothing is distributed."""


def distribute(
    strategy: tf.distribute.Strategy, make: Callable[[tuple[Share, ...]], tf.data.Dataset]
) -> Any:
    """Returns batches for all replicas of a strategy.

    Args:
        strategy: Where the replicas are.
        make: Returns what the replicas of this process get in turn: for each update the batch of
            each of some shares.
    """
    if strategy.num_replicas_in_sync == 1:
        return make(WHOLE_SAMPLE)

    def of_this_process(context: tf.distribute.InputContext) -> tf.data.Dataset:
        replicas = context.num_replicas_in_sync
        here = replicas // context.num_input_pipelines
        first = here * context.input_pipeline_id
        batches = make(tuple(Share(first + replica, replicas) for replica in range(here)))
        # Keras does not read past the last update. Where TensorFlow must expect an end, it makes
        # up batches of zeros for replicas without one, and fails to for batches of any size.
        return batches.apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY))

    return strategy.distribute_datasets_from_function(of_this_process)


def sum_with_noise(
    totals: list[tf.Tensor], draw_noise: Callable[[], list[tf.Tensor]], count: tf.Tensor
) -> tuple[list[tf.Tensor], tf.Tensor]:
    """Adds up what all replicas have summed, and noise; called in every replica.

    Formal guarantee:
        Every replica gets the same numbers: the sum over all replicas and one draw of noise, which
        the first replica adds to its own sum. With each example in one replica's share, this is the
        sum over the sample with noise of the plan's size, whatever the number of replicas.

    Args:
        totals: The clipped sum over this replica's share, one tensor for each variable.
        draw_noise: Draws the noise of the update.
        count: A whole number below 2^24 to be added up as well.

    Returns:
        The noised sums, and the sum of `count`.
    """
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
        return _added(totals, draw_noise()), count
    if _index_of(context) == 0:
        totals = _added(totals, draw_noise())
    *totals, counted = _over_all(context, [*totals, tf.cast(count, tf.float32)])
    return totals, tf.cast(counted, count.dtype)


def _over_all(context: tf.distribute.ReplicaContext, tensors: list[tf.Tensor]) -> list[tf.Tensor]:
    return context.all_reduce(tf.distribute.ReduceOp.SUM, tensors)


def _added(totals: list[tf.Tensor], noise: list[tf.Tensor]) -> list[tf.Tensor]:
    return [total + drawn for total, drawn in zip(totals, noise, strict=True)]


def _index_of(context: tf.distribute.ReplicaContext) -> int:
    """The number of a replica; each is traced on its own, so that it is known then."""
    return int(tf.get_static_value(context.replica_id_in_sync_group))


def update_in_every_replica(
    variable: keras.Variable, change: Callable[..., Any], *values: Any
) -> None:
    """Lets each replica change its copy of a variable, without a word to the others.

    Args:
        variable: The variable.
        change: Takes a replica's copy of the variable, and of the values.
        *values: Tensors and variables that are the same in all replicas.
    """

    def in_all(strategy: tf.distribute.Strategy, *values: Any) -> None:
        strategy.extended.update(variable.value, change, args=values, group=False)

    _merge_call(in_all, tf.distribute.get_strategy(), *values)


def for_reduction(metrics: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Returns a replica's metrics in the form in which Keras can reduce them to one.

    For several workers it takes the mean over the first axis, which a number does not have.
    """
    strategy = tf.distribute.get_strategy()
    workers = isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
    if not workers or not strategy.extended._in_multi_worker_mode():
        return metrics
    return {name: tf.reshape(value, (1,)) for name, value in metrics.items()}


def require_built_in_scope(model: keras.Model, strategy: tf.distribute.Strategy) -> None:
    """Checks that a model's weights are where the replicas are.

    Raises:
        InputError: The model was built outside of the strategy's scope.
    """
    if not all(strategy.extended.variable_created_in_scope(v.value) for v in model.variables):
        raise InputError(
            f"The weights of {model.name} were not made for the replicas of "
            f"{type(strategy).__name__}; build the model inside strategy.scope(), too."
        )


@contextlib.contextmanager
def one_copy(model: keras.Model) -> Iterator[None]:
    """Lets a model have one copy of each weight inside the `with` block, as without replicas.

    What is changed inside is lost. Functions that were traced before keep the replicas' weights.

    Args:
        model: The model.
    """
    variables = [each for each in model.variables if _is_distributed(each.value)]
    distributed = [variable.value for variable in variables]
    try:
        for variable in variables:
            # A tf.Variable would be one for every replica again, inside the strategy's scope.
            variable._value = ResourceVariable(variable.numpy(), trainable=variable.trainable)
        yield
    finally:
        for variable, value in zip(variables, distributed, strict=True):
            variable._value = value


def _is_distributed(value: tf.Variable) -> bool:
    return isinstance(value, tf.distribute.DistributedValues)
