"""Random views of an example, whose gradients are averaged before clipping."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from tfdpzoo.errors import InputError
from tfdpzoo.settings import check_settings, setting

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

    from tfdpzoo.dpsgd.secret_key import SecretKey

_STREAM = "augmentation"


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """Shifted and mirrored views of each example.

    Formal guarantee:
        An example's contribution to an update is the clipped mean of the gradients of its views,
        so that the sensitivity, and with it epsilon, is that of training without augmentation. The
        views are a function of the secret key, the update and the example's number alone.

    Attributes:
        multiplicity: K, how many views of each example are averaged in one update.
        shift: By up to how many pixels a view is shifted in each direction; what comes in is
            mirrored at the border.
        flip: Whether half of the views are mirrored left to right.

    Raises:
        InputError: A number is out of its range, or all views would be equal.

    Source:
        De et al. 2022, "Unlocking high-accuracy differentially private image classification through
        scale" (arXiv 2204.13650), section 3.2.

    Example:
        >>> import numpy as np
        >>> augmentation = Augmentation(multiplicity=2, shift=1)
        >>> images = np.arange(9, dtype="float32").reshape(1, 3, 3, 1)
        >>> draws = np.array([[[1, 1, 0], [0, 2, 0]]], "int32")  # (down, right, mirrored) + shift
        >>> augmentation.views(images, draws)[:, :, :, 0].numpy().astype(int).tolist()
        [[[0, 1, 2], [3, 4, 5], [6, 7, 8]], [[4, 5, 4], [1, 2, 1], [4, 5, 4]]]
    """

    multiplicity: int = setting(1, at_least=1)
    shift: int = setting(0, at_least=0)
    flip: bool = setting(False)

    def __post_init__(self) -> None:
        check_settings(self, "augmentation")
        if self.multiplicity > 1 and not self.changes_images:
            raise InputError(
                f"augmentation.multiplicity is {self.multiplicity}, but without shift or flip all "
                "views of an example are equal; set augmentation.shift, augmentation.flip or both."
            )

    @property
    def changes_images(self) -> bool:
        """Whether a view may differ from its example."""
        return self.shift > 0 or self.flip

    def draw(self, key: SecretKey, update: int, examples: np.ndarray) -> np.ndarray:
        """Draws the views of some examples in one update.

        Args:
            key: The secret key of the run.
            update: The number of the update, from 0.
            examples: `(B,)`, the numbers of the examples.

        Returns:
            `(B, multiplicity, 3)`, int32: rows and columns to crop at, and 1 for a mirrored view.
        """
        # Recipes hold augmentations and are read without NumPy, which takes a while to import.
        import numpy as np

        if not self.changes_images:
            return np.zeros((len(examples), self.multiplicity, 3), np.int32)
        seed = key.derive(_STREAM, update)
        # A counter of its own for each example: its views do not depend on who else was sampled.
        ends = [2 * self.shift, 2 * self.shift, int(self.flip)]
        draws = [
            np.random.Generator(np.random.Philox(key=seed, counter=int(example) << 64)).integers(
                0, ends, (self.multiplicity, 3), dtype=np.int32, endpoint=True
            )
            for example in examples
        ]
        return np.reshape(draws, (len(examples), self.multiplicity, 3)).astype(np.int32)

    def require_room(self, height: int, width: int) -> None:
        """Checks that images of this size can be shifted that far.

        Raises:
            InputError: They are too small.
        """
        if self.shift >= min(height, width):
            raise InputError(
                f"augmentation.shift is {self.shift}, but the images are {height} x {width} pixels "
                "large; it must be smaller than both."
            )

    def views(self, images: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
        """Returns the views that were drawn.

        Args:
            images: `(B, height, width, channels)`.
            draws: From `draw`.

        Returns:
            `(B * multiplicity, height, width, channels)`; the views of an example are neighbours.

        Raises:
            InputError: The images are too small to be shifted that far.
        """
        import tensorflow as tf

        images = tf.convert_to_tensor(images)
        if not self.changes_images:
            return images
        height, width = images.shape[1:3]
        self.require_room(height, width)
        margin = [self.shift, self.shift]
        padded = tf.pad(images, [[0, 0], margin, margin, [0, 0]], mode="REFLECT")
        down, right, mirrored = (draws[:, :, index, None] for index in range(3))
        rows = down + tf.range(height)
        columns = right + tf.where(mirrored > 0, tf.range(width - 1, -1, -1), tf.range(width))
        cut = tf.gather(padded, rows, axis=1, batch_dims=1)
        cut = tf.reshape(cut, (-1, *cut.shape[2:]))
        return tf.gather(cut, tf.reshape(columns, (-1, width)), axis=2, batch_dims=1)

    def per_view(self, values: Any) -> tf.Tensor:
        """Returns values of examples, such as labels, once for each view."""
        import tensorflow as tf

        return values if self.multiplicity == 1 else tf.repeat(values, self.multiplicity, axis=0)
