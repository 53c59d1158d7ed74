"""The loop over physical chunks: any batch in the memory of one chunk."""

from __future__ import annotations

import tensorflow as tf

from tfdpzoo.dpsgd.engine import ChunkResult, Engine


def sum_over_chunks(
    engine: Engine, images: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor, chunk: int
) -> ChunkResult:
    """Adds up an engine's results over consecutive chunks, in the graph.

    Formal guarantee:
        The sum is over all examples of weight 1, each clipped on its own; the size of the chunks
        changes it by rounding only.

    Args:
        engine: Gives the clipped sum of one chunk.
        images: `(P, ...)`; P is any number, also zero, and is padded to whole chunks here.
        labels: `(P, ...)`.
        weights: `(P,)`, 1 for an example and 0 for padding.
        chunk: How many examples are differentiated at once.

    Returns:
        The sums over all chunks, and the predictions and losses of the P rows.
    """
    rows = tf.shape(images)[0]
    images, labels, weights = (
        _pad_rows(values, rows, chunk) for values in (images, labels, weights)
    )
    number = tf.shape(images)[0] // chunk

    def rows_of(values: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
        part = values[index * chunk : (index + 1) * chunk]
        return tf.ensure_shape(part, (chunk, *values.shape[1:]))

    def add_chunk(index: tf.Tensor, sums: list, discarded: tf.Tensor, outputs: tuple) -> tuple:
        result = engine(rows_of(images, index), rows_of(labels, index), rows_of(weights, index))
        sums = [total + part for total, part in zip(sums, result.gradients, strict=True)]
        parts = (result.predictions, result.losses)
        outputs = tuple(
            array.write(index, tf.cast(part, tf.float32))
            for array, part in zip(outputs, parts, strict=True)
        )
        return index + 1, sums, discarded + result.discarded, outputs

    zeros = [tf.zeros(variable.shape) for variable in engine.model.trainable_variables]
    predicted = tuple(engine.model.compute_output_shape((chunk, *images.shape[1:])))
    arrays = tuple(
        tf.TensorArray(tf.float32, size=number, element_shape=shape)
        for shape in (predicted, (chunk,))
    )
    _, sums, discarded, (predictions, losses) = tf.while_loop(
        lambda index, *_: index < number,
        add_chunk,
        (tf.constant(0), zeros, tf.constant(0), arrays),
        parallel_iterations=1,
    )
    return ChunkResult(sums, discarded, predictions.concat()[:rows], losses.concat()[:rows])


def _pad_rows(values: tf.Tensor, rows: tf.Tensor, chunk: int) -> tf.Tensor:
    # At least one chunk, so that an empty sample goes through the same graph.
    missing = tf.maximum(-(-rows // chunk), 1) * chunk - rows
    return tf.pad(values, [[0, missing]] + [[0, 0]] * (values.shape.rank - 1))
