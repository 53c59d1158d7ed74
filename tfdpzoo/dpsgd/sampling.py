"""Poisson sampling: which examples take part in which update."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tfdpzoo.data.indexed import IndexedImages, taken
from tfdpzoo.dpsgd.augmentation import Augmentation
from tfdpzoo.dpsgd.replicas import WHOLE_SAMPLE, Share
from tfdpzoo.dpsgd.secret_key import SecretKey
from tfdpzoo.errors import InputError

if TYPE_CHECKING:
    import tensorflow as tf

    from tfdpzoo.dpsgd.plan import PrivacyPlan

_STREAM = "sampling"


class Batch(NamedTuple):
    """A sample, padded to whole chunks: examples of weight 1, then padding of weight 0."""

    images: np.ndarray
    labels: np.ndarray
    weights: np.ndarray


_NO_AUGMENTATION = Augmentation()


class PoissonBatches:
    """The samples of a plan's updates, each a pure function of the secret key and its number.

    Formal guarantee:
        At every update each example is in the sample with probability q = `plan.sampling_rate`,
        independently of all other examples and of all other updates (up to the quality of Philox as
        a source of random bits). The size of a sample varies and is never cut; it may be empty.
        This is what the Poisson-sampled Gaussian event of `tfdpzoo.privacy.accounting` assumes.

    Made by `PrivacyPlan.batches`.

    Args:
        plan: Where the sampling rate and the number of updates come from.
        images: `(examples, height, width, channels)`, as the model takes them: an array, or images
            that are read by index when they are sampled.
        labels: `(examples,)` whole numbers, or `(examples, classes)` one-hot rows.
        key: The secret that the samples are drawn from.

    Raises:
        InputError: The arrays do not fit the plan or each other, or have NaN pixels.
    """

    def __init__(
        self,
        plan: PrivacyPlan,
        images: np.ndarray | IndexedImages,
        labels: np.ndarray,
        key: SecretKey,
    ) -> None:
        images = images if isinstance(images, IndexedImages) else np.asarray(images)
        labels = np.asarray(labels)
        _require_matching(plan.examples, images, labels)
        self.plan = plan
        self.images = images
        self.labels = labels
        self.key = key

    def __len__(self) -> int:
        """The number of updates that the plan allows."""
        return self.plan.updates

    def sample(self, update: int) -> np.ndarray:
        """Returns the indices of the examples that take part in an update, in ascending order.

        Args:
            update: The number of the update, from 0.
        """
        bits = np.random.Philox(key=self.key.derive(_STREAM, update))
        uniform = np.random.Generator(bits).random(self.plan.examples)
        return np.flatnonzero(uniform < self.plan.sampling_rate)

    def batch(self, update: int, multiple: int = 1) -> Batch:
        """Returns the sample of an update, padded to a multiple of `multiple` (at least one).

        Args:
            update: The number of the update, from 0.
            multiple: The size of a physical chunk.

        Raises:
            InputError: An image that is read by index cannot be read.
        """
        return self._batch_of(self.sample(update), multiple)

    def _batch_of(self, indices: np.ndarray, multiple: int) -> Batch:
        padded = max(1, -(-len(indices) // multiple)) * multiple
        weights = np.zeros(padded, np.float32)
        weights[: len(indices)] = 1.0
        return Batch(
            taken(self.images, indices, padded), taken(self.labels, indices, padded), weights
        )

    def dataset(
        self,
        first_update: int,
        multiple: int = 1,
        augmentation: Augmentation = _NO_AUGMENTATION,
        shares: Sequence[Share] = WHOLE_SAMPLE,
    ) -> tf.data.Dataset:
        """Returns what a model is trained with, from `first_update` to the plan's last.

        Each element is `((images, draws), labels, weights)`, where `draws` are the views that
        `augmentation` drew for each image. There is one for each update and share, in this order.
        Some are made ahead, while those before them train; `tfdpzoo.data.streams.original_errors`
        raises what goes wrong in that.

        Args:
            first_update: The number of the first update; a run that goes on must not start again at
                0, since a sample that is used twice is not a Poisson sample.
            multiple: The size of a physical chunk.
            augmentation: Which views of each image are drawn.
            shares: The parts of each sample that the replicas of this process take.
        """
        import tensorflow as tf

        from tfdpzoo.data.streams import PREFETCHED_BATCHES, stream

        def elements() -> Iterator[tuple]:
            for update in range(first_update, self.plan.updates):
                sample = self.sample(update)
                for share in shares:
                    indices = share.of(sample)
                    images, labels, weights = self._batch_of(indices, multiple)
                    drawn = augmentation.draw(self.key, update, indices)
                    draws = taken(drawn, np.arange(len(drawn)), len(weights))
                    yield (images, draws), labels, weights

        signature = (
            (
                tf.TensorSpec((None, *self.images.shape[1:]), self.images.dtype),
                tf.TensorSpec((None, augmentation.multiplicity, 3), tf.int32),
            ),
            tf.TensorSpec((None, *self.labels.shape[1:]), self.labels.dtype),
            tf.TensorSpec((None,), tf.float32),
        )
        return stream(elements, signature, PREFETCHED_BATCHES * len(shares))


def _require_matching(
    examples: int, images: np.ndarray | IndexedImages, labels: np.ndarray
) -> None:
    if len(images) != examples:
        raise InputError(
            f"The plan is for {examples} examples but there are {len(images)} images; "
            "calibrate a plan with the number of images that you train on."
        )
    if images.dtype.kind not in "uif":
        raise InputError(f"The images are of the type {images.dtype}; numbers are needed.")
    if labels.dtype.kind not in "uifb" or not np.isfinite(labels).all():
        raise InputError(
            f"The labels (type {labels.dtype}) must be whole numbers from 0 on, or one-hot rows."
        )
    if labels.dtype.kind == "f" and labels.ndim == 1 and (labels != np.floor(labels)).any():
        raise InputError("The labels are not whole numbers; a label is the number of a class.")
    if len(labels) != len(images):
        raise InputError(f"There are {len(images)} images but {len(labels)} labels.")
    if len(images.shape) != 4:
        raise InputError(
            f"The images have shape {images.shape}; (examples, height, width, channels) is needed."
        )
    if isinstance(images, IndexedImages):
        return  # Bytes are finite.
    if np.issubdtype(images.dtype, np.floating) and not np.isfinite(images).all():
        broken = int(np.flatnonzero(~np.isfinite(images).all(axis=(1, 2, 3)))[0])
        raise InputError(f"Image {broken} has NaN or infinite pixels; mend or leave it out.")
