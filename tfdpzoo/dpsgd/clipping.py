"""Clipping of per-example gradients and their sum."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from tfdpzoo.dpsgd.gradients import PerExampleGradient


class ClippedSum(NamedTuple):
    """A sum of clipped gradients.

    Attributes:
        gradients: One tensor for each trainable variable, in its shape.
        norms: `(B,)`, each example's norm over all variables, before clipping.
        discarded: How many examples were left out because their gradient was not finite.
    """

    gradients: list[tf.Tensor]
    norms: tf.Tensor
    discarded: tf.Tensor


def clip_factors(norms: tf.Tensor, clip_norm: float) -> tf.Tensor:
    """Returns what to multiply gradients by so that no norm is above `clip_norm`.

    A norm that is not finite (NaN, infinite, or too large to be squared) gives 0.

    Example:
        >>> clip_factors(tf.constant([0.5, 4.0, float("inf"), float("nan")]), 2.0).numpy().tolist()
        [1.0, 0.5, 0.0, 0.0]
    """
    factors = 1.0 / tf.maximum(norms / clip_norm, 1.0)
    return tf.where(tf.math.is_finite(norms), factors, tf.zeros_like(factors))


def clip_and_sum(
    gradients: list[PerExampleGradient], weights: tf.Tensor, clip_norm: float
) -> ClippedSum:
    """Clips each example's gradient over all variables together, and adds them up.

    Formal guarantee:
        If row i of every gradient depends on example i alone, adding or removing one example, or
        setting its weight from 1 to 0, moves the returned sum by at most `clip_norm` in Euclidean
        norm (up to float32 rounding). An example whose gradient is not finite contributes exact
        zeros, whatever its values are, and so does an example of weight 0.

    Args:
        gradients: One entry for each trainable variable.
        weights: `(B,)`, 1 for an example and 0 for padding.
        clip_norm: C, the largest Euclidean norm.
    """
    norms = tf.sqrt(tf.add_n([gradient.squared_norms() for gradient in gradients]))
    # One row for each example: more rows than examples would each be clipped to C.
    tf.debugging.assert_equal(tf.shape(norms), tf.shape(weights))
    norms = tf.ensure_shape(norms, weights.shape)
    kept = tf.logical_and(tf.math.is_finite(norms), weights > 0)
    factors = tf.where(kept, clip_factors(norms, clip_norm), tf.zeros_like(norms)) * weights

    # 0 * inf is NaN: a broken example must be cut out of the tensors, not multiplied by zero. That
    # costs a pass over all of them, so it is done only when there is one.
    sums = tf.cond(
        tf.reduce_all(tf.math.is_finite(norms)),
        lambda: [gradient.weighted_sum(factors) for gradient in gradients],
        lambda: [gradient.where(kept).weighted_sum(factors) for gradient in gradients],
    )
    broken = tf.logical_and(tf.logical_not(tf.math.is_finite(norms)), weights > 0)
    return ClippedSum(list(sums), norms, tf.reduce_sum(tf.cast(broken, tf.int32)))
