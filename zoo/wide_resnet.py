"""Wide residual networks for training with differential privacy.

De, Berrada, Hayes, Smith and Balle, "Unlocking high-accuracy differentially private image
classification through scale", arXiv 2204.13650 (2022); built after the authors' code, jax_privacy
on GitHub. Against Zagoruyko and Komodakis 2016 (arXiv 1605.07146) batch normalisation has become
group normalisation, convolutions are standardised and have a bias, and the activation comes before
the normalisation.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import keras

from tfdpzoo.errors import InputError, unknown_name
from tfdpzoo.layers import StandardizedConv2D
from tfdpzoo.layers.smooth import ACTIVATIONS, NORMALIZATION_EPSILON
from tfdpzoo.zoo.arguments import is_whole, require_classes, require_images

SMALLEST_SIDE = 8

_FIRST_CHANNELS = 16
_STAGE_CHANNELS = (16, 32, 64)


def wide_resnet(
    depth: int,
    width: int,
    input_shape: tuple[int, int, int] = (32, 32, 3),
    classes: int = 10,
    *,
    normalization_groups: int = 16,
    activation: str = "relu",
    kernel_initializer: Any = "lecun_normal",
    name: str = "wide_resnet",
) -> keras.Model:
    """Builds a wide residual network, WRN-depth-width.

    A convolution to 16 channels; three stages of (depth - 4) / 6 residual blocks with 16, 32 and 64
    times `width` channels, the second and third of which halve the image; activation,
    normalisation, the mean over the image and a dense layer. A block's branch is twice activation,
    group normalisation and a 3x3 convolution. The first block of a stage has the same with a 1x1
    convolution as its shortcut.

    Args:
        depth: How many convolutions there are, 6 n + 4 with n from 1 on.
        width: Factor of the channels, at least 1.
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
        >>> wide_resnet(10, 1).count_params()
        78938
    """
    _require_buildable(depth, width, input_shape, classes, normalization_groups, activation)
    # As a configuration, so that every layer draws from an initialiser of its own.
    kernel_initializer = keras.initializers.serialize(keras.initializers.get(kernel_initializer))
    unit = _Unit(normalization_groups, activation, kernel_initializer)

    images = keras.Input(input_shape, name="images")
    features = unit.convolution(_FIRST_CHANNELS, 3, 1, "first")(images)
    for stage, channels in enumerate(_STAGE_CHANNELS):
        for block in range((depth - 4) // 6):
            halve = stage > 0 and block == 0
            features = _residual_block(
                features, channels * width, 2 if halve else 1, unit, f"stage{stage}_block{block}"
            )
    outputs = unit.normalized(features, "final")
    outputs = keras.layers.GlobalAveragePooling2D(name="mean")(outputs)
    logits = keras.layers.Dense(classes, kernel_initializer=kernel_initializer, name="logits")
    return keras.Model(images, logits(outputs), name=name)


@dataclasses.dataclass(frozen=True)
class _Unit:
    """Activation, normalisation and convolution as the network has them everywhere."""

    groups: int
    activation: str
    kernel_initializer: Any

    def normalized(self, inputs: Any, name: str) -> Any:
        activated = keras.layers.Activation(self.activation, name=f"{name}_activation")(inputs)
        return keras.layers.GroupNormalization(
            self.groups, epsilon=NORMALIZATION_EPSILON, name=f"{name}_normalization"
        )(activated)

    def convolution(self, channels: int, size: int, stride: int, name: str) -> StandardizedConv2D:
        return StandardizedConv2D(
            channels,
            size,
            strides=stride,
            padding="same",
            kernel_initializer=self.kernel_initializer,
            name=f"{name}_convolution",
        )

    def convolved(self, inputs: Any, channels: int, size: int, stride: int, name: str) -> Any:
        return self.convolution(channels, size, stride, name)(self.normalized(inputs, name))


def _residual_block(inputs: Any, channels: int, stride: int, unit: _Unit, name: str) -> Any:
    shortcut = inputs
    if name.endswith("_block0"):
        shortcut = unit.convolved(inputs, channels, 1, stride, f"{name}_shortcut")
    features = unit.convolved(inputs, channels, 3, stride, f"{name}_first")
    features = unit.convolved(features, channels, 3, 1, f"{name}_second")
    return keras.layers.Add(name=f"{name}_sum")([features, shortcut])


def _require_buildable(
    depth: int,
    width: int,
    input_shape: tuple[int, ...],
    classes: int,
    groups: int,
    activation: str,
) -> None:
    if activation not in ACTIVATIONS:
        raise unknown_name("activation", activation, ACTIVATIONS)
    if not is_whole(depth) or depth < 10 or (depth - 4) % 6:
        raise InputError(f"depth is {depth!r}; it must be 6 n + 4, such as 16, 28 or 40.")
    if not is_whole(width):
        raise InputError(f"width is {width!r}; it must be a whole number of at least 1.")
    if not is_whole(groups) or _FIRST_CHANNELS % groups:
        raise InputError(
            f"normalization_groups is {groups!r}; it must divide the {_FIRST_CHANNELS} channels of "
            "the first convolution."
        )
    require_classes(classes)
    require_images("a wide residual network", input_shape, SMALLEST_SIDE)
