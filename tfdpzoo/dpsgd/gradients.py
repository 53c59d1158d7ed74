"""Per-example gradients of one variable, in the form that is cheapest to clip and to sum.

Clipping needs two things of a variable's per-example gradients: their squared norms, and, once all
norms are known, their weighted sum. Neither needs the gradients themselves where they factorise.
"""

from __future__ import annotations

import dataclasses
from typing import Protocol

import tensorflow as tf

from tfdpzoo.dpsgd.norms import squared_norms


class RowGradients(Protocol):
    """The gradients of one variable, one for each row that a layer was called with."""

    def of_examples(self, views: int) -> PerExampleGradient:
        """Returns the gradients of examples, each the sum over `views` consecutive rows."""


class PerExampleGradient(RowGradients, Protocol):
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

    def of_examples(self, views: int) -> Instantiated:
        """Returns the sums over views."""
        if views == 1:
            return self
        return Instantiated(tf.reduce_sum(_group_views(self.values, views), axis=1))

    def squared_norms(self) -> tf.Tensor:
        """Returns the squared norms, `(B,)`."""
        return squared_norms(_flatten_examples(self.values))

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

    def of_examples(self, views: int) -> PerExampleGradient:
        """Returns the sums over views."""
        if views == 1:
            return self
        shape = (self.left.shape[-1], self.right.shape[-1])
        return PositionProducts(self.left[:, None], self.right[:, None], shape).of_examples(views)

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


@dataclasses.dataclass(frozen=True)
class PositionProducts:
    """Gradients that are sums of outer products over positions, as those of a convolution.

    Attributes:
        left: `(rows, positions, inputs)`, for a convolution its patches.
        right: `(rows, positions, outputs)`.
        shape: The variable's shape, of `inputs * outputs` elements.
    """

    left: tf.Tensor
    right: tf.Tensor
    shape: tuple[int, ...]

    def of_examples(self, views: int) -> PerExampleGradient:
        """Returns the gradients in the form that costs less to clip and to sum."""
        left, right = _join_views(self.left, views), _join_views(self.right, views)
        if gram_is_cheaper(left.shape[1], left.shape[2], right.shape[2]):
            return GramProducts(left, right, self.shape)
        products = tf.matmul(left, right, transpose_a=True)
        return Instantiated(tf.reshape(products, (-1, *self.shape)))


def gram_is_cheaper(positions: int, inputs: int, outputs: int) -> bool:
    """Tells by counted cost whether norms from Gram matrices beat forming the gradients.

    Both ways take `positions * inputs * outputs` multiplications for products. Forming the
    gradients moves `inputs * outputs` numbers through memory, in and out; the Gram matrices take
    `positions ** 2 * (inputs + outputs)` multiplications in float64.

    Example:
        >>> gram_is_cheaper(positions=16, inputs=2304, outputs=256)
        True
        >>> gram_is_cheaper(positions=1024, inputs=27, outputs=64)
        False
    """
    of_gram = _COST_OF_DOUBLE * positions**2 * (inputs + outputs)
    return of_gram < _COST_OF_MEMORY * inputs * outputs


# In multiplications of float32; measured for 64 examples on two cores, see docs/engine.md.
_COST_OF_DOUBLE = 2
_COST_OF_MEMORY = 5

ROUNDING = 2.0**-20
"""More than what float32 rounds in a sum of products, relative to the sum of their lengths."""


@dataclasses.dataclass(frozen=True)
class GramProducts:
    """Sums of outer products that are never formed ("ghost" norms).

    The squared norm of `sum_t left_t (x) right_t` is the sum over pairs of positions of
    `(left_s . left_t)(right_s . right_t)` (Goodfellow 2015, arXiv 1510.01799; for convolutions
    Bu et al. 2022, arXiv 2205.10683).

    Where positions cancel, the small result of a large sum is mostly rounding, and the weighted sum
    rounds in another way than the norm. An example could then be clipped by a norm that is shorter
    than what it adds. So the Gram matrices are in float64, and the norm is made longer by what
    float32 may round in the sum: no example adds more than its clipped norm.

    Attributes:
        left: `(B, positions, inputs)`.
        right: `(B, positions, outputs)`.
        shape: The variable's shape.
    """

    left: tf.Tensor
    right: tf.Tensor
    shape: tuple[int, ...]

    def of_examples(self, views: int) -> PerExampleGradient:
        """Returns the sums over views."""
        if views == 1:
            return self
        left, right = _join_views(self.left, views), _join_views(self.right, views)
        return GramProducts(left, right, self.shape)

    def squared_norms(self) -> tf.Tensor:
        """Returns the squared norms, `(B,)`, rounded up."""
        left, right = tf.cast(self.left, tf.float64), tf.cast(self.right, tf.float64)
        grams = tf.matmul(left, left, transpose_b=True) * tf.matmul(right, right, transpose_b=True)
        squares = tf.nn.relu(tf.reduce_sum(grams, axis=(1, 2)))
        lengths = tf.norm(left, axis=2) * tf.norm(right, axis=2)
        rounding = ROUNDING * tf.reduce_sum(lengths, axis=1)
        return tf.cast(tf.square(tf.sqrt(squares) + rounding), tf.float32)

    def weighted_sum(self, weights: tf.Tensor) -> tf.Tensor:
        """Returns the weighted sum as one product over examples and positions."""
        rows = tf.reshape(self.left, (-1, self.left.shape[-1]))
        columns = tf.reshape(self.right * weights[:, None, None], (-1, self.right.shape[-1]))
        return tf.reshape(tf.matmul(rows, columns, transpose_a=True), self.shape)

    def instantiate(self) -> tf.Tensor:
        """Returns the sums of outer products, `(B, *shape)`."""
        products = tf.matmul(self.left, self.right, transpose_a=True)
        return tf.reshape(products, (-1, *self.shape))

    def where(self, keep: tf.Tensor) -> GramProducts:
        """Returns the gradients with zeros where `keep` is false."""
        left, right = _where_example(keep, self.left), _where_example(keep, self.right)
        return GramProducts(left, right, self.shape)


@dataclasses.dataclass(frozen=True)
class Transposed:
    """Gradients whose axes are in another order than the variable's.

    Norms do not care for the order, and the sum of all examples is put right at once.

    Attributes:
        rows: The gradients.
        order: For each axis of the variable, which axis of the gradients it is.
    """

    rows: RowGradients
    order: tuple[int, ...]

    def of_examples(self, views: int) -> PerExampleGradient:
        """Returns the sums over views."""
        return TransposedExamples(self.rows.of_examples(views), self.order)


@dataclasses.dataclass(frozen=True)
class TransposedExamples(Transposed):
    """The same, one for each example."""

    rows: PerExampleGradient

    def squared_norms(self) -> tf.Tensor:
        """Returns the squared norms, `(B,)`."""
        return self.rows.squared_norms()

    def weighted_sum(self, weights: tf.Tensor) -> tf.Tensor:
        """Returns the weighted sum, in the variable's shape."""
        return tf.transpose(self.rows.weighted_sum(weights), self.order)

    def instantiate(self) -> tf.Tensor:
        """Returns the gradients, `(B, *variable.shape)`."""
        return tf.transpose(self.rows.instantiate(), (0, *(1 + axis for axis in self.order)))

    def where(self, keep: tf.Tensor) -> TransposedExamples:
        """Returns the gradients with zeros where `keep` is false."""
        return TransposedExamples(self.rows.where(keep), self.order)


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


def _group_views(values: tf.Tensor, views: int) -> tf.Tensor:
    """From rows `(B * views, ...)` to `(B, views, ...)`."""
    return tf.reshape(values, (-1, views, *values.shape[1:]))


def _join_views(values: tf.Tensor, views: int) -> tf.Tensor:
    """From `(B * views, positions, size)` to `(B, views * positions, size)`."""
    positions, size = values.shape[1:]
    return tf.reshape(values, (-1, views * positions, size))


def _flatten_examples(values: tf.Tensor) -> tf.Tensor:
    size = values.shape[1:].num_elements()
    return tf.reshape(values, (tf.shape(values)[0], size))


def _where_example(keep: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    shape = tf.concat([tf.shape(keep), tf.ones(tf.rank(values) - 1, tf.int32)], axis=0)
    return tf.where(tf.reshape(keep, shape), values, tf.zeros_like(values))
