"""Two ways to the same clipped sum of one chunk of examples."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import keras
import tensorflow as tf

from tfdpzoo.dpsgd.clipping import clip_and_sum
from tfdpzoo.dpsgd.execution import ENGINES
from tfdpzoo.dpsgd.losses import PerExampleLoss, mean_of_views
from tfdpzoo.dpsgd.norms import outside_xla
from tfdpzoo.dpsgd.own_graph import in_own_graph
from tfdpzoo.dpsgd.per_example import Differentiate, differentiate
from tfdpzoo.errors import unknown_name


class ChunkResult(NamedTuple):
    """What an engine makes of one chunk.

    Attributes:
        gradients: The sum of clipped gradients, one tensor for each trainable variable.
        discarded: How many examples contribute nothing because their gradient is not finite.
        predictions: `(B, ...)`.
        losses: `(B,)`.
        norms: `(B,)`, of each example's gradient over all variables before clipping; NaN where
            the engine does not tell.
    """

    gradients: list[tf.Tensor]
    discarded: tf.Tensor
    predictions: tf.Tensor
    losses: tf.Tensor
    norms: tf.Tensor


class Engine(Protocol):
    """Computes clipped sums; everything else of the private step is the same for all engines."""

    model: keras.Model
    loss: PerExampleLoss
    views: int

    def __call__(self, images: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor) -> ChunkResult:
        """Returns the result for one chunk of B examples.

        Args:
            images: `(B * views, ...)`; the views of an example are neighbours.
            labels: `(B * views, ...)`.
            weights: `(B,)`, 1 for an example and 0 for padding.
        """


class FastEngine:
    """One forward and one backward pass with a local rule for each layer (the default).

    Attributes:
        differentiate: How per-example gradients are computed; `validate` may set it to the generic
            way for a model that the rules do not cover.
    """

    def __init__(
        self, model: keras.Model, loss: PerExampleLoss, clip_norm: float, views: int = 1
    ) -> None:
        self.model = model
        self.loss = loss
        self.clip_norm = clip_norm
        self.views = views
        self.differentiate: Differentiate = differentiate

    def __call__(self, images: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor) -> ChunkResult:
        """Returns the result for one chunk."""
        batch = self.differentiate(self.model, self.loss, images, labels, views=self.views)
        clipped = clip_and_sum(batch.gradients, weights, self.clip_norm)
        return ChunkResult(
            clipped.gradients, clipped.discarded, batch.predictions, batch.losses, clipped.norms
        )


class TFPrivacyEngine:
    """TF-Privacy's own gradient path: the reference, for small batches.

    It differentiates the loss vector with `tape.jacobian`; time and memory grow with the square of
    the chunk.
    """

    def __init__(
        self,
        model: keras.Model,
        loss: PerExampleLoss,
        optimizer: keras.optimizers.Optimizer,
        views: int = 1,
    ) -> None:
        self.model = model
        self.loss = loss
        self.optimizer = optimizer
        self.views = views

    def __call__(self, images: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor) -> ChunkResult:
        """Returns the result for one chunk."""
        predictions = self.model(images, training=True)
        losses = mean_of_views(self.loss(labels, predictions), self.views)
        together = self._clipped_sum(images, labels, weights)
        finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(total)) for total in together])
        # A gradient that is not finite spoils TF-Privacy's sum: then go through the chunk one by
        # one.
        gradients, discarded = tf.cond(
            finite,
            lambda: (together, tf.constant(0)),
            lambda: self._sum_of_finite(images, labels, weights),
        )
        unknown = tf.fill(tf.shape(weights), float("nan"))
        return ChunkResult(list(gradients), discarded, predictions[:: self.views], losses, unknown)

    def _clipped_sum(
        self, images: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor
    ) -> list[tf.Tensor]:
        variables = [variable.value for variable in self.model.trainable_variables]

        def losses() -> tf.Tensor:
            of_views = self.loss(labels, self.model(images, training=True))
            return mean_of_views(of_views, self.views) * weights

        means = self.optimizer._compute_gradients(losses, variables)
        examples = tf.cast(tf.shape(weights)[0], tf.float32)
        return [mean * examples for mean, _ in means]

    def _sum_of_finite(
        self, images: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor
    ) -> tuple[list[tf.Tensor], tf.Tensor]:
        clipped_sum = in_own_graph(self._clipped_sum)

        def add_example(index: tf.Tensor, totals: list, discarded: tf.Tensor) -> tuple:
            rows = slice(index * self.views, (index + 1) * self.views)
            gradients = clipped_sum(images[rows], labels[rows], weights[index : index + 1])
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
            lambda index, *_: index < tf.shape(weights)[0],
            add_example,
            (tf.constant(0), start, tf.constant(0)),
            parallel_iterations=1,
        )
        return totals, discarded


class UncompiledEngine:
    """An engine whose operations run one by one, and may be such as XLA does not know."""

    def __init__(self, engine: Engine) -> None:
        self.model, self.loss, self.views = engine.model, engine.loss, engine.views
        self._engine = engine

    def __call__(self, images: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor) -> ChunkResult:
        """Returns the result for one chunk."""
        with outside_xla():
            return self._engine(images, labels, weights)


class CompiledEngine:
    """An engine whose work on a chunk is compiled by XLA.

    Only this is compiled: noise is drawn outside, since XLA makes other normal numbers of the same
    bits, and an update that is repeated after a crash must have the same noise.
    """

    def __init__(self, engine: Engine) -> None:
        self.model, self.loss, self.views = engine.model, engine.loss, engine.views
        self._compiled = tf.function(engine.__call__, jit_compile=True, autograph=False)

    def __call__(self, images: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor) -> ChunkResult:
        """Returns the result for one chunk."""
        return self._compiled(images, labels, weights)


def make_engine(
    name: str,
    model: keras.Model,
    loss: PerExampleLoss,
    clip_norm: float,
    optimizer: keras.optimizers.Optimizer,
    views: int = 1,
) -> Engine:
    """Returns the engine called `name`, one of `ENGINES`.

    Raises:
        InputError: There is no such engine.
    """
    if name == "fast":
        return FastEngine(model, loss, clip_norm, views)
    if name == "tf-privacy":
        return TFPrivacyEngine(model, loss, optimizer, views)
    raise unknown_name("engine", name, ENGINES)
