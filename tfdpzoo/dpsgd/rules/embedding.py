"""Rule of the embedding: each position adds its gradient to the row that it looked up."""

from __future__ import annotations

import dataclasses

import keras
import tensorflow as tf

from tfdpzoo.dpsgd.gradients import PerExampleGradient, RowGradients
from tfdpzoo.dpsgd.rules.registry import register_rule


@register_rule(keras.layers.Embedding)
def embedding_rule(
    layer: keras.layers.Embedding, inputs: tf.Tensor, output_gradients: tf.Tensor
) -> list[RowGradients]:
    """The gradient is that of a dense layer on one-hot rows, which are formed only for norms."""
    positions = output_gradients.shape[1:-1].num_elements()
    indices = tf.reshape(tf.cast(inputs, tf.int32), (-1, positions))
    columns = tf.reshape(output_gradients, (-1, positions, layer.output_dim))
    return [LookedUpRows(indices, columns, layer.input_dim)]


@dataclasses.dataclass(frozen=True)
class LookedUpRows:
    """Gradients of a table from whose rows each example took some.

    Attributes:
        indices: `(B, positions)`, which row was taken.
        columns: `(B, positions, output_dim)`, the gradient at what was taken.
        rows: How many rows the table has.
    """

    indices: tf.Tensor
    columns: tf.Tensor
    rows: int

    def of_examples(self, views: int) -> PerExampleGradient:
        """Returns the sums over views."""
        positions, width = self.columns.shape[1:]
        joined = views * positions
        indices = tf.reshape(self.indices, (-1, joined))
        return LookedUpRows(indices, tf.reshape(self.columns, (-1, joined, width)), self.rows)

    def squared_norms(self) -> tf.Tensor:
        """Returns the squared norms, `(B,)`: positions that took the same row add up first."""
        same = tf.cast(self.indices[:, :, None] == self.indices[:, None, :], tf.float32)
        added = tf.matmul(same, self.columns)
        share = 1.0 / tf.reduce_sum(same, axis=2, keepdims=True)
        return tf.reduce_sum(share * tf.square(added), axis=(1, 2))

    def weighted_sum(self, weights: tf.Tensor) -> tf.Tensor:
        """Returns the weighted sum, `(rows, output_dim)`."""
        columns = tf.reshape(self.columns * weights[:, None, None], (-1, self.columns.shape[-1]))
        return tf.math.unsorted_segment_sum(columns, tf.reshape(self.indices, (-1,)), self.rows)

    def instantiate(self) -> tf.Tensor:
        """Returns the tables themselves, `(B, rows, output_dim)`."""
        taken = tf.one_hot(self.indices, self.rows)
        return tf.matmul(taken, self.columns, transpose_a=True)

    def where(self, keep: tf.Tensor) -> LookedUpRows:
        """Returns the gradients with zeros where `keep` is false."""
        kept = tf.where(keep[:, None, None], self.columns, tf.zeros_like(self.columns))
        return LookedUpRows(self.indices, kept, self.rows)
