"""Streams of tensors that Python makes while TensorFlow trains; their errors are not lost."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from tfdpzoo.data.indexed import Images, in_blocks

PREFETCHED_BATCHES = 2
"""How many batches are made before they are asked for, while the one before them is used."""

# TensorFlow turns whatever a generator raises into an error of its own, in which only text is left.
# The text that is raised here says which of these errors it was.
_errors: dict[int, Exception] = {}
_numbers = itertools.count()


class _StreamError(Exception):
    """Stands for an error that is kept in `_errors`."""


def stream(
    elements: Callable[[], Iterator[Any]], signature: Any, prefetched: int
) -> tf.data.Dataset:
    """Makes tensors of what a generator yields, some elements ahead of their use.

    Args:
        elements: Returns a new generator for each pass.
        signature: The `tf.TensorSpec` of an element's arrays.
        prefetched: How many elements are made, and kept, before they are asked for.

    Returns:
        A data set; what the generator raises is raised by `original_errors` where it is used.
    """

    def noting_errors() -> Iterator[Any]:
        try:
            yield from elements()
        except Exception as error:
            number = next(_numbers)
            _errors[number] = error
            raise _StreamError(f"[stream error {number}]") from error

    dataset = tf.data.Dataset.from_generator(noting_errors, output_signature=signature)
    return dataset.prefetch(prefetched)


@contextlib.contextmanager
def original_errors() -> Iterator[None]:
    """Raises what a generator of `stream` raised, in the place of TensorFlow's words for it.

    Example:
        >>> def elements():
        ...     yield 1
        ...     raise KeyError("the second")
        >>> with original_errors():
        ...     list(stream(elements, tf.TensorSpec((), tf.int32), 2))
        Traceback (most recent call last):
        KeyError: 'the second'
    """
    try:
        yield
    except tf.errors.OpError as error:
        found = re.search(r"\[stream error (\d+)\]", str(error))
        original = _errors.pop(int(found[1]), None) if found else None
        if original is None:
            raise
        raise original from original.__cause__


def batches_in_order(images: Images, labels: np.ndarray, batch_size: int) -> tf.data.Dataset:
    """Returns all examples once, in their order, of which few batches are in memory at a time.

    Args:
        images: Images in memory, or read by index.
        labels: One of each image.
        batch_size: Examples in a batch; the last may be smaller.

    Example:
        >>> images, labels = np.zeros((5, 8, 8, 1), np.uint8), np.arange(5)
        >>> [batch[1].numpy().tolist() for batch in batches_in_order(images, labels, 2)]
        [[0, 1], [2, 3], [4]]
    """

    def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        yield from zip(in_blocks(images, batch_size), in_blocks(labels, batch_size), strict=True)

    signature = (
        tf.TensorSpec((None, *images.shape[1:]), images.dtype),
        tf.TensorSpec((None, *labels.shape[1:]), labels.dtype),
    )
    dataset = stream(batches, signature, PREFETCHED_BATCHES)
    return dataset.apply(tf.data.experimental.assert_cardinality(-(-len(images) // batch_size)))
