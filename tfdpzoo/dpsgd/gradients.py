"""Per-example gradients of one variable, in the form that is cheapest to clip and to sum.

Clipping needs two things of a variable's per-example gradients: their squared norms, and, once all
norms are known, their weighted sum. Neither needs the gradients themselves where they factorise.
"""

from __future__ import annotations

import dataclasses
from typing import Protocol

import tensorflow as tf


class PerExampleGradient(Protocol):
    """The gradients of one variable, one for each of B examples."""

    def squared_norms(self) -> tf.Tensor:
        """Returns the squared Euclidean norm of each example's gradient, shape `(B,)`."""

    def weighted_sum(self, weights: tf.Tensor) -> tf.Tensor:
        """Returns the sum over examples of weight times gradient, in the variable's shape."""

    def instantiate(self) -> tf.Tensor:
        """Returns the gradients themselves, shape `(B, *variable.shape)`."""

    def where(self, keep: tf.Tensor) -> PerExampleGradient:
        """Returns the same gradients with exact zeros for the examples where `keep` is false."""


@dataclasses.dataclass(frozen=True)
class Instantiated:
    """Gradients held as one tensor `(B, *variable.shape)`."""

    values: tf.Tensor

    def squared_norms(self) -> tf.Tensor:
        """Returns the squared norms, `(B,)`."""
        flat = _flatten_examples(self.values)
        return tf.reduce_sum(tf.square(flat), axis=1)

    def weighted_sum(self, weights: tf.Tensor) -> tf.Tensor:
        """Returns the weighted sum as one matrix-vector product."""
        flat = _flatten_examples(self.values)
        total = tf.linalg.matvec(flat, weights, transpose_a=True)
        return tf.reshape(total, tf.shape(self.values)[1:])

    def instantiate(self) -> tf.Tensor:
        """Returns the values."""
        return self.values

    def where(self, keep: tf.Tensor) -> Instantiated:
        """Returns the gradients with zeros where `keep` is false."""
        return Instantiated(_where_example(keep, self.values))


@dataclasses.dataclass(frozen=True)
class OuterProduct:
    """Gradients that are outer products, as those of a dense layer's kernel on vectors.

    The norm of an outer product is the product of the norms (Goodfellow 2015, arXiv 1510.01799),
    and the weighted sum is one matrix product, so the gradients are never formed.

    Attributes:
        left: `(B, inputs)`.
        right: `(B, outputs)`.
    """

    left: tf.Tensor
    right: tf.Tensor

    def squared_norms(self) -> tf.Tensor:
        """Returns the squared norms, `(B,)`."""
        return tf.square(_scaled_norms(self.left) * _scaled_norms(self.right))

    def weighted_sum(self, weights: tf.Tensor) -> tf.Tensor:
        """Returns the weighted sum, `(inputs, outputs)`."""
        return tf.matmul(self.left, self.right * weights[:, None], transpose_a=True)

    def instantiate(self) -> tf.Tensor:
        """Returns the outer products, `(B, inputs, outputs)`."""
        return self.left[:, :, None] * self.right[:, None, :]

    def where(self, keep: tf.Tensor) -> OuterProduct:
        """Returns the gradients with zeros where `keep` is false."""
        return OuterProduct(_where_example(keep, self.left), _where_example(keep, self.right))


def total(gradients: list[PerExampleGradient]) -> PerExampleGradient:
    """Adds the gradients that one variable receives from several uses."""
    if len(gradients) == 1:
        return gradients[0]
    return Instantiated(tf.add_n([gradient.instantiate() for gradient in gradients]))


def _scaled_norms(rows: tf.Tensor) -> tf.Tensor:
    """Norms `(B,)` whose squares neither underflow nor overflow.

    The product of a norm that was lost to underflow and a huge one would read 0, and its example
    would not be clipped.
    """
    largest = tf.reduce_max(tf.abs(rows), axis=1, keepdims=True)
    scaled = tf.math.divide_no_nan(rows, largest)
    return largest[:, 0] * tf.norm(scaled, axis=1)


def _flatten_examples(values: tf.Tensor) -> tf.Tensor:
    size = values.shape[1:].num_elements()
    return tf.reshape(values, (tf.shape(values)[0], size))


def _where_example(keep: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    shape = tf.concat([tf.shape(keep), tf.ones(tf.rank(values) - 1, tf.int32)], axis=0)
    return tf.where(tf.reshape(keep, shape), values, tf.zeros_like(values))
