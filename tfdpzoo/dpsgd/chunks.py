"""The loop over physical chunks: any batch in the memory of one chunk."""

from __future__ import annotations

import keras
import tensorflow as tf

from tfdpzoo.dpsgd.augmentation import Augmentation
from tfdpzoo.dpsgd.engine import ChunkResult, Engine
from tfdpzoo.dpsgd.own_graph import in_own_graph

_NO_AUGMENTATION = Augmentation()


def sum_over_chunks(
    engine: Engine,
    images: tf.Tensor,
    labels: tf.Tensor,
    weights: tf.Tensor,
    chunk: int,
    augmentation: Augmentation = _NO_AUGMENTATION,
    draws: tf.Tensor | None = None,
) -> ChunkResult:
    """Adds up an engine's results over consecutive chunks, in the graph.

    Formal guarantee:
        The sum is over all examples of weight 1, each clipped on its own; the size of the chunks
        changes it by rounding only.

    Args:
        engine: Gives the clipped sum of one chunk.
        images: `(P, ...)` of any type of number; P is any number, also zero.
        labels: `(P, ...)`.
        weights: `(P,)`, 1 for an example and 0 for padding.
        chunk: How many examples are differentiated at once; the last chunk may be smaller.
        augmentation: Which views of an example the engine is given instead of the example.
        draws: `(P, multiplicity, 3)`, the views that were drawn; needed where views differ.

    Returns:
        The sums over all chunks, and the predictions, losses and norms of the P rows.
    """
    result_of = in_own_graph(engine.__call__)
    rows = tf.shape(images)[0]
    if draws is None:
        draws = tf.zeros((rows, augmentation.multiplicity, 3), tf.int32)
    images, labels, weights, draws = (
        _at_least_one_row(values, rows) for values in (images, labels, weights, draws)
    )

    def examples_from(first: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        chosen = slice(first, first + chunk)
        # A chunk at a time: as float32 a batch of pixels is four times as large.
        pixels = tf.cast(images[chosen], tf.float32)
        views = augmentation.views(pixels, draws[chosen])
        return views, augmentation.per_view(labels[chosen]), weights[chosen]

    def add_chunk(first: tf.Tensor, sums: list, discarded: tf.Tensor, outputs: tuple) -> tuple:
        result = result_of(*examples_from(first))
        sums = [total + part for total, part in zip(sums, result.gradients, strict=True)]
        parts = (result.predictions, result.losses, result.norms)
        outputs = tuple(
            array.write(first // chunk, tf.cast(part, tf.float32))
            for array, part in zip(outputs, parts, strict=True)
        )
        return first + chunk, sums, discarded + result.discarded, outputs

    zeros = [tf.zeros(variable.shape) for variable in engine.model.trainable_variables]
    # A subclassed model need not know its output's shape, but Keras can trace it.
    row = keras.KerasTensor((None, *images.shape[1:]))
    predicted = engine.model.compute_output_spec(row).shape
    arrays = tuple(
        tf.TensorArray(
            tf.float32, -(-tf.shape(images)[0] // chunk), infer_shape=False, element_shape=shape
        )
        for shape in (tuple(predicted), (None,), (None,))
    )
    _, sums, discarded, outputs = tf.while_loop(
        lambda first, *_: first < tf.shape(images)[0],
        add_chunk,
        (tf.constant(0), zeros, tf.constant(0), arrays),
        parallel_iterations=1,
    )
    return ChunkResult(sums, discarded, *(array.concat()[:rows] for array in outputs))


def _at_least_one_row(values: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Makes a row of zeros of nothing, so that an empty sample goes through the same graph."""
    zeros = tf.zeros((1, *values.shape[1:]), values.dtype)
    return tf.cond(rows > 0, lambda: tf.identity(values), lambda: zeros)
