"""Where a model trains: on one device, on the GPUs of a machine, or on several machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfdpzoo.cluster import Cluster
from tfdpzoo.errors import InputError, unknown_name

if TYPE_CHECKING:
    import tensorflow as tf

STRATEGIES = ("none", "mirrored", "multiworker")
"""`none` is TensorFlow's default: one device; the others are its strategies of these names."""


def make_strategy(name: str, replicas: int | None = None) -> tf.distribute.Strategy:
    """Returns one of TensorFlow's strategies; models for it are built in its `scope()`.

    To be called before TensorFlow executes anything: what devices there are, and how workers reach
    each other, cannot be changed later.

    Args:
        name: `"none"`, `"mirrored"`: a replica on every GPU of this machine, or `"multiworker"`: a
            process on each of several machines, which `TF_CONFIG` describes to each.
        replicas: How many, for `"mirrored"`; by default one for each GPU. Without a GPU, parts of
            the processor stand for devices, for tests.

    Raises:
        InputError: There is no such strategy, there are fewer GPUs, or `TF_CONFIG` is not right.

    Example:
        >>> make_strategy("none").num_replicas_in_sync
        1
    """
    import tensorflow as tf

    if name not in STRATEGIES:
        raise unknown_name("strategy", name, STRATEGIES)
    if replicas is not None and name != "mirrored":
        raise InputError(
            f"A number of replicas ({replicas}) is for the strategy mirrored, not for {name}."
        )
    if name == "mirrored":
        return _mirrored(replicas)
    if name == "multiworker":
        Cluster.from_environment()
        return tf.distribute.MultiWorkerMirroredStrategy()
    return tf.distribute.get_strategy()


def describe(strategy: tf.distribute.Strategy) -> str:
    """Says in a few words how a strategy computes.

    Example:
        >>> describe(make_strategy("none"))
        '1 replica'
    """
    import tensorflow as tf

    number = strategy.num_replicas_in_sync
    replicas = f"{number} replica{'s' if number > 1 else ''}"
    if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return f"{replicas}, multiworker"
    return f"{replicas}, mirrored" if number > 1 else replicas


def _mirrored(replicas: int | None) -> tf.distribute.Strategy:
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    number = replicas if replicas is not None else len(gpus)
    if gpus and number > len(gpus):
        raise InputError(
            f"{number} replicas need as many GPUs, and this machine has {len(gpus)}; ask for fewer."
        )
    if number < 1:
        raise InputError(
            "The strategy mirrored puts a replica on each GPU, and this machine has none; give "
            "--replicas 2 to try it on parts of the processor."
        )
    if gpus:
        return tf.distribute.MirroredStrategy([f"GPU:{index}" for index in range(number)])
    _divide_processor(number)
    # Parts of a processor share their memory. TensorFlow's collectives would also allow only one
    # number of replicas in a process.
    return tf.distribute.MirroredStrategy(
        [f"CPU:{index}" for index in range(number)],
        cross_device_ops=tf.distribute.ReductionToOneDevice(),
    )


def _divide_processor(number: int) -> None:
    """Lets the processor count as so many devices, unless it does already."""
    import tensorflow as tf

    processor = tf.config.list_physical_devices("CPU")[0]
    parts = tf.config.get_logical_device_configuration(processor) or [None]
    if len(parts) >= number:
        return
    part = tf.config.LogicalDeviceConfiguration()
    try:
        tf.config.set_logical_device_configuration(processor, [part] * number)
    except RuntimeError as error:
        raise InputError(
            f"TensorFlow has started with {len(parts)} devices already and cannot have {number} "
            "now; make the strategy first of all."
        ) from error
