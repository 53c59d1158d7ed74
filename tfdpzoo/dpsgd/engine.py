"""Two ways to the same clipped sum of one chunk of examples."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import keras
import tensorflow as tf

from tfdpzoo.dpsgd.clipping import clip_and_sum
from tfdpzoo.dpsgd.losses import PerExampleLoss
from tfdpzoo.dpsgd.per_example import Differentiate, differentiate
from tfdpzoo.errors import unknown_name

ENGINES = ("fast", "tf-privacy")


class ChunkResult(NamedTuple):
    """What an engine makes of one chunk.

    Attributes:
        gradients: The sum of clipped gradients, one tensor for each trainable variable.
        discarded: How many examples contribute nothing because their gradient is not finite.
        predictions: `(B, ...)`.
        losses: `(B,)`.
    """

    gradients: list[tf.Tensor]
    discarded: tf.Tensor
    predictions: tf.Tensor
    losses: tf.Tensor


class Engine(Protocol):
    """Computes clipped sums; everything else of the private step is the same for all engines."""

    model: keras.Model

    def __call__(self, images: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor) -> ChunkResult:
        """Returns the result for one chunk; `weights` is 1 for an example and 0 for padding."""


class FastEngine:
    """One forward and one backward pass with a local rule for each layer (the default).

    Attributes:
        differentiate: How per-example gradients are computed; `validate` may set it to the generic
            way for a model that the rules do not cover.
    """

    def __init__(self, model: keras.Model, loss: PerExampleLoss, clip_norm: float) -> None:
        self.model = model
        self.loss = loss
        self.clip_norm = clip_norm
        self.differentiate: Differentiate = differentiate

    def __call__(self, images: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor) -> ChunkResult:
        """Returns the result for one chunk."""
        batch = self.differentiate(self.model, self.loss, images, labels)
        clipped = clip_and_sum(batch.gradients, weights, self.clip_norm)
        return ChunkResult(clipped.gradients, clipped.discarded, batch.predictions, batch.losses)


class TFPrivacyEngine:
    """TF-Privacy's own gradient path: the reference, for small batches.

    It differentiates the loss vector with `tape.jacobian`; time and memory grow with the square of
    the chunk.
    """

    def __init__(
        self, model: keras.Model, loss: PerExampleLoss, optimizer: keras.optimizers.Optimizer
    ) -> None:
        self.model = model
        self.loss = loss
        self.optimizer = optimizer

    def __call__(self, images: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor) -> ChunkResult:
        """Returns the result for one chunk."""
        predictions = self.model(images, training=True)
        losses = self.loss(labels, predictions)
        together = self._clipped_sum(images, labels, weights)
        finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(total)) for total in together])
        # A gradient that is not finite spoils TF-Privacy's sum: then go through the chunk one by
        # one.
        gradients, discarded = tf.cond(
            finite,
            lambda: (together, tf.constant(0)),
            lambda: self._sum_of_finite(images, labels, weights),
        )
        return ChunkResult(list(gradients), discarded, predictions, losses)

    def _clipped_sum(
        self, images: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor
    ) -> list[tf.Tensor]:
        variables = [variable.value for variable in self.model.trainable_variables]

        def losses() -> tf.Tensor:
            return self.loss(labels, self.model(images, training=True)) * weights

        means = self.optimizer._compute_gradients(losses, variables)
        examples = tf.cast(tf.shape(images)[0], tf.float32)
        return [mean * examples for mean, _ in means]

    def _sum_of_finite(
        self, images: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor
    ) -> tuple[list[tf.Tensor], tf.Tensor]:
        def add_example(index: tf.Tensor, totals: list, discarded: tf.Tensor) -> tuple:
            row = slice(index, index + 1)
            gradients = self._clipped_sum(images[row], labels[row], weights[row])
            finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(g)) for g in gradients])
            kept = tf.logical_and(finite, weights[index] > 0)
            totals = [
                total + tf.where(kept, gradient, tf.zeros_like(gradient))
                for total, gradient in zip(totals, gradients, strict=True)
            ]
            broken = tf.logical_and(tf.logical_not(finite), weights[index] > 0)
            return index + 1, totals, discarded + tf.cast(broken, tf.int32)

        start = [tf.zeros(variable.shape) for variable in self.model.trainable_variables]
        _, totals, discarded = tf.while_loop(
            lambda index, *_: index < tf.shape(images)[0],
            add_example,
            (tf.constant(0), start, tf.constant(0)),
            parallel_iterations=1,
        )
        return totals, discarded


def make_engine(
    name: str,
    model: keras.Model,
    loss: PerExampleLoss,
    clip_norm: float,
    optimizer: keras.optimizers.Optimizer,
) -> Engine:
    """Returns the engine called `name`, one of `ENGINES`.

    Raises:
        InputError: There is no such engine.
    """
    if name == "fast":
        return FastEngine(model, loss, clip_norm)
    if name == "tf-privacy":
        return TFPrivacyEngine(model, loss, optimizer)
    raise unknown_name("engine", name, ENGINES)
