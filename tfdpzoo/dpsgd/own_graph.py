"""Functions that keep a graph of their own where a loop calls them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import tensorflow as tf

Result = TypeVar("Result")


def in_own_graph(function: Callable[..., Result]) -> Callable[..., Result]:
    """Returns a function whose operations TensorFlow does not put among those of its caller.

    Inlined into a loop, max-pooling would round in one process as it does not in another. Where
    oneDNN is on, as on CPUs with AVX-512, TensorFlow goes through a graph and replaces operations
    by oneDNN's; the gradient of a max-pooling only if it has come past the max-pooling before. It
    takes a topological order, but a loop has none: then the order depends on where in memory the
    nodes are, and in one process of a dozen the gradient stayed TensorFlow's own. Where pixels are
    equal, as on a plain background, that gives their gradient to another one of them than oneDNN
    does: the same sum with another rounding. The graph of a function has no such cycle. What a
    call takes could not be measured beside the work on a chunk.

    Args:
        function: From tensors to tensors.

    Example:
        >>> double = in_own_graph(lambda values: 2 * values)
        >>> double(tf.constant([1, 2])).numpy().tolist()
        [2, 4]
    """
    return tf.function(function, autograph=False, experimental_attributes={"_noinline": True})
