"""Poisson sampling: which examples take part in which update."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tfdpzoo.dpsgd.augmentation import Augmentation
from tfdpzoo.dpsgd.replicas import WHOLE_SAMPLE, Share
from tfdpzoo.dpsgd.secret_key import SecretKey
from tfdpzoo.errors import InputError

if TYPE_CHECKING:
    import tensorflow as tf

    from tfdpzoo.dpsgd.plan import PrivacyPlan

_STREAM = "sampling"
_PREFETCHED_BATCHES = 2
# In bytes, that of Eigen's tensors.
_ALIGNMENT = 64


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
        images: `(examples, height, width, channels)`, as the model takes them.
        labels: `(examples,)` whole numbers, or `(examples, classes)` one-hot rows.
        key: The secret that the samples are drawn from.

    Raises:
        InputError: The arrays do not fit the plan or each other, or have NaN pixels.
    """

    def __init__(
        self, plan: PrivacyPlan, images: np.ndarray, labels: np.ndarray, key: SecretKey
    ) -> None:
        images, labels = np.asarray(images), np.asarray(labels)
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
        """
        return self._batch_of(self.sample(update), multiple)

    def _batch_of(self, indices: np.ndarray, multiple: int) -> Batch:
        padded = max(1, -(-len(indices) // multiple)) * multiple
        weights = np.zeros(padded, np.float32)
        weights[: len(indices)] = 1.0
        return Batch(
            _taken(self.images, indices, padded), _taken(self.labels, indices, padded), weights
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

        Args:
            first_update: The number of the first update; a run that goes on must not start again at
                0, since a sample that is used twice is not a Poisson sample.
            multiple: The size of a physical chunk.
            augmentation: Which views of each image are drawn.
            shares: The parts of each sample that the replicas of this process take.
        """
        import tensorflow as tf

        def elements() -> Iterator[tuple]:
            for update in range(first_update, self.plan.updates):
                sample = self.sample(update)
                for share in shares:
                    indices = share.of(sample)
                    images, labels, weights = self._batch_of(indices, multiple)
                    drawn = augmentation.draw(self.key, update, indices)
                    draws = _taken(drawn, np.arange(len(drawn)), len(weights))
                    yield (images, draws), labels, weights

        signature = (
            (
                tf.TensorSpec((None, *self.images.shape[1:]), self.images.dtype),
                tf.TensorSpec((None, augmentation.multiplicity, 3), tf.int32),
            ),
            tf.TensorSpec((None, *self.labels.shape[1:]), self.labels.dtype),
            tf.TensorSpec((None,), tf.float32),
        )
        dataset = tf.data.Dataset.from_generator(elements, output_signature=signature)
        return dataset.prefetch(_PREFETCHED_BATCHES * len(shares))


def _taken(values: np.ndarray, indices: np.ndarray, rows: int) -> np.ndarray:
    """Returns some values and then zeros, `rows` rows in all, without a copy in between."""
    taken = _aligned_zeros((rows, *values.shape[1:]), values.dtype)
    # NumPy writes straight to `out` in this mode alone; the indices are those of a sample.
    np.take(values, indices, axis=0, out=taken[: len(indices)], mode="clip")
    return taken


def _aligned_zeros(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Returns zeros at an address at which TensorFlow uses an array as it is, without a copy."""
    size = math.prod(shape) * dtype.itemsize
    memory = np.zeros(size + _ALIGNMENT, np.uint8)
    first = -memory.ctypes.data % _ALIGNMENT
    return memory[first : first + size].view(dtype).reshape(shape)


def _require_matching(examples: int, images: np.ndarray, labels: np.ndarray) -> None:
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
    if images.ndim != 4:
        raise InputError(
            f"The images have shape {images.shape}; (examples, height, width, channels) is needed."
        )
    if np.issubdtype(images.dtype, np.floating) and not np.isfinite(images).all():
        broken = int(np.flatnonzero(~np.isfinite(images).all(axis=(1, 2, 3)))[0])
        raise InputError(f"Image {broken} has NaN or infinite pixels; mend or leave it out.")
