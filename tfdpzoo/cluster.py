"""Several processes that train one model: who leads, what it tells the others, who was lost."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tfdpzoo.errors import InputError

if TYPE_CHECKING:
    import tensorflow as tf

_VARIABLE = "TF_CONFIG"
_LONGEST_MESSAGE = 8192
_EXAMPLE = (
    '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}'
)


class WorkerLostError(InputError):
    """A process of the cluster ended before the training did."""

    def __init__(self, reason: str) -> None:
        # TensorFlow's message begins with where in the graph it happened.
        lines = reason.strip().splitlines() or ["no reason was given"]
        told = next((line for line in lines if "aborted by" in line), lines[0])
        super().__init__(
            f"Another worker of the cluster was lost ({told[:200]}). Start all workers again, "
            "with --resume and the run's folder, to go on from its last checkpoint."
        )


@dataclass(frozen=True)
class Cluster:
    """The processes of a training on several machines, and which of them this is.

    The first worker leads: it alone writes the run's files and the model. The others read the
    secret key and the checkpoints from the run's folder, which all of them must see, and what they
    send each other is neither encrypted nor private: the network must be as safe as the machines.

    Attributes:
        workers: Their addresses, `host:port`.
        index: Which of them this process is.

    Example:
        >>> cluster = Cluster.from_text('{"cluster": {"worker": ["a:1", "b:1"]},'
        ...                             ' "task": {"type": "worker", "index": 1}}')
        >>> cluster.workers, cluster.leads
        (('a:1', 'b:1'), False)
    """

    workers: tuple[str, ...]
    index: int

    @classmethod
    def from_environment(cls) -> Cluster:
        """Reads TensorFlow's variable `TF_CONFIG`.

        Raises:
            InputError: It is missing or not right.
        """
        text = os.environ.get(_VARIABLE)
        if not text:
            raise InputError(
                f"The strategy multiworker needs the environment variable {_VARIABLE}, on each "
                f"worker with its own index, such as {_EXAMPLE}."
            )
        return cls.from_text(text)

    @classmethod
    def from_text(cls, text: str) -> Cluster:
        """Reads what `TF_CONFIG` holds.

        Raises:
            InputError: It does not say which workers there are and which this is.
        """
        try:
            content = json.loads(text)
            cluster, task = content["cluster"], content["task"]
            workers, index = cluster["worker"], task["index"]
        except (ValueError, TypeError, KeyError) as error:
            raise _not_right("it lacks workers or this worker's index") from error
        if set(cluster) != {"worker"} or task.get("type") != "worker":
            raise _not_right("all processes must be of the type worker")
        if not isinstance(workers, list) or not all(map(_is_address, workers)) or not workers:
            raise _not_right("the workers must be a list of addresses, host:port")
        if len(set(workers)) != len(workers):
            raise _not_right("two workers have the same address")
        if type(index) is not int or not 0 <= index < len(workers):
            raise _not_right(
                f"this worker's index is {index!r} and must be from 0 to {len(workers) - 1}"
            )
        return cls(tuple(workers), index)

    @property
    def leads(self) -> bool:
        """Whether this process writes the run's files."""
        return self.index == 0


def cluster_of(strategy: tf.distribute.Strategy) -> Cluster | None:
    """Returns the cluster of a strategy that has several processes, or else None."""
    import tensorflow as tf

    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return None
    cluster = Cluster.from_environment()
    return cluster if len(cluster.workers) > 1 else None


def tell_all(strategy: tf.distribute.Strategy, message: dict[str, Any] | None) -> dict[str, Any]:
    """Sends a message from the process that leads to all; called by each at the same time.

    Args:
        strategy: Of several workers.
        message: What JSON can hold; None for a worker that is told.

    Returns:
        The message.

    Raises:
        WorkerLostError: Another worker ended.
    """
    import numpy as np
    import tensorflow as tf

    sent = np.zeros(_LONGEST_MESSAGE, np.int32)
    if message is not None:
        content = json.dumps(message).encode()
        sent[: len(content)] = np.frombuffer(content, np.uint8)

    def add_up() -> tf.Tensor:
        context = tf.distribute.get_replica_context()
        # A worker has several replicas and has to send once.
        first = context.replica_id_in_sync_group == 0
        own = tf.where(first, tf.constant(sent), tf.zeros_like(sent))
        return context.all_reduce(tf.distribute.ReduceOp.SUM, own)

    with lost_workers_told():
        received = tf.function(lambda: strategy.run(add_up), autograph=False)()
    numbers = strategy.experimental_local_results(received)[0].numpy().astype(np.uint8)
    return json.loads(bytes(numbers).rstrip(b"\0"))


@contextlib.contextmanager
def lost_workers_told() -> Iterator[None]:
    """Says in a sentence what TensorFlow's errors mean when another worker is gone.

    Without other workers they are left as they are.

    Raises:
        WorkerLostError: Another worker ended.
    """
    import tensorflow as tf

    gone = (
        tf.errors.UnavailableError,
        tf.errors.AbortedError,
        tf.errors.CancelledError,
        tf.errors.DeadlineExceededError,
    )
    try:
        yield
    except gone as error:
        if not os.environ.get(_VARIABLE):
            raise
        raise WorkerLostError(error.message) from error


def _is_address(worker: Any) -> bool:
    if not isinstance(worker, str):
        return False
    host, _, port = worker.rpartition(":")
    return bool(host) and port.isdecimal()


def _not_right(reason: str) -> InputError:
    return InputError(f"The variable {_VARIABLE} is not right: {reason}. It looks like {_EXAMPLE}.")
