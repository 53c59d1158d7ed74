"""WRN-40-4, as De et al. 2022 (arXiv 2204.13650) train it: see `tfdpzoo.zoo.wide_resnet`."""

from __future__ import annotations

from typing import Any

import keras

from tfdpzoo.zoo.wide_resnet import wide_resnet


def wrn40_4(
    input_shape: tuple[int, int, int] = (32, 32, 3),
    classes: int = 10,
    *,
    normalization_groups: int = 16,
    activation: str = "relu",
    kernel_initializer: Any = "lecun_normal",
    name: str = "wrn40_4",
) -> keras.Model:
    """Builds a wide residual network of depth 40 and width 4; the defaults are the paper's.

    Args:
        input_shape: Height, width (at least 8 each) and channels of an image.
        classes: How many classes there are, at least 2.
        normalization_groups: Groups of channels that are normalised together; must divide 16.
        activation: `"relu"`, `"mish"`, `"selu"`, `"leaky_relu"` or `"tanh"`.
        kernel_initializer: Initialiser of every kernel; of a convolution's only its direction
            counts.
        name: Name of the Keras model.

    Returns:
        A `keras.Model` from `(batch, *input_shape)` to logits `(batch, classes)`.

    Raises:
        InputError: An argument is out of its range.

    Example:
        >>> wrn40_4().count_params()
        8961306
    """
    return wide_resnet(
        40,
        4,
        input_shape,
        classes,
        normalization_groups=normalization_groups,
        activation=activation,
        kernel_initializer=kernel_initializer,
        name=name,
    )
